#include "guard/command/verbs/remove_hook.hpp"

#include <algorithm>
#include <unistd.h>

#include "guard/command/ask_operator.hpp"
#include "guard/command/checks/hook_files.hpp"
#include "guard/command/verb_context.hpp"
#include "guard/command/verbs/all.hpp"
#include "guard/lock/last_run.hpp"
#include "guard/state/hook_seen.hpp"

namespace guard::command {
namespace {

/// Returns whether the VM may still run. For VMs of other drivers than QEMU this program cannot
/// tell.
bool may_run(const Record& record) {
  return record.vm.driver != "qemu" || living_qemu(record.vm, record).liveness != Liveness::dead;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names)
    text += (text.empty() ? "" : ", ") + display_name(name);
  return text;
}

}  // namespace

bool hook_is_there(const HookSetUp& set_up) {
  return std::any_of(hook_drivers.begin(), hook_drivers.end(), [&](const char* driver) {
    return guards_hook(hook_files(set_up.paths, driver)).has_value();
  });
}

std::vector<std::string> guarded_vms(const HookSetUp& set_up) {
  std::vector<std::string> names;
  auto state = StateDirectory::open(set_up.state);
  if (!state) return names;
  Records records(*state);
  for (const dlmfs::Uuid& uuid : records.list().value_or(std::vector<dlmfs::Uuid>())) {
    auto record = records.find(uuid);
    if (!record) {
      names.push_back(uuid.text());  // an unreadable record counts as a VM that runs
    } else if (*record && may_run(**record)) {
      names.push_back((*record)->vm.name);
    }
  }
  return names;
}

std::string removal_risk(const std::vector<std::string>& vms) {
  return fmt::format(
      "VMs run here under guard: {}. Without the hook nothing keeps a VM from starting twice, and "
      "their locks are not unlocked when they end: shut them down or migrate them first.",
      joined(vms));
}

Outcome remove_hook(const HookSetUp& set_up) {
  std::string said;
  for (const char* driver : hook_drivers) {
    for (const HookFile& file : hook_files(set_up.paths, driver)) {
      if (file.build.empty()) continue;
      if (::unlink(file.path.c_str()) != 0) {
        return failure(ExitStatus::failed, system_error("removing " + file.path.string()).what);
      }
      said += fmt::format("removed {}\n", file.path.string());
    }
  }
  // After its next reload a daemon no longer runs the hook, even if the hook is installed again.
  if (auto state = StateDirectory::open(set_up.state)) {
    for (const char* mark : {hook_called_file, hook_reloaded_file})
      std::ignore = state->remove(mark);
  }
  if (said.empty()) return {0, "", "there is no hook of start-guard's\n"};
  return {0, "", said + "from now on nothing keeps a VM from starting twice on this host\n"};
}

void add_remove_hook(CommandLine& command_line) {
  auto yes = std::make_shared<bool>(false);
  command_line
      .add("remove-hook", "Remove the hook: VMs are no longer guarded",
           [yes] {
             if (::getuid() != 0) {
               return print(failure(ExitStatus::no_permission, "must be run by root"));
             }
             HookSetUp set_up = hook_set_up_of_this_host();
             auto vms = guarded_vms(set_up);
             if (!vms.empty() && !*yes && hook_is_there(set_up)) {
               auto refused = ask_operator({removal_risk(vms), "start-guard remove-hook --yes",
                                            "Remove the hook?", "the hook stays"});
               if (refused) return print(*refused);
             }
             return print(remove_hook(set_up));
           })
      ->add_flag("--yes", *yes, "do not ask, even if VMs run here");
}

}  // namespace guard::command
