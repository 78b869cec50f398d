#pragma once

#include <filesystem>
#include <map>
#include <memory>

#include "tests/guard/fake_proc.hpp"
#include "tests/guard/temporary_directory.hpp"
#include "tests/simulation/system_calls.hpp"

namespace guard::simulation {

/// The files of a machine. Making and removing directories takes long, so a later machine uses
/// those of an earlier one, without what was in them.
struct MachineFiles {
  TemporaryDirectory host;
  FakeProc processes;

  [[nodiscard]] static std::shared_ptr<MachineFiles> take();

 private:
  void empty() const;
};

/// The QEMU processes of one machine, as its /proc and pidfd_open(2) show them. All are of one VM.
/// Like the kernel, this uses the pid of a process that has ended again.
class QemuProcesses {
 public:
  QemuProcesses(std::shared_ptr<const MachineFiles> files, pid_t lowest)
      : files_(std::move(files)), lowest_(lowest) {}
  ~QemuProcesses();
  QemuProcesses(const QemuProcesses&) = delete;
  QemuProcesses& operator=(const QemuProcesses&) = delete;

  /// `incoming`: with the option -incoming.
  pid_t start(const std::string& uuid, bool incoming);
  void end(pid_t pid);

  /// Hides the processes from the guard, as the mount option hidepid does, or shows them again.
  void show(bool shown);
  [[nodiscard]] bool shown() const { return shown_; }

 private:
  struct Qemu {
    SimulatedProcess process;
    std::string command_line;
    int start_time;
  };
  void show(const Qemu& qemu) const;
  void hide(pid_t pid) const;
  [[nodiscard]] std::filesystem::path directory_of(pid_t pid) const {
    return files_->processes.path() / std::to_string(pid);
  }

  std::shared_ptr<const MachineFiles> files_;
  pid_t lowest_;
  std::map<pid_t, std::unique_ptr<Qemu>> processes_;
  int last_start_time_ = 0;
  bool shown_ = true;
};

}  // namespace guard::simulation
