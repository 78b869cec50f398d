#pragma once

#include "hook/handlers.hpp"
#include "tests/catch.hpp"
#include "tests/guard/keeper/kept_host.hpp"

namespace guard {

using namespace hook;

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The VM runs on node1, and libvirt migrates it to node2.
struct Migration {
  dlmfs::StandInCluster cluster;
  KeptHost node1{cluster, 1};
  KeptHost node2{cluster, 2};
  FakeHost node3{cluster, 3};

  Migration() {
    REQUIRE_FALSE(prepare(node1.context, web).denied);
    // Far from the ages of other migrations in the tests, however long a step of a test takes.
    node1.libvirt.states[web.uuid] = {true, VmState::Job::outgoing_migration,
                                      std::chrono::minutes(1)};
    node1.libvirt.jobs_age = true;
    // While the target waits, the source's keeper does its work.
    node2.context.cluster.pause = [this](std::chrono::milliseconds) { node1.loop.settle(); };
  }
  Verdict announced_start(FakeHost& host) {
    REQUIRE_FALSE(migrate(host.context, web).denied);
    return prepare(host.context, web);
  }
  void hand_over() {
    REQUIRE_FALSE(announced_start(node2).denied);
    node1.loop.settle();
    node2.libvirt.states[web.uuid] = {.active = true};
    node2.libvirt.targets.insert(web.uuid);
  }
  /// The VM runs on node2.
  void arrive() {
    node2.libvirt.states[web.uuid] = {.active = true};
    node2.libvirt.targets.clear();
  }
  void pass(std::chrono::milliseconds time) {
    node1.loop.pass(time);
    node2.loop.pass(time);
  }
  std::optional<dlmfs::Level> level(int node) { return cluster.level(node, locks, web_lock); }
};

}  // namespace guard
