#include "guard/system/time_text.hpp"

#include <ctime>

namespace guard {

std::chrono::sys_seconds now_in_seconds() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

std::string time_text(std::chrono::sys_seconds time) {
  std::time_t seconds = time.time_since_epoch().count();
  std::tm local{};
  char text[64] = {};
  ::localtime_r(&seconds, &local);
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %Z", &local)};
}

}  // namespace guard
