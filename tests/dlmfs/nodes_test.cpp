#include "dlmfs/nodes.hpp"

#include <fstream>

#include "tests/catch.hpp"
#include "tests/guard/temporary_directory.hpp"

namespace {

/// Fake configuration of the cluster in the kernel.
struct Configured {
  guard::TemporaryDirectory folder;
  dlmfs::ClusterPaths paths{.clusters = folder.path()};

  void add(const std::string& name, const std::string& number, const std::string& local) const {
    auto node = folder.path() / "lab" / "node" / name;
    std::filesystem::create_directories(node);
    std::ofstream(node / "num") << number << "\n";
    std::ofstream(node / "local") << local << "\n";
    std::ofstream(node / "ipv4_address") << "10.77.0." << number << "\n";
    std::ofstream(node / "ipv4_port") << "7777\n";
  }
};

}  // namespace

TEST_CASE_METHOD(Configured, "nodes are sorted by their numbers") {
  CHECK(nodes(paths).empty());
  add("beta", "2", "0");
  add("zeta", "1", "1");
  auto found = nodes(paths);
  REQUIRE(found.size() == 2);
  CHECK(found[0].name == "zeta");
  CHECK(found[0].local);
  CHECK(found[1].number == 2);
  CHECK_FALSE(found[1].local);
  CHECK(found[1].address == "10.77.0.2:7777");
}

TEST_CASE_METHOD(Configured, "a node without a number is ignored") {
  add("new", "", "0");
  CHECK(nodes(paths).empty());
}
