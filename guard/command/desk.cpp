#include "guard/command/desk.hpp"

#include "guard/in_quotes.hpp"

namespace guard::command {

std::string display_name(const std::string& name) {
  bool plain = !name.empty() && name.find_first_not_of(
                                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789-_.:+@") == std::string::npos;
  return plain ? name : shown_in_quotes(name);
}

}  // namespace guard::command
