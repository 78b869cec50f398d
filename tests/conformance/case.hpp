#pragma once

#include "tests/catch.hpp"
#include "tests/conformance/host.hpp"

namespace conformance {

/// The hosts under test, the same for the whole program: real hosts with agents started by the
/// commands in START_GUARD_CONFORMANCE_HOSTS, or three hosts of a stand-in.
class Cluster {
 public:
  [[nodiscard]] static Cluster& under_test();
  ~Cluster();
  [[nodiscard]] std::vector<Host>& hosts() { return hosts_; }

 private:
  Cluster();
  Connections connections_;
  std::vector<Host> hosts_;
};

/// Returns the lock name of a new UUID.
[[nodiscard]] std::string new_name();
extern const std::string domain;

/// The fixture of each test case: new locks, in a domain that all hosts have joined. Each test case
/// runs twice, because the kernel uses other code paths for a lock that another host masters. The
/// master of a lock is the host that asked for it first. It stays the master until some seconds
/// after no host has the lock.
class Case {
 public:
  Case();
  ~Case();
  Case(const Case&) = delete;
  Case& operator=(const Case&) = delete;

 protected:
  [[nodiscard]] Lock new_lock(const std::string& name = new_name());
  /// Returns a third host, or nullptr if there is none.
  [[nodiscard]] Host* third() { return hosts_.size() > 2 ? &hosts_[2] : nullptr; }

 private:
  std::vector<Host>& hosts_ = Cluster::under_test().hosts();
  std::vector<Lock> locks_;
  bool mastered_elsewhere_;

 protected:
  Host& holder = hosts_.at(0);
  Host& other = hosts_.at(1);
  Lock lock;
};

}  // namespace conformance
