#pragma once

#include <chrono>
#include <string>
#include <sys/types.h>
#include <vector>

#include "guard/command/check/places.hpp"

namespace guard::command {

/// libvirt's system daemon, or the one of its QEMU driver.
struct Daemon {
  std::string name;
  pid_t pid = 0;
  std::chrono::sys_time<std::chrono::nanoseconds> started;  ///< to a hundredth of a second, early
};

/// Those that run; a host has one, or none while nobody asks libvirt for anything.
[[nodiscard]] std::vector<Daemon> libvirts_daemons(const Places& places);

}  // namespace guard::command
