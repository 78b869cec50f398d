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
  /// The processes end before their hosts.
  ~World() { environment_.scheduler.end(); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  /// Runs the schedule. Returns the first violation of an invariant, or an empty text.
  [[nodiscard]] std::string run();

  /// Returns how often each event was logged.
  [[nodiscard]] const std::map<std::string, int>& events() const { return environment_.events; }

  /// Returns what was done and logged.
  [[nodiscard]] const std::string& history() const { return environment_.history; }

 private:
  [[nodiscard]] std::string settle(milliseconds time);
  [[nodiscard]] std::string step();
  [[nodiscard]] std::string violation();
  [[nodiscard]] std::string violation_at_rest();
  [[nodiscard]] bool overtaken(const Host& host);
  void act();
  void start(Host& host);
  void migrate(Host& source, Host& target);
  void fault(Host& host);
  void inject(std::size_t kind, Host& host);
  void abort_migration();
  void stop_children();
  void hang_qemu();
  void power_off(Host& host);
  void open_lock_file(Host& host);
  void after(const std::string& text, std::function<void(Host&)> action);
  void later(milliseconds time, std::function<void()> action);
  [[nodiscard]] milliseconds time_until(milliseconds time);
  [[nodiscard]] Start any_start();
  [[nodiscard]] std::size_t choose(std::size_t count) {
    return environment_.scheduler.choose(count);
  }
  [[nodiscard]] Host& any_host_for_fault();
  [[nodiscard]] Host& any_host() { return *hosts_[choose(hosts_.size())]; }

  static constexpr std::size_t kinds = 12;  ///< of faults

  Environment environment_;
  SimulatedTime time_;
  std::vector<std::unique_ptr<Host>> hosts_;
  int faults_left_;
  bool keeper_died_ = false;
};

}  // namespace guard::simulation
