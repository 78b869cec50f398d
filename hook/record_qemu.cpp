#include "hook/record_qemu.hpp"

#include "guard/host/disk_io.hpp"
#include "guard/state/vm_flock.hpp"

namespace hook {
namespace {

/// Writes the files that QEMU has locked into the record. The QEMU of an incoming migration has not
/// locked any yet: then they stay unknown.
void note_images(const HookContext& context, const Vm& vm, Record& record) {
  bool uses_io_uring = vm.io_uring_disks && !vm.io_uring_disks->empty();
  if (!uses_io_uring || vm.io_uring_disks != record.vm.io_uring_disks) return;
  record.images = locked_files(record.qemu->pid, context.paths.open_files);
}

Result<void> note(const HookContext& context, const Vm& vm, const std::string& operation) {
  auto flock = VmFlock::acquire(context.host.directory, vm.uuid, operation, context.deadline);
  if (!flock) return fail(std::move(flock).error());
  auto record = context.host.load_record(vm);
  // If the daemon that made this call has ended, the record may be of a later run, and the pid file
  // of an earlier one.
  if (!record || record->qemu || context.caller.gone()) return {};
  record->qemu = process_in_pid_file(vm, context.paths.pid_files, context.paths.processes);
  if (!record->qemu) return {};
  note_images(context, vm, *record);
  return context.host.records().write(*record);
}

}  // namespace

void record_qemu(const HookContext& context, const Vm& vm, const std::string& operation) {
  if (auto noted = note(context, vm, operation); !noted) {
    context.host.log_event(events.qemu_not_recorded, vm, {{"error", noted.error().what}});
  }
}

}  // namespace hook
