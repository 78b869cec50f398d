#pragma once

#include "tests/catch.hpp"
#include "tests/conformance/host.hpp"

namespace conformance {

/// The hosts under test, the same for the whole program: those whose agents are run by the
/// commands in START_GUARD_CONFORMANCE_HOSTS, or three of a stand-in.
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

/// A UUID's lock name that was not used before.
[[nodiscard]] std::string new_name();
extern const std::string domain;

/// What a test case begins with: locks nobody ever had, in a domain all hosts have joined. It is
/// run twice, since the kernel goes other ways for a lock that another host masters. A lock's
/// master is whoever asked for it first, for some seconds more than anyone has it.
class Case {
 public:
  Case();
  ~Case();
  Case(const Case&) = delete;
  Case& operator=(const Case&) = delete;

 protected:
  [[nodiscard]] Lock new_lock(const std::string& name = new_name());
  /// A third host, if there is one.
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
