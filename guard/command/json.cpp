#include "guard/command/json.hpp"

#include <ctime>

namespace guard::command {

std::string to_text(const Json& document) {
  constexpr int indent = 2;
  return document.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string iso_time(std::chrono::sys_seconds time) {
  std::time_t seconds = time.time_since_epoch().count();
  std::tm utc{};
  char text[64] = {};
  ::gmtime_r(&seconds, &utc);
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

}  // namespace guard::command
