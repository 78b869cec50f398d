#include "conf/duration.hpp"

#include <charconv>
#include <cstdint>
#include <system_error>

namespace conf {
namespace {

using std::chrono::milliseconds;

std::optional<milliseconds> unit(std::string_view name) {
  if (name == "ms") return std::chrono::milliseconds(1);
  if (name == "s") return std::chrono::seconds(1);
  if (name == "m") return std::chrono::minutes(1);
  if (name == "h") return std::chrono::hours(1);
  return std::nullopt;
}

}  // namespace

std::optional<milliseconds> parse_duration(std::string_view text) {
  std::uint32_t count = 0;  // 32 bits times any unit fits into the 64 bits of milliseconds
  const char* end = text.data() + text.size();
  auto [behind_count, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc{}) return std::nullopt;
  auto one = unit(text.substr(static_cast<std::size_t>(behind_count - text.data())));
  if (!one || *one * std::int64_t{count} > longest_duration) return std::nullopt;
  return *one * std::int64_t{count};
}

}  // namespace conf
