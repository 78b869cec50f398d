#include "guard/marker.hpp"

#include <ctime>

#include "conf/toml.hpp"

namespace guard {
namespace {

std::string file_of(const dlmfs::Uuid& uuid) {
  return uuid.text() + ".migrate";
}

/// Since boot, suspend included: setting the wall clock makes no marker younger.
std::chrono::milliseconds since_boot() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace

std::chrono::milliseconds Marker::age() const {
  return since_boot() - written;
}

Result<void> Markers::write(const dlmfs::Uuid& uuid, const Caller& caller) const {
  return directory_.write(file_of(uuid),
                          fmt::format("milliseconds_since_boot = {}\ndaemon = {}\nthread = {}\n",
                                      since_boot().count(), caller.daemon, caller.thread()));
}

std::optional<Marker> Markers::use_up(const dlmfs::Uuid& uuid, const Caller& caller,
                                      std::chrono::milliseconds window) const {
  auto text = directory_.read(file_of(uuid));
  if (!text || !*text) return std::nullopt;
  // One that can't be removed would count again: it counts for nothing.
  if (!directory_.remove(file_of(uuid))) return std::nullopt;
  toml::parse_result parsed = toml::parse(**text);
  if (!parsed || parsed.table()["daemon"].value<pid_t>() != caller.daemon) return std::nullopt;
  if (parsed.table()["thread"].value<pid_t>() != caller.thread()) return std::nullopt;
  auto written = parsed.table()["milliseconds_since_boot"].value<std::int64_t>();
  if (!written) return std::nullopt;
  Marker marker{std::chrono::milliseconds(*written)};
  if (marker.age() < std::chrono::milliseconds::zero() || marker.age() >= window) {
    return std::nullopt;
  }
  return marker;
}

}  // namespace guard
