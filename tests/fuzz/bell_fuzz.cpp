#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "guard/lock/bell.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dlmfs::Lvb value{};
  std::copy_n(data, std::min(size, value.size()), value.begin());
  auto holder = guard::holder_from_lvb(value);
  // A parsed value must be the same after a round trip.
  if (holder && guard::holder_from_lvb(guard::to_lvb(*holder)) != holder) std::abort();
  return 0;
}
