#include "guard/command/verbs/lock/lock.hpp"

#include "guard/command/outcome.hpp"
#include "guard/command/verbs/lock/back_off.hpp"
#include "guard/command/verbs/lock/lock_holder_process.hpp"
#include "guard/command/verbs/lock/program.hpp"
#include "guard/command/verbs/lock/signals.hpp"

namespace guard::command {
namespace {

using std::chrono::milliseconds;

/// One invocation of `start-guard lock`.
class Invocation {
 public:
  Invocation(const Context& context, const LockRequest& request, const PrintLine& print)
      : cluster_(context.cluster),
        directory_(context.host.directory),
        request_(request),
        print_(print),
        patience_(request.patience ? Deadline(*request.patience) : Deadline::never()) {}

  [[nodiscard]] Ended run() {
    auto flock = acquire_flock();
    if (!flock) return flock.error();
    auto holder_process = LockHolderProcess::start(
        ClusterLock(cluster_.open_checked_mount, request_.domain, request_.name), *flock);
    if (!holder_process) return fails(ExitStatus::failed, holder_process.error().what);
    if (auto not_granted = wait_for_grant(*holder_process)) {
      holder_process->release_and_wait();
      return *not_granted;
    }
    return run_program(*holder_process);
  }

 private:
  [[nodiscard]] bool asks_once() const { return request_.patience == milliseconds(0); }
  [[nodiscard]] Ended conflict() const { return {request_.conflict_status}; }

  void report(const std::string& what) const {
    print_(fmt::format("lock {}: {}", request_.name.text(), what));
  }

  [[nodiscard]] Ended fails(ExitStatus status, const std::string& what) const {
    report(what);
    return {static_cast<int>(status)};
  }

  [[nodiscard]] static Ended interrupted(int signal) { return {128 + signal, signal}; }

  /// Excludes other calls on this host, because dlmfs excludes hosts, not processes.
  [[nodiscard]] tl::expected<Flock, Ended> acquire_flock() const {
    // A Name contains no space, so the last space shows where the name begins.
    std::string file = fmt::format("lock.{} {}", request_.domain.text(), request_.name.text());
    for (BackOff back_off;;) {
      auto flock = Flock::try_acquire(directory_, file);
      if (flock) return std::move(*flock);
      if (flock.error().code != EWOULDBLOCK) {
        return tl::unexpected(fails(ExitStatus::failed, flock.error().what));
      }
      Deadline next_try(std::min(back_off.next(), patience_.left()));
      auto signal = signals_.wait(-1, next_try).signal;
      if (signal) return tl::unexpected(interrupted(signal->number));
      if (patience_.left() == milliseconds(0)) return tl::unexpected(conflict());
    }
  }

  /// Returns nullopt if the lock is granted, else how this call ends.
  [[nodiscard]] std::optional<Ended> wait_for_grant(const LockHolderProcess& holder_process) const {
    // One try needs some milliseconds, or up to two seconds if it joins the domain. While the
    // cluster evicts a host, it needs much longer.
    constexpr milliseconds answer_limit{5000};
    Deadline answer_by = asks_once() ? Deadline(answer_limit) : patience_;
    for (bool answered = false;;) {
      auto over = signals_.wait(holder_process.fd(), answer_by);
      if (over.signal) return interrupted(over.signal->number);
      if (!over.ready) {
        if (!answered) report_no_answer();
        return conflict();
      }
      auto message = holder_process.receive();
      if (!message) return fails(ExitStatus::unavailable, "the process that takes it was killed");
      if (message->kind == HolderMessage::Kind::granted) return std::nullopt;
      if (message->kind != HolderMessage::Kind::denied)
        return fails(ExitStatus::unavailable, message->why);
      if (asks_once()) return conflict();
      answered = true;
    }
  }

  void report_no_answer() const {
    report(
        "the cluster did not answer in time; if a host has died, it answers once "
        "it has evicted that host: try again in two minutes");
  }

  [[nodiscard]] Ended run_program(const LockHolderProcess& holder_process) const {
    auto program = Program::start(request_.command, [&]() -> Result<void> {
      signals_.restore();
      return holder_process.hold_for_this_process();
    });
    if (!program) {
      holder_process.release_and_wait();
      return fails(ExitStatus::failed, program.error().what);
    }
    pass_on_signals(*program);
    int status = program->wait();
    wait_for_unlock(holder_process);
    return {status};
  }

  /// Passes signals on to the program until it has ended.
  void pass_on_signals(const Program& program) const {
    // A signal that came before the fork has not reached the program, not even from the terminal.
    while (auto early = signals_.next())
      program.send(early->number);
    for (Signals::Over over; !over.ready;) {
      over = signals_.wait(program.fd(), Deadline::never());
      if (over.signal && !over.signal->to_whole_group) program.send(over.signal->number);
    }
  }

  /// Waits until the lock is unlocked. A signal ends the wait: the holder process continues alone.
  void wait_for_unlock(const LockHolderProcess& holder_process) const {
    holder_process.release();  // the program may have been killed before it sent its pidfd
    while (!signals_.wait(holder_process.fd(), Deadline::never()).signal) {
      auto message = holder_process.receive();
      if (!message) return unlock_for_killed_holder();
      if (message->kind == HolderMessage::Kind::unlocked) return;
      report("not unlocked: " + message->why);
      if (message->kind == HolderMessage::Kind::failed) return;
    }
  }

  /// The holder process was killed: its lock is no longer open, but this host still holds it.
  void unlock_for_killed_holder() const {
    auto mount = cluster_.open_any_mount();
    auto unlocked = mount ? (*mount)->unlink(request_.domain, request_.name)
                          : Result<void>(tl::unexpected(mount.error()));
    if (unlocked) return;
    report("not unlocked: " + unlocked.error().what);
  }

  const ClusterAccess& cluster_;
  const StateDirectory& directory_;
  const LockRequest& request_;
  const PrintLine& print_;
  Signals signals_;
  Deadline patience_;
};

}  // namespace

Ended run_locked(const Context& context, const LockRequest& request, const PrintLine& print) {
  return Invocation(context, request, print).run();
}

}  // namespace guard::command
