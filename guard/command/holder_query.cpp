#include "guard/command/holder_query.hpp"

#include "guard/lock/abandonable_call.hpp"

namespace guard::command {
namespace {

class AskBell final : public AbandonableCall {
 public:
  AskBell(const World& world, const Vm& vm) : world_(world), name_(vm.uuid) {}

  Answer run(const Tell&) override {
    auto mount = world_.open_checked_mount();
    if (!mount) return {Answer::Kind::cluster_down, mount.error().what};
    auto domain = world_.domains().bells;
    if (auto joined = (*mount)->join(domain); !joined) {
      return {Answer::Kind::cluster_down, joined.error().what};
    }
    auto holder = Bell(**mount, domain, name_, world_.pause).ask();
    if (!holder) return {Answer::Kind::failed, holder.error().what};
    // A value that this host wrote itself, and that the DLM still stores, is no reply.
    if (*holder && (*holder)->host == world_.host) holder->reset();
    return {.kind = Answer::Kind::denied, .holder = *holder};
  }
  void clean_up(const Answer&) override {}

 private:
  const World& world_;
  dlmfs::LockName name_;
};

HolderReply heard_in(const Answer& answer) {
  switch (answer.kind) {
    case Answer::Kind::denied:
      return {answer.holder, {}};
    case Answer::Kind::no_answer:
      return {std::nullopt,
              "the cluster did not answer in time: a host may have died, and is evicted within a "
              "minute or two"};
    default:
      return {std::nullopt, answer.why};
  }
}

}  // namespace

std::vector<HolderReply> ask_bells(const World& world, const std::vector<Vm>& vms,
                                   const Deadline& deadline, const Progress& progress) {
  constexpr std::size_t side_by_side = 16;
  std::vector<HolderReply> heard;
  while (heard.size() < vms.size()) {
    std::size_t first = heard.size();
    std::size_t last = std::min(first + side_by_side, vms.size());
    std::vector<std::unique_ptr<AskBell>> errands;
    std::vector<std::unique_ptr<PendingCall>> sent;
    for (std::size_t i = first; i < last; ++i) {
      errands.push_back(std::make_unique<AskBell>(world, vms[i]));
      sent.push_back(world.runner->send(*errands.back()));
    }
    for (const auto& each : sent)
      heard.push_back(heard_in(each->answer(deadline)));
    progress(heard.size());
  }
  return heard;
}

std::string migration_text(const Holder& holder) {
  using State = Holder::State;
  bool migrating = holder.state == State::hand_over || holder.state == State::accepted ||
                   holder.state == State::still_migrating || holder.state == State::still_shared;
  return migrating ? "shared with another host: migration under way" : "";
}

}  // namespace guard::command
