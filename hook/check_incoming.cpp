#include "hook/check_incoming.hpp"

#include "guard/host/libvirt_job.hpp"
#include "guard/lock/denial.hpp"

namespace hook {
namespace {

bool shares_by_hand_over(const std::optional<Record>& record) {
  return record && record->origin == Origin::hand_over && record->shared;
}

Verdict refuse(const HookContext& context, const Vm& vm, const std::string& reason) {
  context.host.log_event(events.not_a_migration, vm, {{"reason", reason}});
  return Verdict::deny(denial(vm, reason));
}

}  // namespace

Verdict check_incoming(const HookContext& context, const Vm& vm,
                       const std::optional<Record>& record) {
  if (!shares_by_hand_over(record)) return Verdict::pass();
  auto qemu = process_in_pid_file(vm, context.paths.pid_files, context.paths.processes);
  if (!qemu || has_option(*qemu, "-incoming", context.paths.processes)) return Verdict::pass();
  return refuse(
      context, vm,
      fmt::format("it got its lock by the hand-over of a live migration, and QEMU, process "
                  "{}, is not started for one (no -incoming)",
                  qemu->pid));
}

Verdict check_job(const HookContext& context, const Vm& vm, const std::optional<Record>& record) {
  if (!shares_by_hand_over(record)) return Verdict::pass();
  auto job = libvirt_job(vm, context.paths.pid_files);
  if (!job) {
    context.host.log_event(events.job_unknown, vm);
    return Verdict::pass();
  }
  if (job->name == "migration in") return Verdict::pass();
  return refuse(context, vm,
                fmt::format("it got its lock by the hand-over of a live migration, and libvirt "
                            "runs another job for it here ('{}'); try again",
                            job->name));
}

}  // namespace hook
