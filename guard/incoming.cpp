#include "guard/incoming.hpp"

#include "guard/message.hpp"

namespace guard {

Verdict check_incoming(const World& world, const Vm& vm, const std::optional<Record>& record) {
  if (!record || record->how != How::hand_over || !record->shared) return Verdict::pass();
  auto qemu = process_in_pid_file(vm, world.pid_files);
  if (!qemu || has_option(*qemu, "-incoming")) return Verdict::pass();
  auto reason = fmt::format(
      "its lock came by the hand-over of a live migration, and QEMU, process {}, is not started "
      "for "
      "one (no -incoming)",
      qemu->pid);
  world.log_event(LOG_CRIT, "not-incoming", vm, {{"reason", reason}});
  return Verdict::refuse(refusal(vm, reason));
}

}  // namespace guard
