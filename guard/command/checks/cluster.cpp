#include "dlmfs/cluster.hpp"

#include <algorithm>
#include <fstream>
#include <set>

#include <fmt/format.h>

#include "dlmfs/nodes.hpp"
#include "dlmfs/peers.hpp"
#include "guard/command/checks/all.hpp"
#include "guard/system/file.hpp"
#include "guard/system/parse_text.hpp"

namespace guard::command {
namespace {

namespace fs = std::filesystem;

std::string name_of_cluster(const SystemPaths& paths) {
  std::optional<fs::path> folder = dlmfs::cluster_folder(paths.cluster);
  return folder ? folder->filename().string() : "CLUSTER";
}

std::string joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

/// Returns the devices on which this host's heartbeat runs: the devices of regions with a thread.
std::vector<std::string> beating_devices(const fs::path& cluster) {
  std::vector<std::string> devices;
  auto regions = list_directory(cluster / "heartbeat");
  for (const auto& region : regions ? *regions : std::vector<std::string>()) {
    auto device = first_line(cluster / "heartbeat" / region / "dev");
    auto thread = first_line(cluster / "heartbeat" / region / "pid");
    if (device && !device->empty() && leading_number<long>(thread.value_or("")) > 0) {
      devices.push_back(*device);
    }
  }
  std::sort(devices.begin(), devices.end());
  return devices;
}

/// Reads a list of node numbers, "1 2 ", from a file in debugfs. Returns nullopt if it cannot be
/// opened.
std::optional<std::set<int>> numbers_in(const fs::path& file) {
  std::ifstream stream(file);
  if (!stream) return std::nullopt;
  std::set<int> numbers;
  for (int number = 0; stream >> number;)
    numbers.insert(number);
  return numbers;
}

/// Returns the nodes that have sent nothing, not even keepalives, for longer than the idle timeout,
/// or nullopt if that cannot be read.
std::optional<std::set<std::string>> silent_nodes(const SystemPaths& paths) {
  std::optional<fs::path> cluster = dlmfs::cluster_folder(paths.cluster);
  auto line = cluster ? first_line(*cluster / "idle_timeout_ms") : std::nullopt;
  auto idle = leading_number<long>(line.value_or(""));
  auto silences = dlmfs::silence_of_peers(paths.cluster);
  if (!idle || !silences) return std::nullopt;
  std::set<std::string> silent;
  for (const auto& [name, silence] : *silences) {
    if (silence.count() > *idle) silent.insert(name);
  }
  return silent;
}

struct Peers {
  std::vector<std::string> connected, down, cut_off, addresses_of_cut_off;
};

Peers sort_peers(const SystemPaths& paths, const std::set<int>& live,
                 const std::set<int>& connected, const std::set<std::string>& silent) {
  Peers peers;
  for (const dlmfs::Node& node : dlmfs::nodes(paths.cluster)) {
    if (node.local) continue;
    if (!live.contains(node.number)) {
      peers.down.push_back(node.name);
    } else if (connected.contains(node.number) && !silent.contains(node.name)) {
      peers.connected.push_back(node.name);
    } else {
      peers.cut_off.push_back(node.name);
      peers.addresses_of_cut_off.push_back(node.address);
    }
  }
  return peers;
}

}  // namespace

Finding check_node(const SystemPaths& paths, const std::string& host) {
  std::optional<fs::path> cluster = dlmfs::cluster_folder(paths.cluster);
  if (!cluster) {
    return {"node", Health::fail, "no cluster is configured",
            "systemctl restart o2cb (see O2CB_ENABLED in /etc/default/o2cb)"};
  }
  auto nodes = dlmfs::nodes(paths.cluster);
  auto self = std::find_if(nodes.begin(), nodes.end(), [](const auto& node) { return node.local; });
  std::string name = cluster->filename();
  if (self == nodes.end()) {
    return {"node", Health::fail, fmt::format("cluster {} does not have this host", name),
            fmt::format("o2cb add-node {} {} --ip ADDRESS --number N, with the same N on every "
                        "host; then systemctl restart o2cb",
                        name, host)};
  }
  std::string found = fmt::format("{}, number {} of cluster {}", self->name, self->number, name);
  if (self->name == host) return {"node", Health::ok, found};
  return {"node", Health::warn, fmt::format("{}, but this host is called {}", found, host),
          fmt::format("hostname {}", self->name)};
}

Finding check_heartbeat(const SystemPaths& paths, bool require_global) {
  std::optional<fs::path> cluster = dlmfs::cluster_folder(paths.cluster);
  auto devices = cluster ? beating_devices(*cluster) : std::vector<std::string>();
  std::string name = name_of_cluster(paths);
  if (devices.empty()) {
    return {"heartbeat", Health::fail, "does not run", "o2cb start-heartbeat " + name};
  }
  auto mode = first_line(*cluster / "heartbeat" / "mode").value_or("of an unknown mode");
  std::string found = fmt::format("{}, on {}", mode, joined(devices));
  if (mode == "global") return {"heartbeat", Health::ok, found};
  return {
      "heartbeat", require_global ? Health::fail : Health::warn,
      found + ": an unmount can end it under a held lock, and two hosts then hold that",
      fmt::format("o2cb heartbeat-mode {} global, then restart the cluster, on every host", name)};
}

Finding check_peers(const SystemPaths& paths) {
  auto live = numbers_in(paths.live_nodes);
  auto connected = numbers_in(paths.connected_nodes);
  auto silent = silent_nodes(paths);
  if (!live || !connected || !silent) {
    return {"peers", Health::warn, "which hosts are connected is unknown without debugfs",
            "mount -t debugfs debugfs /sys/kernel/debug"};
  }
  auto peers = sort_peers(paths, *live, *connected, *silent);
  if (!peers.cut_off.empty()) {
    return {"peers", Health::fail,
            fmt::format("alive, but cut off on the network: {}; one of the hosts ends itself soon",
                        joined(peers.cut_off)),
            fmt::format("look at the network between here and {} (TCP; dmesg | grep o2net)",
                        joined(peers.addresses_of_cut_off))};
  }
  std::string found = "connected: " + (peers.connected.empty() ? "none" : joined(peers.connected));
  if (!peers.down.empty()) found += "; down: " + joined(peers.down);
  return {"peers", Health::ok, found};
}

Finding check_fencing(const SystemPaths& paths) {
  std::optional<fs::path> cluster = dlmfs::cluster_folder(paths.cluster);
  auto method = cluster ? first_line(*cluster / "fence_method") : std::nullopt;
  if (!method)
    return {"fencing", Health::warn, "not known: no cluster is configured", "o2cb cluster-status"};
  if (*method != "panic") {
    return {"fencing", Health::ok, fmt::format("{}, when this host is cut off", *method)};
  }
  std::string delay = first_line(paths.panic).value_or("0");
  if (delay != "0") {
    bool at_once = delay.starts_with('-');
    return {"fencing", Health::ok,
            fmt::format("panic, when this host is cut off; it reboots {}",
                        at_once ? "at once" : fmt::format("after {} s", delay))};
  }
  return {"fencing", Health::warn, "panic, after which this host hangs and does not come back",
          "sysctl -w kernel.panic=30 (and keep it in /etc/sysctl.d)"};
}

Finding check_timeouts(const SystemPaths& paths) {
  constexpr int beat = 2;  // seconds
  std::optional<fs::path> cluster = dlmfs::cluster_folder(paths.cluster);
  auto line = cluster ? first_line(*cluster / "heartbeat" / "dead_threshold") : std::nullopt;
  auto threshold = leading_number<long>(line.value_or(""));
  if (!threshold) {
    return {"timeouts", Health::warn, "not known: no cluster is configured",
            "systemctl restart o2cb"};
  }
  auto milliseconds = [&](const char* file) {
    return first_line(*cluster / file).value_or("?") + " ms";
  };
  return {"timeouts", Health::ok,
          fmt::format("dead after {} s without a heartbeat (threshold {}); network: idle {}, "
                      "keepalive {}, reconnect {}",
                      (*threshold - 1) * beat, *threshold, milliseconds("idle_timeout_ms"),
                      milliseconds("keepalive_delay_ms"), milliseconds("reconnect_delay_ms"))};
}

}  // namespace guard::command
