#include "guard/lock/wait_for_peers.hpp"

#include <algorithm>
#include <map>
#include <unistd.h>

#include "dlmfs/dlm_debugfs.hpp"
#include "dlmfs/peers.hpp"
#include "guard/lock/denial.hpp"
#include "guard/state/operation_flock.hpp"

namespace guard {
namespace {

using std::chrono::milliseconds;

using Silences = std::map<std::string, milliseconds>;

constexpr milliseconds late{500};  // the answer of a loaded host

/// Returns the host whose sign of life is overdue for the longest time, or the end.
Silences::const_iterator overdue_peer(const Silences& silences, const dlmfs::ClusterPaths& paths) {
  auto longest = std::max_element(silences.begin(), silences.end(),
                                  [](const auto& a, const auto& b) { return a.second < b.second; });
  // Most starts need not read the cluster's configuration.
  constexpr milliseconds always_in_time{500};
  if (longest == silences.end() || longest->second < always_in_time) return silences.end();
  return longest->second < dlmfs::keepalive_delay(paths) + late ? silences.end() : longest;
}

/// Returns a UUID that no VM has, and that this host has not used for a lock in the last minutes.
dlmfs::Uuid unused_uuid() {
  auto now = std::chrono::steady_clock::now().time_since_epoch() / std::chrono::microseconds(1);
  constexpr std::int64_t digits = 0xffff'ffff'ffff;
  return *dlmfs::Uuid::parse(
      fmt::format("{:08x}-0000-0000-0000-{:012x}", ::getpid(), now & digits));
}

/// Requests the bell of a VM that does not exist. The kernel asks each host about a name that it
/// does not know, so this returns when each has answered (dlm_get_lock_resource in
/// fs/ocfs2/dlm/dlmmaster.c).
class AskPeers final : public AbandonableCall {
 public:
  explicit AskPeers(const Context& context) : context_(context) {}

  void run(const Send& send) override {
    ask();
    send("answered");
  }
  void clean_up() override {}

 private:
  void ask() const {
    auto mount = context_.cluster.open_any_mount();
    if (!mount) return;
    auto uuid = unused_uuid();
    // Otherwise the service would remove the bell as left over, and sleep with it.
    OperationFlock flock(context_.host, uuid, "question to all hosts", Deadline::never());
    if (!flock) return;  // the start will have no flock either
    auto domain = context_.cluster.domains().bells;
    dlmfs::LockName name(uuid);
    if (auto lock = (*mount)->trylock(domain, name, dlmfs::Level::exclusive)) lock->fd.reset();
    std::ignore = (*mount)->unlink(domain, name);
  }

  const Context& context_;
};

/// A question to all hosts that waits for their answers, in a child process.
class Question {
 public:
  Question(const Context& context, CallRunner& runner)
      : ask_(context), pending_(runner.start(ask_)), paths_(context.cluster.paths) {}

  /// Returns whether each host has answered. Waits at most until `deadline`, and for no longer than
  /// until a host that does not answer counts as silent.
  bool answered(const Deadline& deadline) {
    auto patience = dlmfs::keepalive_delay(paths_) + late;
    auto answer = pending_->receive(Deadline(std::min(deadline.left(), patience)));
    if (answer) pending_->accept();
    return answer || answer.error().code != ETIMEDOUT;
  }

 private:
  AskPeers ask_;
  std::unique_ptr<PendingCall> pending_;
  const dlmfs::ClusterPaths& paths_;
};

/// Returns true if each host was heard a moment ago.
bool just_heard(const Silences& silences) {
  constexpr milliseconds moment{20};
  return !silences.empty() && std::all_of(silences.begin(), silences.end(),
                                          [=](const auto& each) { return each.second < moment; });
}

bool recovering(const Context& context) {
  auto domains = context.cluster.domains();
  return dlmfs::recovering(context.cluster.paths, domains.locks) ||
         dlmfs::recovering(context.cluster.paths, domains.bells);
}

}  // namespace

std::optional<std::string> wait_for_peers(const Context& context, CallRunner& runner,
                                          const Deadline& deadline) {
  constexpr milliseconds between{200};
  std::optional<Question> question;
  for (int calm_looks = 0, needed = 1;;) {
    auto silences = dlmfs::silence_of_peers(context.cluster.paths);
    if (!silences) return std::nullopt;
    auto overdue = overdue_peer(*silences, context.cluster.paths);
    bool any_overdue = overdue != silences->end();
    // Reading this takes as long as reading the silences, so most starts omit it.
    bool may_recover = needed > 1 || silences->empty();
    bool recovers = !any_overdue && may_recover && recovering(context);
    if (any_overdue || recovers) {
      calm_looks = 0;
      needed = 2;  // the kernel drops a host's connection a moment before it begins to recover
      question.reset();  // it waits for that host, and perhaps for longer than a new one
    } else if (++calm_looks == needed) {
      if (just_heard(*silences)) return std::nullopt;
      if (!question) question.emplace(context, runner);
      if (question->answered(deadline)) return std::nullopt;
      calm_looks = 0;
      needed = 2;
    }
    if (deadline.left() == milliseconds::zero()) {
      if (any_overdue) return silent_peer_text(overdue->first, overdue->second);
      return recovers ? recovering_text() : unanswered_text();
    }
    context.cluster.pause(std::min(deadline.left(), between));
  }
}

}  // namespace guard
