#include <array>

#include "guard/command/checks/all.hpp"
#include "tests/dlmfs/connection_table.hpp"
#include "tests/guard/command/checks/fake_system_paths.hpp"

using namespace guard::command;
using namespace std::chrono_literals;
using dlmfs::connection_table;

namespace fs = std::filesystem;

TEST_CASE_METHOD(FakeSystemPaths, "check_node reports the host's name and number and cluster") {
  auto finding = check_node(paths, "node1");
  CHECK(is(finding, Health::ok));
  CHECK(finding.found == "node1, number 1 of cluster lab");
}

TEST_CASE_METHOD(FakeSystemPaths, "a host name that differs from the node's name is a warning") {
  CHECK(is(check_node(paths, "node1.example.org"), Health::warn));
}

TEST_CASE_METHOD(FakeSystemPaths, "a cluster without this host is a failure") {
  add_node(1, false);
  CHECK(is(check_node(paths, "node1"), Health::fail));
  CHECK(says(check_node(paths, "node1").remedy, "o2cb add-node lab node1"));
}

TEST_CASE_METHOD(FakeSystemPaths, "every cluster check reports a missing cluster") {
  fs::remove_all(paths.cluster.clusters);
  CHECK(is(check_node(paths, "node1"), Health::fail));
  CHECK(is(check_heartbeat(paths, true), Health::fail));
  CHECK(is(check_fencing(paths), Health::warn));
  CHECK(is(check_timeouts(paths), Health::warn));
}

TEST_CASE_METHOD(FakeSystemPaths, "a global heartbeat on a disk is ok") {
  CHECK(is(check_heartbeat(paths, true), Health::ok));
  CHECK(check_heartbeat(paths, true).found == "global, on vdb");
}

TEST_CASE_METHOD(FakeSystemPaths, "a heartbeat without a thread or a disk is a failure") {
  write(region() / "pid", "0\n");
  CHECK(is(check_heartbeat(paths, true), Health::fail));
  CHECK(check_heartbeat(paths, true).remedy == "o2cb start-heartbeat lab");
  write(region() / "pid", "162\n");
  write(region() / "dev", "\n");
  CHECK(is(check_heartbeat(paths, true), Health::fail));
  fs::remove_all(region());
  CHECK(is(check_heartbeat(paths, true), Health::fail));
}

TEST_CASE_METHOD(FakeSystemPaths, "a local heartbeat is a failure or a warning if it is allowed") {
  write(cluster() / "heartbeat" / "mode", "local\n");
  CHECK(is(check_heartbeat(paths, true), Health::fail));
  CHECK(is(check_heartbeat(paths, false), Health::warn));
  CHECK(says(check_heartbeat(paths, true).remedy, "o2cb heartbeat-mode lab global"));
}

TEST_CASE_METHOD(FakeSystemPaths, "a host that is down is ok") {
  auto finding = check_peers(paths);
  CHECK(is(finding, Health::ok));
  CHECK(finding.found == "connected: node2; down: node3");
}

TEST_CASE_METHOD(FakeSystemPaths, "a host that is alive but not connected is a failure") {
  write(paths.live_nodes, "1 2 3 \n");
  auto finding = check_peers(paths);
  CHECK(is(finding, Health::fail));
  CHECK(says(finding.found, "cut off on the network: node3;"));
  CHECK(says(finding.remedy, "10.77.0.3:7777"));
}

TEST_CASE_METHOD(FakeSystemPaths,
                 "a connected host that has sent nothing for too long is a failure") {
  write(paths.cluster.connections, connection_table({{"node2", 0s}}));
  CHECK(is(check_peers(paths), Health::ok));
  write(paths.cluster.connections, connection_table({{"node2", 50ms}}));
  write(cluster() / "idle_timeout_ms", "0\n");
  CHECK(is(check_peers(paths), Health::fail));
  CHECK(says(check_peers(paths).found, "cut off on the network: node2;"));
}

TEST_CASE_METHOD(FakeSystemPaths, "check_peers warns if debugfs is not mounted") {
  auto lost = GENERATE(0U, 1U, 2U);
  fs::remove(
      std::array<fs::path, 3>{paths.live_nodes, paths.connected_nodes, paths.cluster.connections}
          .at(lost));
  CHECK(is(check_peers(paths), Health::warn));
  CHECK(says(check_peers(paths).remedy, "mount -t debugfs"));
}

TEST_CASE_METHOD(FakeSystemPaths, "check_fencing warns if a fenced host does not reboot") {
  CHECK(is(check_fencing(paths), Health::ok));
  write(cluster() / "fence_method", "panic\n");
  CHECK(is(check_fencing(paths), Health::warn));
  write(paths.panic, "30\n");
  CHECK(is(check_fencing(paths), Health::ok));
  CHECK(says(check_fencing(paths).found, "after 30 s"));
  write(paths.panic, "-1\n");
  CHECK(says(check_fencing(paths).found, "at once"));
}

TEST_CASE_METHOD(FakeSystemPaths, "check_timeouts explains the timeouts") {
  auto finding = check_timeouts(paths);
  CHECK(is(finding, Health::ok));
  CHECK(finding.found ==
        "dead after 60 s without a heartbeat (threshold 31); network: idle 30000 ms, keepalive "
        "2000 ms, reconnect 2000 ms");
}
