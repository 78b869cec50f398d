#include "dlmfs/peers.hpp"

#include <fstream>

#include "tests/catch.hpp"
#include "tests/dlmfs/connection_table.hpp"
#include "tests/guard/temporary_directory.hpp"

using namespace dlmfs;
using namespace std::chrono_literals;

namespace {

/// How long the test may take between two looks at the clock.
constexpr std::chrono::milliseconds slack = 5s;

class FakePaths {
 public:
  FakePaths() {
    paths.clusters = directory_.path() / "clusters";
    paths.connections = directory_.path() / "sock_containers";
  }
  void connections(const std::string& text) const { std::ofstream(paths.connections) << text; }
  ClusterPaths paths;

 private:
  guard::TemporaryDirectory directory_;
};

}  // namespace

TEST_CASE_METHOD(FakePaths, "silence_of_peers reads how long each host has been silent") {
  connections(connection_table({{"node2", 1500ms}, {"node3", 0ms}}));
  auto silences = silence_of_peers(paths);
  REQUIRE(silences);
  REQUIRE(silences->size() == 2);
  CHECK(silences->at("node2") >= 1500ms);
  CHECK(silences->at("node2") < 1500ms + slack);
  CHECK(silences->at("node3") < slack);
}

TEST_CASE_METHOD(FakePaths, "of two connections to a host the one heard last counts") {
  for (bool newest_first : {true, false}) {
    std::string table = newest_first ? connection_table({{"node2", 20ms}, {"node2", 60s}})
                                     : connection_table({{"node2", 60s}, {"node2", 20ms}});
    connections(table);
    auto silences = silence_of_peers(paths);
    REQUIRE(silences);
    CHECK(silences->size() == 1);
    CHECK(silences->at("node2") < 20ms + slack);
  }
}

TEST_CASE_METHOD(FakePaths, "a host that is not connected yet is not silent") {
  connections(connection_table({{"node2", 60s}}, false) + connection_table({{"node3", 0ms}}));
  auto silences = silence_of_peers(paths);
  REQUIRE(silences);
  CHECK(silences->size() == 1);
  CHECK(silences->contains("node3"));
}

TEST_CASE_METHOD(FakePaths,
                 "silence_of_peers is empty without connections and unknown without debugfs") {
  connections("");
  REQUIRE(silence_of_peers(paths));
  CHECK(silence_of_peers(paths)->empty());
  std::filesystem::remove(paths.connections);
  CHECK_FALSE(silence_of_peers(paths));
}

TEST_CASE_METHOD(FakePaths, "keepalive_delay is that of the cluster or the kernel's default") {
  CHECK(keepalive_delay(paths) == 2s);
  std::filesystem::create_directories(paths.clusters + "/vms");
  CHECK(keepalive_delay(paths) == 2s);
  std::ofstream(paths.clusters + "/vms/keepalive_delay_ms") << "750\n";
  CHECK(keepalive_delay(paths) == 750ms);
}
