#include "guard/command/verb_context.hpp"

#include "conf/toml_quote.hpp"

namespace guard::command {

std::string display_name(const std::string& name) {
  bool plain = !name.empty() && name.find_first_not_of(
                                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789-_.:+@") == std::string::npos;
  return plain ? name : conf::display_quote(name);
}

}  // namespace guard::command
