#pragma once

#include "guard/command/check/finding.hpp"
#include "guard/command/check/places.hpp"

namespace guard::command {

/// `release` is uname's: "6.1.0-56-amd64".
[[nodiscard]] Finding check_kernel(const std::string& release);

/// That the kernel knows dlmfs.
[[nodiscard]] Finding check_module(const Places& places);

/// That the cluster stack is o2cb; on a denied lock the other one hangs for ever.
[[nodiscard]] Finding check_stack(const Places& places);

}  // namespace guard::command
