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
/// Each test program has its own VM: tests search for its QEMU among all processes, and several
/// test programs run at the same time.
inline const Vm web{
    "web", *dlmfs::Uuid::parse(fmt::format("d0c3b7a4-1111-4222-8333-{:012x}", ::getpid()))};
inline const dlmfs::LockName web_lock{web.uuid};

/// The lines in /proc/locks of an image that QEMU has open for writing.
inline const std::string image_locks =
    "1: OFDLCK ADVISORY  READ -1 00:05:98 201 201\n2: OFDLCK ADVISORY  READ -1 00:05:98 100 101\n";

/// Thrown instead of sleeping.
struct Asleep {};

/// The client on a host without a keeper.
class NoKeeper final : public KeeperClient {
 public:
  bool keep(const Vm&, Pins) override { return false; }
  Closed close(const Vm&) override { return Closed::no_keeper; }
  [[nodiscard]] LevelReply level(const Vm&) override { return {}; }
  [[nodiscard]] std::optional<std::vector<KeptLockInfo>> kept() override { return std::nullopt; }
  bool reconcile() override { return false; }
  void look(const Vm&) override {}
};

/// A host of a fake cluster, with a temporary state directory. Abandonable calls run in place; a
/// call that would sleep in the kernel counts as still running at the deadline.
class FakeHost {
 public:
  FakeHost(dlmfs::StandInCluster& cluster, int number,
           std::shared_ptr<const TemporaryDirectory> directory =
               std::make_shared<const TemporaryDirectory>());

  /// From now on opening dlmfs fails with the reason `why`.
  void break_cluster(const std::string& why) { broken_ = why; }
  void repair_cluster() { broken_.reset(); }

  /// Starts a process with the VM's UUID in its command line, as QEMU has it. The process is killed
  /// when the last copy of the returned pointer is destroyed.
  [[nodiscard]] static std::shared_ptr<const Process> run_qemu(const Vm& vm,
                                                               const char* option = nullptr);

  /// The files that libvirt writes for a running VM.
  void write_pid_file(const Vm& vm, const Process& process) const;
  void write_libvirt_job(const Vm& vm, const std::string& job, const std::string& phase = "") const;

  /// Sets the host's /proc/locks. No process of the fake /proc holds any of these locks.
  void set_file_locks(const std::string& lines) const;

  [[nodiscard]] bool has_file(const dlmfs::DomainName& domain, const dlmfs::Name& name) {
    return *mount.exists(domain, name);
  }
  [[nodiscard]] bool logged(const std::string& text) const;
  [[nodiscard]] bool logged(int priority, const std::string& text) const;
  [[nodiscard]] int count_logged(const std::string& text) const;

 private:
  [[nodiscard]] Result<std::unique_ptr<dlmfs::Mount>> open_mount();

  std::shared_ptr<const TemporaryDirectory> directory_;
  std::optional<std::string> broken_;
  std::vector<std::pair<int, std::string>> lines_;

 public:
  dlmfs::StandInHost& mount;
  hook::HookContext context;
};

}  // namespace guard
