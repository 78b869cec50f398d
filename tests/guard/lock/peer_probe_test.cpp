#include "guard/lock/peer_probe.hpp"

#include <fstream>
#include <thread>

#include "hook/handlers.hpp"
#include "tests/catch.hpp"
#include "tests/dlmfs/connection_table.hpp"
#include "tests/guard/fake_host.hpp"

using namespace guard;
using namespace std::chrono_literals;
using dlmfs::Level;

namespace {

/// A host whose kernel tells how long node2 has been silent.
class Probing {
 public:
  Probing() {
    node1.context.cluster.paths.connections = directory_.path() / "sock_containers";
    node1.context.cluster.paths.clusters = directory_.path() / "clusters";
    node1.context.deadline = Deadline(10s);
  }
  void silent_for(std::chrono::milliseconds silence) const {
    std::ofstream(node1.context.cluster.paths.connections)
        << dlmfs::connection_table({{"node3", 0ms}, {"node2", silence}});
  }
  std::optional<std::string> why() {
    return why_peers_do_not_answer(node1.context, *node1.context.runner, node1.context.deadline);
  }

  dlmfs::StandInCluster cluster;
  FakeHost node1{cluster, 1};
  FakeHost node2{cluster, 2};

 private:
  TemporaryDirectory directory_;
};

/// Never answers. Calls `wait` instead of waiting.
class SilentCall final : public PendingCall {
 public:
  explicit SilentCall(std::function<void(const Deadline&)> wait) : wait_(std::move(wait)) {}
  Result<std::string> receive(const Deadline& deadline) override {
    wait_(deadline);
    return fail(Error{ETIMEDOUT, "asleep"});
  }
  [[nodiscard]] bool abandoned() const override { return true; }
  void accept() override {}

 private:
  std::function<void(const Deadline&)> wait_;
};

class SilentRunner final : public CallRunner {
 public:
  explicit SilentRunner(std::function<void(const Deadline&)> wait) : wait_(std::move(wait)) {}
  std::unique_ptr<PendingCall> start(AbandonableCall&) override {
    ++started;
    return std::make_unique<SilentCall>(wait_);
  }
  int started = 0;

 private:
  std::function<void(const Deadline&)> wait_;
};

}  // namespace

TEST_CASE_METHOD(Probing, "a start is denied without a request if a host stays silent") {
  silent_for(61s);
  cluster.kill(2);
  node1.context.deadline = Deadline(0s);
  Verdict verdict = hook::prepare(node1.context, web);
  CHECK(verdict.denied);
  CHECK(verdict.message.find("host node2 has not answered the cluster for 61 s") !=
        std::string::npos);
  CHECK_FALSE(node1.has_file(locks, web_lock));
  CHECK_FALSE(node1.has_file(bells, web_lock));
}

TEST_CASE_METHOD(Probing, "a host that is silent but answers a probe delays no start") {
  silent_for(1500ms);
  CHECK_FALSE(hook::prepare(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK_FALSE(hook::release(node1.context, web).denied);
  CHECK(node1.mount.leave(bells));  // no file is left in it
}

TEST_CASE_METHOD(Probing, "no probe is needed if all hosts were heard just now or are not known") {
  SilentRunner runner([](const Deadline&) {});
  silent_for(0ms);
  CHECK_FALSE(why_peers_do_not_answer(node1.context, runner, Deadline(10s)));
  std::filesystem::remove(node1.context.cluster.paths.connections);
  CHECK_FALSE(why_peers_do_not_answer(node1.context, runner, Deadline(10s)));
  CHECK(runner.started == 0);
}

TEST_CASE_METHOD(Probing, "a probe without an answer ends when the host is heard or evicted") {
  bool heard = GENERATE(true, false);
  silent_for(1500ms);
  int waits = 0;
  SilentRunner runner([&](const Deadline& deadline) {
    CHECK(deadline.left() <= 200ms);
    if (++waits == 1) return silent_for(1700ms);
    std::this_thread::sleep_for(20ms);
    if (heard) return silent_for(0ms);
    std::ofstream(node1.context.cluster.paths.connections) << "";
  });
  CHECK_FALSE(why_peers_do_not_answer(node1.context, runner, Deadline(10s)));
  CHECK(runner.started == 1);
  CHECK(waits == 2);
}

TEST_CASE_METHOD(Probing, "a probe ends at the deadline and the denial names the silent host") {
  silent_for(1500ms);
  SilentRunner runner([&](const Deadline& deadline) {
    std::this_thread::sleep_for(deadline.left());
    silent_for(9s);
  });
  auto why = why_peers_do_not_answer(node1.context, runner, Deadline(300ms));
  REQUIRE(why);
  CHECK(why->find("host node2 has not answered the cluster for 9 s") != std::string::npos);
  CHECK(runner.started == 1);
}

TEST_CASE_METHOD(Probing, "a probe that waits does not keep the VM's next start waiting") {
  silent_for(1500ms);
  cluster.kill(2);
  node1.context.deadline = Deadline(0s);
  CHECK(hook::prepare(node1.context, web).denied);
  silent_for(0ms);
  cluster.evict(2);
  node1.context.deadline = Deadline(10s);
  CHECK_FALSE(hook::prepare(node1.context, web).denied);
}
