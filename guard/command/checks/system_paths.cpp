#include "guard/command/checks/system_paths.hpp"

#include "guard/system/file.hpp"

namespace guard::command {

std::optional<std::string> first_line(const std::filesystem::path& file) {
  auto text = read_file(file);
  return text ? std::optional(text->substr(0, text->find('\n'))) : std::nullopt;
}

}  // namespace guard::command
