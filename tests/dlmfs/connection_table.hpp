#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace dlmfs {

/// Returns a table as in /sys/kernel/debug/o2net/sock_containers (sc_show_sock_container in the
/// kernel's fs/ocfs2/cluster/netdebug.c): for each connection the node's name and for how long
/// nothing has arrived from it.
inline std::string connection_table(
    const std::vector<std::pair<std::string, std::chrono::milliseconds>>& silences,
    bool connected = true) {
  using std::chrono::microseconds;
  auto now =
      std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now().time_since_epoch());
  std::string table;
  for (const auto& [node, silence] : silences) {
    table += fmt::format(
        "00000000d2f8a0c1:\n  krefs:           3\n"
        "  sock:            10.77.0.1:7777 -> 10.77.0.2:41352\n  remote node:     {}\n"
        "  page off:        0\n  handshake ok:    {}\n  timer:           {} usecs\n"
        "  data ready:      {} usecs\n  advance start:   7 usecs\n  func type:       510\n",
        node, connected ? 1 : 0, now.count(), (now - silence).count());
  }
  return table;
}

}  // namespace dlmfs
