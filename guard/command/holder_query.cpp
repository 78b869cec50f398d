#include "guard/command/holder_query.hpp"

#include <algorithm>

#include "guard/state/flock.hpp"

namespace guard::command {
namespace {

/// Asks one bell. Sends "holder " and the holder as text, or "none", or "trouble " and the
/// reason why it could not ask.
class AskBell final : public AbandonableCall {
 public:
  AskBell(const Context& context, const Vm& vm)
      : cluster_(context.cluster), directory_(context.host.directory), name_(vm.uuid) {}

  void run(const Send& send) override {
    auto holder = ask();
    if (!holder) return send("trouble " + holder.error().what);
    if (!*holder) return send("none");
    send("holder " + to_text(**holder));
  }
  void clean_up() override {}

 private:
  [[nodiscard]] Result<std::optional<Holder>> ask() const {
    auto asking = Flock::acquire_shared(directory_, bells_flock);
    if (!asking) return fail(std::move(asking).error());
    auto mount = cluster_.open_checked_mount();
    if (!mount) return fail(std::move(mount).error());
    auto domain = cluster_.domains().bells;
    if (auto joined = (*mount)->join(domain); !joined) return fail(std::move(joined).error());
    auto holder = Bell(**mount, domain, name_, cluster_.pause).ask();
    // A value that this host wrote itself, and that the DLM still stores, is no reply.
    if (holder && *holder && (*holder)->host == cluster_.host_name) holder->reset();
    return holder;
  }

  const ClusterAccess& cluster_;
  const StateDirectory& directory_;
  dlmfs::LockName name_;
};

HolderReply reply_from(const Result<std::string>& message, bool abandoned) {
  if (!message && abandoned) {
    return {std::nullopt,
            "the cluster did not answer in time: a host may have died, and is evicted within a "
            "minute or two"};
  }
  if (!message) return {std::nullopt, message.error().what};
  std::string_view text = *message;
  std::string_view kind = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), kind.size() + 1));
  if (kind == "trouble") return {std::nullopt, std::string(text)};
  if (kind == "none") return {};
  return {holder_from_text(text), {}};
}

}  // namespace

std::vector<HolderReply> ask_bells(const VerbContext& context, const std::vector<Vm>& vms,
                                   const Progress& progress) {
  constexpr std::size_t side_by_side = 16;
  std::vector<HolderReply> replies;
  while (replies.size() < vms.size()) {
    std::size_t first = replies.size();
    std::size_t last = std::min(first + side_by_side, vms.size());
    std::vector<std::unique_ptr<AskBell>> calls;
    std::vector<std::unique_ptr<PendingCall>> pending;
    for (std::size_t i = first; i < last; ++i) {
      calls.push_back(std::make_unique<AskBell>(context.base, vms[i]));
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
