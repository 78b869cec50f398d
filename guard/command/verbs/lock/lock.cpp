#include "guard/command/verbs/lock/lock.hpp"

#include <array>
#include <poll.h>

#include "guard/command/outcome.hpp"
#include "guard/command/verbs/lock/back_off.hpp"
#include "guard/command/verbs/lock/interruptible_wait.hpp"
#include "guard/command/verbs/lock/lock_holder_process.hpp"
#include "guard/command/verbs/lock/program.hpp"
#include "guard/command/verbs/lock/signals.hpp"

namespace guard::command {
namespace {

using std::chrono::milliseconds;
using Why = InterruptibleWait::Over::Why;

/// One call of `start-guard lock`.
class Call {
 public:
  Call(const World& world, const LockRequest& order, const PrintLine& say)
      : world_(world), order_(order), say_(say), patience_(order.patience, signals_) {}

  [[nodiscard]] Ended make() {
    auto turn = take_turn();
    if (!turn) return turn.error();
    auto holder_process = LockHolderProcess::start(
        ClusterLock(world_.open_checked_mount, order_.domain, order_.name), *turn);
    if (!holder_process) return fails(ExitStatus::failed, holder_process.error().what);
    if (auto not_granted = wait_for_grant(*holder_process)) {
      holder_process->dismiss();
      return *not_granted;
    }
    return run(*holder_process);
  }

 private:
  [[nodiscard]] bool asks_once() const { return order_.patience == milliseconds(0); }
  [[nodiscard]] Ended conflict() const { return {order_.conflict_status}; }

  void tell(const std::string& what) const {
    say_(fmt::format("lock {}: {}", order_.name.text(), what));
  }

  [[nodiscard]] Ended fails(ExitStatus status, const std::string& what) const {
    tell(what);
    return {static_cast<int>(status)};
  }

  [[nodiscard]] static Ended interrupted(int signal) { return {128 + signal, signal}; }

  /// Among the calls on this host.
  [[nodiscard]] tl::expected<HostFlock, Ended> take_turn() const {
    for (BackOff back_off;;) {
      auto turn = HostFlock::try_acquire(world_.state, order_.domain, order_.name);
      if (turn) return std::move(*turn);
      if (turn.error().code != EWOULDBLOCK) {
        return tl::unexpected(fails(ExitStatus::failed, turn.error().what));
      }
      auto over = patience_.pause(back_off.next());
      if (over.why == Why::signal) return tl::unexpected(interrupted(over.signal));
      if (over.why == Why::time_up) return tl::unexpected(conflict());
    }
  }

  /// Nothing: it is granted.
  [[nodiscard]] std::optional<Ended> wait_for_grant(const LockHolderProcess& holder_process) const {
    // What is asked once is answered in some milliseconds, a domain joined for it in a second or
    // two; a cluster that is evicting a host does not answer for long.
    constexpr milliseconds answer_limit{5000};
    InterruptibleWait patience =
        asks_once() ? InterruptibleWait(answer_limit, signals_) : patience_;
    for (bool answered = false;;) {
      auto over = patience.wait_for(holder_process.fd());
      if (over.why == Why::signal) return interrupted(over.signal);
      if (over.why == Why::time_up) {
        if (!answered) say_no_answer();
        return conflict();
      }
      auto word = holder_process.hear();
      if (!word) return fails(ExitStatus::unavailable, "the process that takes it was killed");
      if (word->kind == HolderMessage::Kind::granted) return std::nullopt;
      if (word->kind != HolderMessage::Kind::denied)
        return fails(ExitStatus::unavailable, word->why);
      if (asks_once()) return conflict();
      answered = true;
    }
  }

  void say_no_answer() const {
    tell(
        "the cluster did not answer in time; if a host has died, it answers once "
        "it has evicted that host: try again in two minutes");
  }

  [[nodiscard]] Ended run(const LockHolderProcess& holder_process) const {
    auto program = Program::start(order_.command, [&]() -> Result<void> {
      signals_.restore();
      return holder_process.care_for_this_process();
    });
    if (!program) {
      holder_process.dismiss();
      return fails(ExitStatus::failed, program.error().what);
    }
    pass_on_signals(*program);
    int status = program->wait();
    wait_for_return(holder_process);
    return {status};
  }

  /// Until the program has ended.
  void pass_on_signals(const Program& program) const {
    // What had come before it was there has not reached it, wherever it came from.
    while (auto early = signals_.next())
      program.send(early->number);
    for (;;) {
      std::array<pollfd, 2> ready{{{signals_.fd(), POLLIN, 0}, {program.fd(), POLLIN, 0}}};
      ::poll(ready.data(), ready.size(), -1);
      while (auto signal = signals_.next()) {
        if (!signal->to_whole_group) program.send(signal->number);
      }
      if (ready[1].revents != 0) return;
    }
  }

  /// The next one finds the lock free. A signal ends the wait: the minder goes on alone.
  void wait_for_return(const LockHolderProcess& holder_process) const {
    holder_process.let_go();  // a program that was killed before it had begun is in nobody's care
    InterruptibleWait until_signal(std::nullopt, signals_);
    while (until_signal.wait_for(holder_process.fd()).why == Why::ready) {
      auto word = holder_process.hear();
      if (!word) return free_for_minder();
      if (word->kind == HolderMessage::Kind::unlocked) return;
      tell("not given back: " + word->why);
      if (word->kind == HolderMessage::Kind::failed) return;
    }
  }

  /// The minder was killed, and its lock is closed, but still this host's.
  void free_for_minder() const {
    auto mount = world_.open_any_mount();
    auto unlocked = mount ? (*mount)->unlink(order_.domain, order_.name)
                          : Result<void>(tl::unexpected(mount.error()));
    if (unlocked) return;
    tell("not given back: " + unlocked.error().what);
  }

  const World& world_;
  const LockRequest& order_;
  const PrintLine& say_;
  Signals signals_;
  InterruptibleWait patience_;
};

}  // namespace

Ended lock(const World& world, const LockRequest& order, const PrintLine& say) {
  return Call(world, order, say).make();
}

}  // namespace guard::command
