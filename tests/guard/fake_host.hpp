#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hook/context.hpp"
#include "tests/dlmfs/stand_in.hpp"
#include "tests/guard/temporary_directory.hpp"

namespace guard {

inline const dlmfs::DomainName locks = *dlmfs::DomainName::parse("vms");
inline const dlmfs::DomainName bells = *dlmfs::DomainName::parse("vms-bell");
/// Each test program has a VM of its own: tests look for its QEMU among all processes, and several
/// of them run at once.
inline const Vm web{
    "web", *dlmfs::Uuid::parse(fmt::format("d0c3b7a4-1111-4222-8333-{:012x}", ::getpid()))};
inline const dlmfs::LockName web_lock{web.uuid};

/// The lines in /proc/locks of an image that QEMU has open to write.
inline const std::string image_locks =
    "1: OFDLCK ADVISORY  READ -1 00:05:98 201 201\n2: OFDLCK ADVISORY  READ -1 00:05:98 100 101\n";

/// Thrown in place of a call that sleeps.
struct Asleep {};

/// Where no keeper runs.
class NoKeeper final : public KeeperClient {
 public:
  bool keep(const Vm&, Pins) override { return false; }
  Closed close(const Vm&) override { return Closed::no_keeper; }
  [[nodiscard]] LevelReply level(const Vm&) override { return {}; }
  [[nodiscard]] std::optional<std::vector<KeptLockInfo>> kept() override { return std::nullopt; }
  bool reconcile() override { return false; }
  void look(const Vm&) override {}
};

/// A host of a made-up cluster, with a state directory of its own. Errands run in place; one that
/// would sleep in the kernel is one that is still under way at the deadline.
class FakeHost {
 public:
  FakeHost(dlmfs::StandInCluster& cluster, int number);

  /// From now on the ground is not fit for locks.
  void break_cluster(const std::string& why) { broken_ = why; }
  void mend_cluster() { broken_.reset(); }

  /// A process of this host that was started with the VM's UUID, as QEMU is; it lives as long as
  /// what is returned.
  [[nodiscard]] static std::shared_ptr<const Process> run_qemu(const Vm& vm,
                                                               const char* option = nullptr);

  /// What libvirt notes beside a running VM.
  void write_pid_file(const Vm& vm, const Process& process) const;
  void write_libvirt_job(const Vm& vm, const std::string& job, const std::string& phase = "") const;

  /// The host's /proc/locks; no process is seen that has any of them.
  void set_file_locks(const std::string& lines) const;

  [[nodiscard]] bool has_file(const dlmfs::DomainName& domain, const dlmfs::Name& name) {
    return *mount.exists(domain, name);
  }
  [[nodiscard]] bool logged(const std::string& text) const;
  [[nodiscard]] bool logged(int priority, const std::string& text) const;
  [[nodiscard]] int count_logged(const std::string& text) const;

 private:
  [[nodiscard]] Result<std::unique_ptr<dlmfs::Mount>> open_mount();

  TemporaryDirectory directory_;
  std::optional<std::string> broken_;
  std::vector<std::pair<int, std::string>> lines_;

 public:
  dlmfs::StandInHost& mount;
  hook::HookContext context;
};

}  // namespace guard
