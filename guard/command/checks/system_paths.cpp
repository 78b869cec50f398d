#include "guard/command/checks/system_paths.hpp"

#include <charconv>

#include "guard/system/file.hpp"

namespace guard::command {

std::optional<std::string> first_line(const std::filesystem::path& file) {
  auto text = read_file(file);
  return text ? std::optional(text->substr(0, text->find('\n'))) : std::nullopt;
}

std::optional<long> leading_number(std::string_view text) {
  long number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

}  // namespace guard::command
