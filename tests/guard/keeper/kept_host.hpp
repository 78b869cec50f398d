#pragma once

#include <set>
#include <thread>

#include "guard/keeper/keeper.hpp"
#include "tests/guard/fake_host.hpp"
#include "tests/guard/keeper/fd_store_stand_in.hpp"
#include "tests/guard/keeper/loop_stand_in.hpp"

namespace guard {

/// Fake of libvirt.
class HypervisorStandIn final : public Hypervisor {
 public:
  [[nodiscard]] Result<VmState> state_of(const dlmfs::Uuid& uuid) override {
    ++asked;
    if (broken) return fail(Error{1, "libvirt is not there"});
    auto found = states.find(uuid);
    if (found == states.end()) return VmState{};
    if (targets.contains(uuid)) return fail(Error{1, "only on the source host"});
    VmState state = grown(uuid, found->second);
    std::this_thread::sleep_for(std::exchange(late_once, {}));
    return state;
  }
  [[nodiscard]] Result<std::vector<Vm>> active() override {
    if (while_listing) while_listing();
    return those([](const VmState& state) { return state.active; });
  }
  [[nodiscard]] Result<std::vector<Vm>> defined() override {
    return those([](const VmState&) { return true; });
  }

  std::map<dlmfs::Uuid, VmState> states;
  std::set<dlmfs::Uuid> targets;             ///< VMs that are just migrating to this host
  std::map<dlmfs::Uuid, std::string> names;  ///< of the VMs not called web
  int asked = 0;                             ///< number of calls about one VM
  bool broken = false;
  std::chrono::milliseconds late_once{0};  ///< the next answer about one VM is this old
  bool jobs_age = false;                   ///< job ages grow with real time
  std::function<void()> while_listing;

 private:
  VmState grown(const dlmfs::Uuid& uuid, VmState state) {
    using std::chrono::milliseconds;
    auto now = std::chrono::steady_clock::now();
    auto& [age, since] = reported_.try_emplace(uuid, state.job_age, now).first->second;
    if (age != state.job_age) {
      age = state.job_age;
      since = now;
    }
    if (jobs_age) state.job_age += std::chrono::floor<milliseconds>(now - since);
    return state;
  }

  template <typename Wanted>
  [[nodiscard]] Result<std::vector<Vm>> those(Wanted wanted) const {
    if (broken) return fail(Error{1, "libvirt is not there"});
    std::vector<Vm> vms;
    for (const auto& [uuid, state] : states) {
      auto name = names.find(uuid);
      if (wanted(state)) vms.push_back(Vm{name == names.end() ? "web" : name->second, uuid});
    }
    return vms;
  }

  std::map<dlmfs::Uuid, std::pair<std::chrono::milliseconds, std::chrono::steady_clock::time_point>>
      reported_;
};

/// A fake host with a keeper. Its hooks call the keeper without a socket.
class KeptHost : public FakeHost {
 public:
  KeptHost(dlmfs::StandInCluster& cluster, int number) : FakeHost(cluster, number) {
    start_keeper();
    // A host that rings sleeps until the keeper has answered.
    mount.on_queued(bells, web_lock, [this, &cluster, number] {
      while (cluster.level(number, bells, web_lock) == dlmfs::Level::exclusive && loop.step()) {
      }
    });
  }

  /// Starts a new keeper, as after a crash: only stored locks are still open. Runs all pending
  /// work.
  void start_keeper() {
    begin_keeper();
    loop.settle();
  }
  /// Starts a new keeper, but runs none of its work yet.
  void begin_keeper() {
    kill_keeper();
    keeper = std::make_unique<Keeper>(context, libvirt, loop, fd_store);
    context.keeper = std::make_unique<Line>(*this);
    keeper->recover();
  }
  void kill_keeper() {
    context.keeper = std::make_unique<NoKeeper>();
    keeper.reset();
    loop = LoopStandIn();
  }
  /// Stops the keeper as `systemctl stop` does, which also empties the store.
  void stop_keeper() {
    kill_keeper();
    fd_store = FdStoreStandIn();
  }

  HypervisorStandIn libvirt;
  LoopStandIn loop;
  FdStoreStandIn fd_store;
  std::unique_ptr<Keeper> keeper;

 private:
  class Line final : public KeeperClient {
   public:
    explicit Line(KeptHost& host) : host_(host) {}
    bool keep(const Vm& vm, Pins pins) override {
      host_.keeper->keep(vm, std::move(pins));
      return true;
    }
    Closed close(const Vm& vm) override {
      // The keeper may answer after this has returned, if it was called by the loop.
      auto closed = std::make_shared<std::optional<bool>>();
      host_.keeper->close(vm, [closed](bool quiet) { *closed = quiet; });
      if (!*closed) host_.loop.settle();
      if (!*closed) return Closed::no_answer;
      return **closed ? Closed::quiet : Closed::yes;
    }
    [[nodiscard]] LevelReply level(const Vm& vm) override {
      return {true, host_.keeper->level(vm)};
    }
    [[nodiscard]] std::optional<std::vector<KeptLockInfo>> kept() override {
      return host_.keeper->kept();
    }
    bool reconcile() override {
      host_.keeper->reconcile();
      host_.loop.settle();
      return true;
    }
    void look(const Vm& vm) override { host_.keeper->look(vm); }

   private:
    KeptHost& host_;
  };
};

}  // namespace guard
