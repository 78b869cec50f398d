#include <algorithm>
#include <map>

#include "guard/command/checks/all.hpp"
#include "guard/command/lock_inventory.hpp"
#include "guard/system/time_text.hpp"

namespace guard::command {
namespace {

using std::chrono::seconds;

constexpr seconds tolerance{5};

/// Returns whether a keeper has just written this reply. Without a keeper the value may be days
/// old.
bool fresh(const Holder& holder) {
  using State = Holder::State;
  return holder.state != State::running && holder.state != State::accepted &&
         holder.state != State::runs_here_too;
}

/// Returns the minimum by which another clock is ahead of this host's. Negative: it is behind.
seconds ahead(std::chrono::sys_seconds told, const AskedBetween& asked) {
  if (told > asked.to) return told - asked.to;
  if (told < asked.from) return told - asked.from;
  return seconds(0);
}

std::string text_of(const std::string& host, seconds ahead) {
  return fmt::format("{} by {} s {}", host, std::chrono::abs(ahead).count(),
                     ahead > seconds(0) ? "ahead" : "behind");
}

}  // namespace

Finding compare_clocks(const std::vector<HolderReply>& heard, const AskedBetween& asked) {
  std::map<std::string, seconds> hosts;
  for (const HolderReply& each : heard) {
    if (each.holder && fresh(*each.holder)) {
      hosts[each.holder->host] = ahead(each.holder->told, asked);
    }
  }
  std::string agreeing;
  std::string wrong;
  for (const auto& [host, by] : hosts) {
    std::string& list = std::chrono::abs(by) > tolerance ? wrong : agreeing;
    list += (list.empty() ? "" : ", ") + (&list == &wrong ? text_of(host, by) : host);
  }
  if (!wrong.empty()) {
    return {"clocks", Health::warn, "differ from this host's: " + wrong,
            "timedatectl set-ntp true, on the host that is wrong"};
  }
  auto silent = std::find_if(heard.begin(), heard.end(), [](const HolderReply& each) {
    return !each.trouble.empty() && !each.busy;
  });
  if (silent != heard.end()) {
    return {"clocks", Health::warn, "not compared: " + silent->trouble, "try again in two minutes"};
  }
  if (hosts.empty() && !heard.empty() && heard.front().busy) {
    return {"clocks", Health::ok, "not compared: " + heard.front().trouble};
  }
  if (hosts.empty()) {
    return {"clocks", Health::ok, "not compared: no other host holds a VM that is defined here"};
  }
  return {"clocks", Health::ok, fmt::format("within {} s: {}", tolerance.count(), agreeing)};
}

Finding check_clocks(const VerbContext& context, const SystemPaths& paths) {
  constexpr std::size_t most = 8;  // each query makes its holder ask libvirt
  LockInventory here = take_inventory(context);
  auto vms = held_by_other_hosts(context, here);
  if (!here.libvirt_trouble.empty()) {
    return {"clocks", Health::warn, "not compared: " + here.libvirt_trouble,
            command_to_start_daemon(paths)};
  }
  if (vms.size() > most) vms.erase(vms.begin() + most, vms.end());
  AskedBetween asked{now_in_seconds(), {}};
  auto heard = ask_bells(context, vms, [](auto) {});
  asked.to = now_in_seconds();
  return compare_clocks(heard, asked);
}

}  // namespace guard::command
