#include "hook/record_qemu.hpp"

#include "guard/host/disk_io.hpp"
#include "guard/host/vm_flock.hpp"

namespace hook {
namespace {

/// An incoming migration's QEMU has locked nothing yet: then they stay unknown.
void note_images(const World& world, const Vm& vm, Record& record) {
  bool uses_io_uring = vm.io_uring_disks && !vm.io_uring_disks->empty();
  if (!uses_io_uring || vm.io_uring_disks != record.vm.io_uring_disks) return;
  record.images = locked_files(record.qemu->pid, world.open_files);
}

Result<void> note(const World& world, const Vm& vm, const std::string& operation) {
  auto flock = VmFlock::acquire(world.state, vm.uuid, operation, world.deadline);
  if (!flock) return fail(std::move(flock).error());
  auto record = world.load_record(vm);
  // After its daemon the record may be of a later run, and libvirt's pid file of an earlier one.
  if (!record || record->qemu || world.caller.gone()) return {};
  record->qemu = process_in_pid_file(vm, world.pid_files);
  if (!record->qemu) return {};
  note_images(world, vm, *record);
  return world.records().write(*record);
}

}  // namespace

void record_qemu(const World& world, const Vm& vm, const std::string& operation) {
  if (auto noted = note(world, vm, operation); !noted) {
    world.log_event(events::qemu_not_recorded, vm, {{"error", noted.error().what}});
  }
}

}  // namespace hook
