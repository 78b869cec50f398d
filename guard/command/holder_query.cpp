#include "guard/command/holder_query.hpp"

#include <algorithm>

#include "dlmfs/dlm_debugfs.hpp"
#include "guard/lock/wait_for_peers.hpp"
#include "guard/state/operation_flock.hpp"
#include "guard/system/time_text.hpp"

namespace guard::command {
namespace {

constexpr const char* late_text =
    "the cluster did not answer in time: a host may have died, and is evicted within a minute or "
    "two";

/// Asks one bell. Sends "holder " and the holder as text, or "none"; or why it could not ask, after
/// "trouble ", or "busy " if another process of this host works on the VM.
class AskBell final : public AbandonableCall {
 public:
  AskBell(const VerbContext& context, Vm vm)
      : cluster_(context.base.cluster),
        host_(context.base.host),
        keeper_(context.keeper),
        vm_(std::move(vm)) {}

  void run(const Send& send) override {
    constexpr std::chrono::milliseconds patience{1000};  // most hook calls take a tenth of it
    OperationFlock flock(host_, vm_.uuid, "query for the holder", Deadline(patience));
    if (!flock) {
      bool busy = flock.error().code == EWOULDBLOCK;
      return send((busy ? "busy " : "trouble ") + flock.error().what);
    }
    auto holder = ask();
    if (!holder) return send("trouble " + holder.error().what);
    if (!*holder) return send("none");
    send("holder " + to_text(**holder));
  }
  void clean_up() override {}

 private:
  [[nodiscard]] Result<std::optional<Holder>> ask() const {
    auto mount = cluster_.open_checked_mount();
    if (!mount) return fail(std::move(mount).error());
    if (auto here = acquired_meanwhile(**mount)) return here;
    auto domain = cluster_.domains().bells;
    if (auto joined = (*mount)->join(domain); !joined) return fail(std::move(joined).error());
    auto holder = Bell(**mount, domain, dlmfs::LockName(vm_.uuid), cluster_.pause).ask();
    // A value that this host wrote itself, and that the DLM still stores, is no reply.
    if (holder && *holder && (*holder)->host == cluster_.host_name) holder->reset();
    return holder;
  }

  /// Callers ask for locks that this host does not hold. A start may have acquired this one since.
  [[nodiscard]] std::optional<Holder> acquired_meanwhile(dlmfs::Mount& mount) const {
    dlmfs::LockName name(vm_.uuid);
    const auto& domain = cluster_.domains().locks;
    auto record = host_.load_record(vm_);
    if (!record || record->released || !mount.exists(domain, name).value_or(false)) {
      return std::nullopt;
    }
    if (!keeper_.level(vm_).level) {  // without its pin another host may have lowered the lock
      auto levels = dlmfs::granted_levels(cluster_.paths, domain);
      if (levels && !levels->contains(name)) return std::nullopt;
    }
    auto state = record->shared ? Holder::State::accepted : Holder::State::running;
    return Holder{cluster_.host_name, record->since, now_in_seconds(), state};
  }

  const ClusterAccess& cluster_;
  const HostState& host_;
  KeeperClient& keeper_;
  Vm vm_;
};

HolderReply reply_from(const Result<std::string>& message, bool abandoned) {
  if (!message && abandoned) return {std::nullopt, late_text};
  if (!message) return {std::nullopt, message.error().what};
  std::string_view text = *message;
  std::string_view kind = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), kind.size() + 1));
  if (kind == "trouble" || kind == "busy") return {std::nullopt, std::string(text), kind == "busy"};
  if (kind == "none") return {};
  return {holder_from_text(text), {}};
}

}  // namespace

std::vector<HolderReply> ask_bells(const VerbContext& context, const std::vector<Vm>& vms,
                                   const Progress& progress) {
  constexpr std::size_t side_by_side = 16;
  std::vector<HolderReply> replies;
  while (replies.size() < vms.size()) {
    auto silent = wait_for_peers(context.base, context.runner, context.deadline);
    bool late = !replies.empty() && context.deadline.left() == std::chrono::milliseconds(0);
    if (!silent && late) silent = late_text;
    if (silent) {
      replies.resize(vms.size(), {std::nullopt, *silent});
      break;
    }
    std::size_t first = replies.size();
    std::size_t last = std::min(first + side_by_side, vms.size());
    std::vector<std::unique_ptr<AskBell>> calls;
    std::vector<std::unique_ptr<PendingCall>> pending;
    for (std::size_t i = first; i < last; ++i) {
      calls.push_back(std::make_unique<AskBell>(context, vms[i]));
      pending.push_back(context.runner.start(*calls.back()));
    }
    for (const auto& call : pending) {
      auto message = call->receive(context.deadline);
      replies.push_back(reply_from(message, call->abandoned()));
    }
    progress(replies.size());
  }
  return replies;
}

std::string migration_text(const Holder& holder) {
  using State = Holder::State;
  bool migrating = holder.state == State::hand_over || holder.state == State::accepted ||
                   holder.state == State::still_migrating || holder.state == State::still_shared;
  return migrating ? "shared with another host: migration under way" : "";
}

}  // namespace guard::command
