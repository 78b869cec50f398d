#include "guard/command/checks/system_paths.hpp"

#include <charconv>
#include <fstream>

namespace guard::command {

std::optional<std::string> first_line(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string line;
  if (!std::getline(stream, line) && !stream.eof()) return std::nullopt;
  return stream.is_open() ? std::optional(line) : std::nullopt;
}

std::optional<long> leading_number(std::string_view text) {
  long number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

}  // namespace guard::command
