#include "guard/lock/last_run.hpp"

#include <algorithm>

#include "conf/escape.hpp"
#include "guard/host/disk_io.hpp"

namespace guard {
namespace {

std::string text_of_left(const OrphanedIo& left, const std::string& disks,
                         const std::string& host) {
  if (left.state == OrphanedIo::State::cannot_tell) {
    return fmt::format(
        "a write of its last run may still reach {}: this host can't tell whether one is left: "
        "{}",
        disks, left.why);
  }
  return fmt::format(
      "a write of its last run may still reach {}: the kernel has I/O in flight that its ended "
      "QEMU submitted by io_uring (file {} in /proc/locks); make that disk respond again, or reset "
      "host {}",
      disks, fmt::join(left.files, ", "), host);
}

std::optional<LastRun> check_io(const Context& context, const Vm& vm,
                                const std::optional<Record>& record,
                                std::chrono::milliseconds patience) {
  if (vm.driver != "qemu") return std::nullopt;
  const std::optional<std::vector<std::string>> unknown;
  const auto& disks = record ? record->vm.io_uring_disks : unknown;
  // Before `release`, the VM may have a disk that was attached later and is not in the record. So
  // the disks and images of the record are used only after it.
  bool complete = record && record->released;
  if (complete && disks && disks->empty()) return std::nullopt;
  const FileIds only = complete ? record->images : FileIds{};
  constexpr std::chrono::milliseconds between{50};
  OrphanedIo left = find_orphaned_io(only, context.paths.open_files);
  // The kernel closes the files of a process shortly after the process exits.
  for (; left.state != OrphanedIo::State::none && patience.count() > 0; patience -= between) {
    context.cluster.pause(between);
    left = find_orphaned_io(only, context.paths.open_files);
  }
  if (left.state == OrphanedIo::State::none) return std::nullopt;
  return LastRun{LastRun::Kind::io_in_flight,
                 text_of_left(left, disk_list(disks), context.cluster.host_name)};
}

/// Returns the QEMUs in the records of this host. Each belongs to the VM of its record.
std::vector<Process> recorded_processes(const Context& context) {
  std::vector<Process> processes;
  auto records = context.host.records();
  for (const dlmfs::Uuid& uuid : records.list().value_or(std::vector<dlmfs::Uuid>())) {
    auto record = records.find(uuid);
    if (record && *record && (*record)->qemu) processes.push_back(*(*record)->qemu);
  }
  return processes;
}

}  // namespace

std::optional<LastRun> find_last_run(const Context& context, const Vm& vm,
                                     const std::optional<Record>& record,
                                     std::chrono::milliseconds patience) {
  const auto& processes = context.paths.processes;
  auto qemu = living_qemu(vm, record, patience, processes);
  bool recorded = record && record->qemu;
  if (qemu.liveness == Liveness::dead && !recorded && vm.driver == "qemu") {
    qemu = find_ending_qemu(recorded_processes(context), patience, processes);
  }
  auto alive = last_run_of(qemu);
  return alive ? alive : check_io(context, vm, record, patience);
}

std::optional<LastRun> last_run_of(const QemuSeen& qemu) {
  switch (qemu.liveness) {
    case Liveness::alive:
      return LastRun{.kind = LastRun::Kind::qemu_alive, .qemu = *qemu.process};
    case Liveness::unknown:
      return LastRun{LastRun::Kind::qemu_unknown, qemu.why};
    case Liveness::dead:
      break;
  }
  return std::nullopt;
}

QemuSeen living_qemu(const Vm& vm, const std::optional<Record>& record,
                     std::chrono::milliseconds patience, const std::filesystem::path& processes) {
  if (!record || !record->qemu) return find_qemu(vm.uuid, processes);
  switch (liveness(*record->qemu, patience, processes)) {
    case Liveness::alive:
      return {.liveness = Liveness::alive, .process = record->qemu};
    case Liveness::dead:
      // A daemon that was killed may have started another QEMU since then.
      return find_qemu(vm.uuid, processes);
    case Liveness::unknown:
      break;
  }
  auto other = find_qemu(vm.uuid, processes);
  if (other.liveness != Liveness::dead) return other;
  return {.liveness = Liveness::unknown,
          .why = fmt::format("process {}, its QEMU once, can't be examined", record->qemu->pid)};
}

std::string disk_list(const std::optional<std::vector<std::string>>& disks) {
  if (!disks || disks->empty()) return "a disk";
  constexpr std::ptrdiff_t shown = 3;
  auto count = std::min(std::ssize(*disks), shown);
  std::string text = fmt::format("{}", fmt::join(disks->begin(), disks->begin() + count, ", "));
  text = conf::escape(text, conf::any_length);
  return count == std::ssize(*disks) ? text : text + ", …";
}

}  // namespace guard
