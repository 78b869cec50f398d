#include "dlmfs/dlm_debugfs.hpp"

#include <fstream>

#include "tests/catch.hpp"
#include "tests/guard/temporary_directory.hpp"

using namespace dlmfs;

namespace {

const DomainName vms = *DomainName::parse("vms");
const LockName web{*Uuid::parse("d0c3b7a4-1111-4222-8333-4444555566ff")};

/// A fake kernel's debugfs and configfs with two nodes.
struct Place {
  guard::TemporaryDirectory directory;
  ClusterPaths paths;

  explicit Place(const std::string& locking_state) {
    paths.debug = directory.path() / "o2dlm";
    paths.clusters = directory.path() / "cluster";
    for (int node : {1, 2}) {
      auto folder = fmt::format("{}/lab/node/node{}", paths.clusters, node);
      std::filesystem::create_directories(folder);
      std::ofstream(folder + "/num") << node << '\n';
    }
    std::filesystem::create_directories(paths.debug + "/vms");
    std::ofstream(paths.debug + "/vms/locking_state") << locking_state;
  }
};

const std::string other =
    "NAME:d0c3b7a4-1111-4222-8333AAAAAAAA\nLRES:1,1,0\nRMAP:\nLVBX:00\n"
    "LOCK:1,2,5,-1,2,2:7,0,0,0,0,0,0,0,0,2\n\n";

std::string state(const std::string& locks) {
  return other + "NAME:" + web.text() + "\nLRES:1,1,0,0,0,0,0,0,0,0,3\nRMAP:\nLVBX:00\n" + locks +
         "\n" + other;
}

}  // namespace

TEST_CASE("each host with a blocked or converting request is named with its level") {
  Place place(
      state("LOCK:1,0,5,-1,1,1:8,0,0,0,0,0,0,0,0,2\n"
            "LOCK:1,2,3,-1,2,2:9,0,0,0,0,0,0,0,0,2\n"
            "LOCK:1,1,3,5,2,2:9,0,0,0,0,0,0,0,0,2\n"));
  CHECK(queued_requests(place.paths, vms, web) ==
        std::vector<QueuedRequest>{{"node2", Level::protected_read}, {"node2", Level::exclusive}});
}

TEST_CASE("a lock without waiting hosts or without a kernel table has no requests") {
  Place place(state("LOCK:1,0,5,-1,1,1:8,0,0,0,0,0,0,0,0,2\n"));
  CHECK(queued_requests(place.paths, vms, web).empty());
  CHECK(queued_requests(Place("").paths, vms, web).empty());
  CHECK(queued_requests({.debug = "/nowhere"}, vms, web).empty());
}

TEST_CASE("own_request finds a waiting request of this host by its node number") {
  auto [locks, expected] = GENERATE(table<std::string, OwnRequest>({
      {"LOCK:1,2,5,-1,2,2:9,0\n", OwnRequest::pending},
      {"LOCK:1,1,3,5,2,2:9,0\n", OwnRequest::pending},
      {"LOCK:1,0,3,-1,2,2:9,0\n", OwnRequest::none},
      {"LOCK:1,0,5,-1,2,2:9,0\nLOCK:1,2,5,-1,1,1:9,0\n", OwnRequest::none},
      {"LOCK:2,2,5,-1,2\n", OwnRequest::unknown},
  }));
  Place place(state(locks));
  CHECK(own_request(place.paths, vms, web) == OwnRequest::unknown);
  std::ofstream(place.paths.clusters + "/lab/node/node2/local") << "1\n";
  CHECK(own_request(place.paths, vms, web) == expected);
  auto all = own_requests(place.paths, vms);
  REQUIRE(all);
  CHECK(all->contains(web) == (expected != OwnRequest::none));
}

TEST_CASE("without debugfs this host's requests are unknown") {
  Place place(state(""));
  std::ofstream(place.paths.clusters + "/lab/node/node2/local") << "1\n";
  CHECK(own_request(place.paths, vms, web) == OwnRequest::none);
  place.paths.debug = "/nowhere";
  CHECK(own_request(place.paths, vms, web) == OwnRequest::unknown);
  CHECK_FALSE(own_requests(place.paths, vms));
}

TEST_CASE("an invalid line is ignored") {
  auto line = GENERATE(as<std::string>{}, "LOCK:2,2,5,-1,2\n", "LOCK:1,x,5,-1,2\n", "LOCK:1,2\n",
                       "LOCK:1,0,3,-1,2,2:9\n", "what?\n");
  Place place(state(line));
  CHECK(queued_requests(place.paths, vms, web).empty());
}
