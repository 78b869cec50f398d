#include "tests/simulation/qemu_processes.hpp"

#include <fstream>
#include <vector>

#include <fmt/format.h>

namespace guard::simulation {
namespace {

void remove_files_in(const std::filesystem::path& directory) {
  if (!std::filesystem::exists(directory)) return;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (!entry.is_directory()) std::filesystem::remove(entry);
  }
}

}  // namespace

std::shared_ptr<MachineFiles> MachineFiles::take() {
  static std::vector<std::unique_ptr<MachineFiles>> free;
  if (free.empty()) free.push_back(std::make_unique<MachineFiles>());
  auto* files = free.back().release();
  free.pop_back();
  return {files, [](MachineFiles* used) {
            used->empty();
            free.emplace_back(used);
          }};
}

void MachineFiles::empty() const {
  remove_files_in(host.path() / "state");
  remove_files_in(host.path() / "pid-files" / "qemu");
}

pid_t QemuProcesses::start(const std::string& uuid, bool incoming) {
  using namespace std::string_literals;
  pid_t pid = lowest_;
  while (processes_.contains(pid))
    ++pid;
  std::string command_line = "qemu\0-uuid\0"s + uuid + "\0"s;
  if (incoming) command_line += "-incoming\0defer\0"s;
  auto& qemu = processes_[pid];
  qemu.reset(new Qemu{SimulatedProcess(pid), std::move(command_line), ++last_start_time_});
  if (shown_) show(*qemu);
  return pid;
}

void QemuProcesses::end(pid_t pid) {
  if (processes_.erase(pid) != 0) hide(pid);
}

QemuProcesses::~QemuProcesses() {
  while (!processes_.empty())
    end(processes_.begin()->first);
  if (!shown_) files_->processes.show();
}

void QemuProcesses::show(bool shown) {
  if (shown == shown_) return;
  shown_ = shown;
  shown ? files_->processes.show() : files_->processes.hide();
  for (const auto& [pid, qemu] : processes_)
    shown ? show(*qemu) : hide(pid);
}

void QemuProcesses::show(const Qemu& qemu) const {
  pid_t pid = qemu.process.pid();
  auto directory = directory_of(pid);
  std::filesystem::create_directory(directory);
  std::ofstream(directory / "cmdline") << qemu.command_line;
  std::ofstream(directory / "stat") << fmt::format(
      "{} (qemu) S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 {} 0\n", pid, qemu.start_time);
}

void QemuProcesses::hide(pid_t pid) const {
  std::filesystem::remove(directory_of(pid) / "cmdline");
  std::filesystem::remove(directory_of(pid) / "stat");
}

}  // namespace guard::simulation
