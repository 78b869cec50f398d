#pragma once

#include "guard/command/checks/daemon.hpp"
#include "guard/command/checks/finding.hpp"
#include "guard/command/checks/hook_files.hpp"
#include "guard/command/holder_query.hpp"
#include "guard/command/lock_inventory.hpp"

namespace guard::command {

// All checks of `start-guard check`. verbs/check.cpp runs them in this order.

/// Checks that start-guard.toml was loaded, and that starts are guarded with these settings.
[[nodiscard]] Finding check_configuration(const std::filesystem::path& file,
                                          const Result<conf::Settings>& loaded);

/// Checks that the kernel has what dlmfs and the heartbeat need. `release` and `build` are the
/// release, "6.1.0-56-amd64", and the version, "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2
/// (2026-11-01)", of uname(2).
[[nodiscard]] Finding check_kernel(const std::string& release, const std::string& build);

/// Checks that the kernel has the file system ocfs2_dlmfs.
[[nodiscard]] Finding check_module(const SystemPaths& paths);

/// Checks that the cluster stack is o2cb. With the other stack a denied lock hangs forever.
[[nodiscard]] Finding check_stack(const SystemPaths& paths);

/// Checks that a cluster is configured, and that this host is a node of it under its own name.
[[nodiscard]] Finding check_node(const SystemPaths& paths, const std::string& host);

/// Checks that this host's heartbeat runs and is global, so that no unmount can end it.
/// `require_global`: a heartbeat that is not global is a failure, not a warning.
[[nodiscard]] Finding check_heartbeat(const SystemPaths& paths, bool require_global);

/// Checks that every host with a heartbeat is connected and has sent data recently. If a cable is
/// cut, the kernel still lists the connection until one of the hosts fences itself. A host that is
/// down is no failure.
[[nodiscard]] Finding check_peers(const SystemPaths& paths);

/// Checks how this host fences itself when it is cut off, and that it reboots afterwards.
[[nodiscard]] Finding check_fencing(const SystemPaths& paths);

/// Reports after how long a host is considered dead. The timeouts must be the same on all hosts.
[[nodiscard]] Finding check_timeouts(const SystemPaths& paths);

/// Checks that the hook is where libvirt runs it, that only root can write it, and that it is of
/// the same build as this program.
[[nodiscard]] Finding check_hook(const std::vector<HookFile>& files, const SystemPaths& paths);

/// Checks that libvirt runs no other hook before this one: the other hook could start a VM
/// unguarded, or fail.
[[nodiscard]] Finding check_order(const std::vector<HookFile>& files, const SystemPaths& paths);

/// Checks that libvirt's daemon has loaded the hook: otherwise it starts every VM unguarded. A
/// reload of the daemon cannot be seen, unless `start-guard install-hook` caused it.
[[nodiscard]] Finding check_hook_loaded(const std::vector<HookFile>& files,
                                        const SystemPaths& paths, const HookSeenByDaemon& marks);

/// Checks that the hook can write the record of a lock. Otherwise it does not acquire the lock.
[[nodiscard]] Finding check_state(const std::filesystem::path& directory);

/// Checks that dlmfs is mounted at `mount`, and nowhere else. May sleep.
[[nodiscard]] Finding check_mount(const SystemPaths& paths, const std::filesystem::path& mount);

/// Checks that the domains of locks and bells are joined. May sleep. `elsewhere`: records of VMs
/// whose locks are in another domain. If there are any, every start is denied.
[[nodiscard]] Finding check_domains(const std::filesystem::path& mount, const Domains& domains,
                                    const std::vector<Record>& elsewhere = {});

/// Checks that start-guard.service answers. A lock that it does not keep open can be unlocked by an
/// accidental rm, unnoticed.
[[nodiscard]] Finding check_service(KeeperClient& keeper);

/// Checks that this program and start-guard.service can see QEMU's processes in /proc. The hook
/// sees what this program sees. A process that cannot be seen is assumed to be alive, and its lock
/// is not unlocked. `keeper`: the PID of the service, if it runs.
[[nodiscard]] Finding check_processes(const SystemPaths& paths, std::optional<pid_t> keeper);

/// Checks that every VM that runs here has its lock, and that the lock is kept open. Names the VMs
/// that are exempt, those that use io_uring, and those of the latter whose I/O in flight could not
/// be seen.
[[nodiscard]] Finding check_vms(const LockInventory& seen, const SystemPaths& paths = {});

/// Checks that no two running VMs write to one disk that is not marked as shareable in both. Their
/// locks do not prevent this, because a lock belongs to a VM. `running`: the XML of these VMs.
[[nodiscard]] Finding check_disks(const Result<std::vector<std::string>>& running,
                                  const SystemPaths& paths = {});

/// Checks that this host holds no lock for a VM that has ended.
[[nodiscard]] Finding check_left_over(const LockInventory& seen, const SystemPaths& paths = {});

/// Asks the bells of a few VMs that other hosts may hold, and checks that the clocks of the hosts
/// agree. Blocks until they have replied, at most until the deadline of the context.
[[nodiscard]] Finding check_clocks(const VerbContext& context, const SystemPaths& paths = {});

/// The period, by this host's clock, in which the other hosts were asked.
struct AskedBetween {
  std::chrono::sys_seconds from, to;
};

/// Checks that the clocks agree, as far as the replies show it. A difference of one hour does not
/// let a VM run twice. But it makes every "since" wrong, in messages and in the logs that operators
/// read after a conflict.
[[nodiscard]] Finding compare_clocks(const std::vector<HolderReply>& heard,
                                     const AskedBetween& asked);

}  // namespace guard::command
