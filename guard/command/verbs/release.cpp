#include "guard/command/verbs/release.hpp"

#include "conf/escape.hpp"
#include "guard/command/ask_operator.hpp"
#include "guard/command/resolve_vm.hpp"
#include "guard/command/verbs/all.hpp"
#include "guard/lock/unlock.hpp"
#include "guard/state/operation_flock.hpp"

namespace guard::command {
namespace {

/// Returns why the lock must not be unlocked without force, or "" if it may be.
std::string objection(const VerbContext& context, const Vm& vm) {
  if (vm.driver != "qemu") {
    return fmt::format("it is {}'s VM, and nothing here can tell whether it runs", vm.driver);
  }
  auto state = context.libvirt.state_of(vm.uuid);
  if (!state) return fmt::format("libvirt did not say whether it runs: {}", state.error().what);
  return state->active ? "libvirt reports that it runs here" : "";
}

Outcome refused(const Vm& vm, const std::string& why) {
  return failure(ExitStatus::failed, fmt::format("the lock of VM '{}' stays: {}",
                                                 conf::escape(vm.name, conf::any_length), why));
}

Outcome refused_for(const Vm& vm, const LastRun& last_run) {
  switch (last_run.kind) {
    case LastRun::Kind::qemu_alive:
      return refused(
          vm, fmt::format("its QEMU is alive, process {0} (see `ps -fp {0}`), and can write to "
                          "its disks; --force does not override this",
                          last_run.qemu.pid));
    case LastRun::Kind::qemu_unknown:
      return refused(
          vm, fmt::format("this host can't tell whether its QEMU is alive: {}", last_run.why));
    case LastRun::Kind::io_in_flight:
      break;
  }
  return refused(vm, last_run.why + "; --force does not override this");
}

Outcome outcome_of(const VerbContext& context, const Vm& vm, const UnlockResult& result) {
  switch (result.kind) {
    case UnlockResult::Kind::unlocked:
      context.base.host.log_event(events.unlocked_later, vm, {{"by", "operator"}});
      return {0, "",
              fmt::format("the lock of VM '{}' is unlocked\n",
                          conf::escape(vm.name, conf::any_length))};
    case UnlockResult::Kind::last_run:
      return refused_for(vm, *result.last_run);
    case UnlockResult::Kind::cluster_down:
      return failure(ExitStatus::unavailable, result.why);
    case UnlockResult::Kind::file_in_use:
    case UnlockResult::Kind::failed:
    case UnlockResult::Kind::no_answer:
      break;
  }
  return refused(vm, result.why);
}

/// Unlocks unless a QEMU of the VM is found. The record's process may have exited, and a libvirt
/// daemon that was killed may have started another one without a record of it.
UnlockResult unlock_unless_alive(const VerbContext& context, const Vm& vm,
                                 const std::optional<Record>& record) {
  if (auto last_run = last_run_of(find_qemu(vm.uuid, context.base.paths.processes))) {
    return {.kind = UnlockResult::Kind::last_run, .last_run = last_run};
  }
  return Unlock(context.base, context.keeper, vm, record).unlock();
}

}  // namespace

std::string force_risk(const std::string& vm) {
  return fmt::format(
      "If '{}' runs on this host, though no QEMU of it was found, another host may start it a "
      "moment "
      "later, and both will write to its disks.",
      vm);
}

Outcome release_lock(const VerbContext& context, const std::string& text, bool force) {
  auto vm = resolve_vm(context, text);
  if (!vm) return vm.error();
  const Context& base = context.base;
  auto mount = base.cluster.open_any_mount();
  if (!mount) return failure(ExitStatus::unavailable, mount.error().what);
  auto record = base.host.load_record(*vm);
  auto there = (*mount)->exists(base.cluster.domains(record).locks, dlmfs::LockName(vm->uuid));
  if (there && !*there && !record) return refused(*vm, "this host does not hold it");
  // Fail while a hook works on the VM. An operation of the keeper is short: wait for it.
  constexpr std::chrono::milliseconds patience{2000};
  OperationFlock flock(base.host, vm->uuid, "start-guard release", Deadline(patience));
  if (!flock) return refused(*vm, flock.error().what);
  record = base.host.load_record(*vm);
  std::string why = force ? "" : objection(context, *vm);
  if (!why.empty()) return refused(*vm, why + " (--force unlocks it anyway)");
  return outcome_of(context, *vm, unlock_unless_alive(context, *vm, record));
}

void add_release(CommandLine& command_line) {
  struct Options {
    std::string vm;
    bool force = false, yes = false;
  };
  auto options = std::make_shared<Options>();
  auto* verb =
      command_line.add("release", "Unlock a lock that is left over on this host", [options] {
        if (options->force && !options->yes) {
          auto refused_by_operator = ask_operator(
              {force_risk(options->vm), "--force --yes", "Unlock it?", "the lock stays"});
          if (refused_by_operator) return print(*refused_by_operator);
        }
        return print(run_in_context([options](const VerbContext& context) {
          return release_lock(context, options->vm, options->force);
        }));
      });
  add_vm_argument(*verb, options->vm);
  verb->add_flag(
      "--force", options->force,
      "even if libvirt reports that it runs, or does not answer; never while a QEMU of it is "
      "alive here");
  verb->add_flag("--yes", options->yes, "do not ask");
}

}  // namespace guard::command
