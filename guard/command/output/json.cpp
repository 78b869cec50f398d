#include "guard/command/output/json.hpp"

#include <cstdint>
#include <ctime>

#include <fmt/format.h>

#include "conf/escape.hpp"

namespace guard::command {

std::string to_text(const Json& document) {
  constexpr int indent = 2;
  std::string text = document.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
  // nlohmann::json escapes only the control characters below U+0020. All others that must be
  // escaped are inside strings, except its own line ends.
  return conf::replace_unsafe(text, [](const conf::UnsafeCharacter& character) {
    if (character.code == '\n') return std::string("\n");
    return fmt::format("\\u{:04x}", static_cast<std::uint32_t>(character.code));
  });
}

std::string iso_time(std::chrono::sys_seconds time) {
  std::time_t seconds = time.time_since_epoch().count();
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[64] = {};
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

}  // namespace guard::command
