#pragma once

#include <fstream>

#include "guard/command/checks/finding.hpp"
#include "guard/command/checks/system_paths.hpp"
#include "tests/catch.hpp"
#include "tests/guard/temporary_directory.hpp"

namespace guard::command {

/// Fake system files of a healthy host, node1 of two that are up. Tests change them.
class FakeSystemPaths {
 public:
  FakeSystemPaths() {
    paths = {.cluster = {.mounts = root_ / "mounts",
                         .mount_details = root_ / "mountinfo",
                         .stack = root_ / "cluster_stack",
                         .clusters = root_ / "clusters",
                         .debug = root_ / "o2dlm",
                         .connections = root_ / "sock_containers"},
             .file_systems = root_ / "filesystems",
             .live_nodes = root_ / "livenodes",
             .connected_nodes = root_ / "connected_nodes",
             .panic = root_ / "panic",
             .processes = root_ / "proc",
             .hooks = root_ / "hooks",
             .daemons = root_ / "sbin",
             .sockets = root_ / "sockets"};
    write(paths.cluster.mounts, "");
    write(paths.cluster.stack, "o2cb\n");
    write(paths.file_systems, "nodev\tsysfs\nnodev\tocfs2_dlmfs\n\text4\n");
    write(paths.live_nodes, "1 2 \n");
    write(paths.connected_nodes, "2 \n");
    write(paths.cluster.connections, "");
    write(paths.panic, "0\n");
    write(cluster() / "fence_method", "reset\n");
    write(cluster() / "idle_timeout_ms", "30000\n");
    write(cluster() / "keepalive_delay_ms", "2000\n");
    write(cluster() / "reconnect_delay_ms", "2000\n");
    write(cluster() / "heartbeat" / "dead_threshold", "31\n");
    write(cluster() / "heartbeat" / "mode", "global\n");
    write(region() / "dev", "vdb\n");
    write(region() / "pid", "162\n");
    for (int number : {1, 2, 3})
      add_node(number, number == 1);
    std::filesystem::create_directories(paths.processes);
    std::filesystem::create_directories(paths.hooks / "qemu.d");
  }

  void add_node(int number, bool local) const {
    auto node = cluster() / "node" / ("node" + std::to_string(number));
    write(node / "num", std::to_string(number) + "\n");
    write(node / "local", local ? "1\n" : "0\n");
    write(node / "ipv4_address", "10.77.0." + std::to_string(number) + "\n");
    write(node / "ipv4_port", "7777\n");
  }

  /// Adds a process that started at boot, and so is older than any file of a test. A start time of
  /// "some minutes ago" can be before the boot of a machine that booted just now.
  void run_since_boot(const std::string& name, int pid) const { run(name, pid, 0); }

  /// Adds a process whose start time is later than now, as if the machine had run for longer.
  void run_later(const std::string& name, int pid) const {
    constexpr long seconds = 1000;
    timespec up{};
    ::clock_gettime(CLOCK_BOOTTIME, &up);
    run(name, pid, up.tv_sec + seconds);
  }

  static void write(const std::filesystem::path& file, const std::string& text) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }

  [[nodiscard]] std::filesystem::path root() const { return root_; }
  [[nodiscard]] std::filesystem::path cluster() const { return root_ / "clusters" / "lab"; }
  [[nodiscard]] std::filesystem::path region() const {
    return cluster() / "heartbeat" / "57A27604ABD157A27604ABD157A27604";
  }

 private:
  void run(const std::string& name, int pid, long seconds_since_boot) const {
    auto process = paths.processes / std::to_string(pid);
    std::string between;
    for (int field = 4; field < 22; ++field)
      between += "0 ";
    write(process / "comm", name + "\n");
    write(process / "stat", std::to_string(pid) + " (" + name + ") S " + between +
                                std::to_string(seconds_since_boot * ::sysconf(_SC_CLK_TCK)) +
                                " 0\n");
  }

  TemporaryDirectory directory_;
  std::filesystem::path root_ = directory_.path();

 public:
  SystemPaths paths;
};

inline bool says(const std::string& text, const std::string& part) {
  UNSCOPED_INFO(text);
  return text.find(part) != std::string::npos;
}

/// Returns true if the finding has this health, and has a remedy exactly if it is not ok.
inline bool is(const Finding& finding, Health health) {
  UNSCOPED_INFO(finding.found);
  UNSCOPED_INFO(finding.remedy);
  return finding.health == health && finding.remedy.empty() == (health == Health::ok);
}

}  // namespace guard::command
