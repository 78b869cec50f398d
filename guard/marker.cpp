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

Result<void> Markers::write(const dlmfs::Uuid& uuid, pid_t daemon) const {
  return directory_.write(file_of(uuid), fmt::format("milliseconds_since_boot = {}\ndaemon = {}\n",
                                                     since_boot().count(), daemon));
}

bool Markers::use_up(const dlmfs::Uuid& uuid, pid_t daemon,
                     std::chrono::milliseconds window) const {
  auto text = directory_.read(file_of(uuid));
  if (!text || !*text) return false;
  // One that can't be removed would count again: it counts for nothing.
  if (!directory_.remove(file_of(uuid))) return false;
  toml::parse_result marker = toml::parse(**text);
  if (!marker || marker.table()["daemon"].value<pid_t>() != daemon) return false;
  auto written = marker.table()["milliseconds_since_boot"].value<std::int64_t>();
  if (!written) return false;
  auto age = since_boot() - std::chrono::milliseconds(*written);
  return age >= std::chrono::milliseconds::zero() && age < window;
}

}  // namespace guard
