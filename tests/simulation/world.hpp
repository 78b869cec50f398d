#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/host.hpp"

namespace guard::simulation {

/// Three hosts in one cluster, one VM, and a random schedule of operations and faults.
class World {
 public:
  explicit World(std::uint64_t seed);
  /// Runs the schedule. Returns the first violation of an invariant, or an empty text.
  [[nodiscard]] std::string run();

  /// Returns how often each event was logged.
  [[nodiscard]] const std::map<std::string, int>& events() const { return environment_.events; }

 private:
  [[nodiscard]] std::string settle(milliseconds time);
  [[nodiscard]] std::string step();
  [[nodiscard]] std::string violation();
  [[nodiscard]] std::string violation_at_rest();
  void act();
  void fault(Host& host);
  [[nodiscard]] std::size_t choose(std::size_t count) {
    return environment_.scheduler.choose(count);
  }
  [[nodiscard]] Host& any_host() { return *hosts_[choose(hosts_.size())]; }

  Environment environment_;
  std::vector<std::unique_ptr<Host>> hosts_;
  int faults_left_;
};

}  // namespace guard::simulation
