#include "guard/note_qemu.hpp"

#include "guard/disk_io.hpp"
#include "guard/vm_flock.hpp"

namespace guard {
namespace {

/// An incoming migration's QEMU has locked nothing yet: then they stay unknown.
void note_images(const World& world, const Vm& vm, Record& record) {
  bool uses_io_uring = vm.io_uring_disks && !vm.io_uring_disks->empty();
  if (!uses_io_uring || vm.io_uring_disks != record.vm.io_uring_disks) return;
  record.images = locked_files(record.qemu->pid, world.open_files);
}

Result<void> note(const World& world, const Vm& vm, const std::string& operation) {
  auto flock = VmFlock::take(world.state, vm.uuid, operation, world.deadline);
  if (!flock) return fail(std::move(flock).error());
  auto record = world.recall(vm);
  // After its daemon the record may be of a later run, and libvirt's pid file of an earlier one.
  if (!record || record->qemu || world.caller.gone()) return {};
  record->qemu = process_in_pid_file(vm, world.pid_files);
  if (!record->qemu) return {};
  note_images(world, vm, *record);
  return world.records().write(*record);
}

}  // namespace

void note_qemu(const World& world, const Vm& vm, const std::string& operation) {
  if (auto noted = note(world, vm, operation); !noted) {
    world.log_event(LOG_ERR, "qemu-not-noted", vm, {{"error", noted.error().what}});
  }
}

}  // namespace guard
