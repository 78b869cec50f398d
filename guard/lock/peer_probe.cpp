#include "guard/lock/peer_probe.hpp"

#include <algorithm>
#include <unistd.h>

#include "dlmfs/peers.hpp"
#include "guard/lock/denial.hpp"

namespace guard {
namespace {

using std::chrono::milliseconds;

/// A host that was heard so recently has answered a request just now, for example of the same
/// `virsh start`.
constexpr milliseconds just_heard{100};
constexpr milliseconds often{200};

/// Requests and unlocks a lock that no host knows, so that all hosts of the cluster must answer. It
/// uses the domain of the bells, because users look at the files of the other one.
class Probe final : public AbandonableCall {
 public:
  explicit Probe(const ClusterAccess& cluster) : cluster_(cluster) {}

  /// Any result, also an error, means that no request waits for a host.
  void run(const Send& send) override {
    auto now = std::chrono::steady_clock::now().time_since_epoch();
    auto name = dlmfs::Name::parse(fmt::format("probe-{}-{:x}", ::getpid(), now.count()));
    if (auto mount = cluster_.open_any_mount(); mount && name) {
      const auto& domain = cluster_.domains().bells;
      std::ignore = (*mount)->trylock(domain, *name, dlmfs::Level::exclusive);
      std::ignore = (*mount)->unlink(domain, *name);
    }
    send("");
  }
  void clean_up() override {}

 private:
  const ClusterAccess& cluster_;
};

using Peer = std::pair<std::string, milliseconds>;

std::optional<Peer> longest_silent(const dlmfs::ClusterPaths& paths) {
  auto silences = dlmfs::silence_of_peers(paths);
  if (!silences || silences->empty()) return std::nullopt;
  return *std::max_element(silences->begin(), silences->end(),
                           [](const auto& a, const auto& b) { return a.second < b.second; });
}

}  // namespace

std::optional<std::string> why_peers_do_not_answer(const Context& context, CallRunner& runner,
                                                   const Deadline& deadline) {
  auto peer = longest_silent(context.cluster.paths);
  if (!peer || peer->second < just_heard) return std::nullopt;
  auto began = std::chrono::steady_clock::now();
  Probe probe(context.cluster);
  auto pending = runner.start(probe);
  for (;;) {
    auto answer = pending->receive(Deadline(std::min(deadline.left(), often)));
    if (answer || answer.error().code != ETIMEDOUT) return std::nullopt;
    auto waited = std::chrono::steady_clock::now() - began;
    peer = longest_silent(context.cluster.paths);
    bool silent_since_then = peer && peer->second >= waited;
    if (!silent_since_then) return std::nullopt;
    if (deadline.left() == milliseconds::zero()) return silent_peer_text(peer->first, peer->second);
  }
}

}  // namespace guard
