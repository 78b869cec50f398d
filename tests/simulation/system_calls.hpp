#pragma once

#include <cstdint>

/// System calls of this program that the simulation replaces or observes. This program defines the
/// functions of libc, so the guard's code and the C++ library call them too.
namespace guard::simulation {

/// Returns how many descriptors this program has closed.
[[nodiscard]] std::uint64_t closed_descriptors();

}  // namespace guard::simulation
