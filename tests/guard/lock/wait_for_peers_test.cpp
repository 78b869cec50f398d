#include "guard/lock/wait_for_peers.hpp"

#include <fstream>

#include "hook/handlers.hpp"
#include "tests/catch.hpp"
#include "tests/dlmfs/connection_table.hpp"
#include "tests/guard/fake_host.hpp"

using namespace guard;
using namespace std::chrono_literals;
using dlmfs::Level;

namespace {

constexpr auto overdue = 2600ms;  // keepalive_delay is 2 s
constexpr auto in_time = 1000ms;

/// A host whose kernel tells how long node2 has been silent, and whether it recovers locks.
class WithPeers {
 public:
  WithPeers() {
    auto& access = node1.context.cluster;
    access.paths.connections = directory_.path() / "sock_containers";
    access.paths.clusters = directory_.path() / "clusters";
    access.paths.debug = directory_.path() / "o2dlm";
    access.pause = [this](std::chrono::milliseconds time) {
      ++pauses;
      CHECK(time <= 200ms);
      on_pause();
    };
    recover(locks, "");
    recover(bells, "");
    silent_for(0ms);
  }

  void silent_for(std::chrono::milliseconds silence) const {
    std::ofstream(node1.context.cluster.paths.connections)
        << dlmfs::connection_table({{"node3", 0ms}, {"node2", silence}});
  }
  void disconnect() const { std::ofstream(node1.context.cluster.paths.connections) << ""; }

  /// Sets the numbers of the nodes whose locks the kernel recovers in a domain.
  void recover(const dlmfs::DomainName& domain, const std::string& nodes) const {
    auto folder = node1.context.cluster.paths.debug + "/" + domain.text();
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "/dlm_state") << "Domain: vms  Key: 0x4923218e  Protocol: 1.3\n"
                                            "Domain Map: 1 2 \nDead Node: 255\nRecovery Map: "
                                         << nodes << "\nRecovery Node State:\n";
  }

  std::optional<std::string> wait(Deadline deadline = Deadline(60s)) {
    return wait_for_peers(node1.context, *node1.context.runner, deadline);
  }

  dlmfs::StandInCluster cluster;
  FakeHost node1{cluster, 1};
  int pauses = 0;
  std::function<void()> on_pause = [] {};

 private:
  TemporaryDirectory directory_;
};

}  // namespace

TEST_CASE_METHOD(WithPeers, "a start does not wait while all hosts give signs of life in time") {
  silent_for(GENERATE(0ms, in_time));
  CHECK_FALSE(hook::prepare(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK(pauses == 0);
}

TEST_CASE_METHOD(WithPeers, "a start requests no lock while a host is silent") {
  silent_for(61s);
  cluster.kill(cluster.host(2).number());
  node1.context.deadline = Deadline(0s);
  Verdict verdict = hook::prepare(node1.context, web);
  CHECK(verdict.denied);
  CHECK(verdict.message.find("host node2 has not answered the cluster for 61 s") !=
        std::string::npos);
  CHECK_FALSE(node1.has_file(locks, web_lock));

  silent_for(0ms);
  cluster.evict(2);
  CHECK_FALSE(hook::prepare(node1.context, web).denied);
}

TEST_CASE_METHOD(WithPeers,
                 "a start requests no lock if a host has died since its last sign of life") {
  silent_for(in_time);
  cluster.kill(cluster.host(2).number());
  on_pause = [&] {
    if (pauses == 1) silent_for(overdue);
    if (pauses == 2) recover(locks, "2 ");
    if (pauses == 3) {
      cluster.evict(2);
      recover(locks, "");
      disconnect();
    }
  };
  node1.context.deadline = Deadline(60s);
  CHECK_FALSE(hook::prepare(node1.context, web).denied);
  CHECK(pauses == 4);
}

TEST_CASE_METHOD(WithPeers, "a start that not all hosts answer in time is denied") {
  silent_for(in_time);
  cluster.kill(cluster.host(2).number());
  node1.context.deadline = Deadline(0s);
  Verdict verdict = hook::prepare(node1.context, web);
  CHECK(verdict.denied);
  CHECK(verdict.message.find("not every host of the cluster has answered") != std::string::npos);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE_METHOD(WithPeers, "a start asks no host if it has just heard each of them") {
  silent_for(0ms);
  cluster.kill(cluster.host(2).number());
  CHECK_FALSE(wait(Deadline(0s)));
}

TEST_CASE_METHOD(WithPeers, "a start asks the hosts again only after one was silent") {
  silent_for(in_time);
  cluster.kill(cluster.host(2).number());
  int questions = 0;
  struct Counts final : CallRunner {
    Counts(CallRunner& runner, int& calls) : runner_(runner), calls_(calls) {}
    std::unique_ptr<PendingCall> start(AbandonableCall& call) override {
      ++calls_;
      return runner_.start(call);
    }
    CallRunner& runner_;
    int& calls_;
  } runner(*node1.context.runner, questions);
  on_pause = [&] {
    if (pauses == 5) CHECK(questions == 1);
    if (pauses == 5) silent_for(overdue);
    if (pauses == 7) cluster.evict(2);
    if (pauses == 7) silent_for(in_time);
  };
  CHECK_FALSE(wait_for_peers(node1.context, runner, Deadline(60s)));
  CHECK(questions == 2);
}

TEST_CASE_METHOD(WithPeers, "a start goes on when the silent host is heard again") {
  silent_for(overdue);
  on_pause = [&] {
    if (pauses == 3) silent_for(0ms);
  };
  CHECK_FALSE(wait());
  CHECK(pauses == 4);  // two looks must find nothing
}

TEST_CASE_METHOD(WithPeers, "a start goes on when the silent host's locks are recovered") {
  const auto& domain = GENERATE(true, false) ? locks : bells;
  silent_for(overdue);
  on_pause = [&] {
    if (pauses == 2) disconnect();
    if (pauses == 3) recover(domain, "2 ");
    if (pauses == 6) recover(domain, "");
  };
  CHECK_FALSE(wait());
  CHECK(pauses == 7);
}

TEST_CASE_METHOD(WithPeers, "a start waits for a recovery that was going on before it") {
  disconnect();
  recover(locks, "2 3 ");
  on_pause = [&] {
    if (pauses == 1) recover(locks, "");
  };
  CHECK_FALSE(wait());
  CHECK(pauses == 2);
}

TEST_CASE_METHOD(WithPeers, "a recovery that does not end in time denies the start") {
  disconnect();
  recover(locks, "2 ");
  auto why = wait(Deadline(0s));
  REQUIRE(why);
  CHECK(why->find("the cluster is recovering the locks of a host") != std::string::npos);
}

TEST_CASE_METHOD(WithPeers, "without debugfs a start does not wait for silent hosts") {
  std::filesystem::remove(node1.context.cluster.paths.connections);
  std::filesystem::remove_all(node1.context.cluster.paths.debug);
  CHECK_FALSE(wait());
  CHECK(pauses == 0);
}
