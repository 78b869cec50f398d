#include "guard/command/verbs/lock/back_off.hpp"

#include <algorithm>
#include <random>

namespace guard::command {

BackOff::BackOff()
    : chance_([engine = std::minstd_rand(std::random_device{}())]() mutable {
        return std::uniform_real_distribution(0.0, 1.0)(engine);
      }) {}

std::chrono::milliseconds BackOff::next() {
  constexpr std::chrono::milliseconds limit{1000};
  auto part = std::chrono::duration<double, std::milli>(longest_) * (1 + chance_()) / 2;
  longest_ = std::min(2 * longest_, limit);
  return std::chrono::round<std::chrono::milliseconds>(part);
}

}  // namespace guard::command
