#include <array>

#include "guard/command/command_line.hpp"
#include "guard/command/verbs/check.hpp"
#include "guard/command/verbs/holder.hpp"
#include "guard/command/verbs/install_hook.hpp"
#include "guard/command/verbs/join_leave.hpp"
#include "guard/command/verbs/keep.hpp"
#include "guard/command/verbs/list.hpp"
#include "guard/command/verbs/lock/lock_verb.hpp"
#include "guard/command/verbs/metrics.hpp"
#include "guard/command/verbs/name_uuid.hpp"
#include "guard/command/verbs/reconcile.hpp"
#include "guard/command/verbs/release.hpp"
#include "guard/command/verbs/remove_hook.hpp"

namespace guard::command {
namespace {

/// In the order in which `start-guard --help` lists them.
constexpr std::array all_verbs = {add_list,         add_holder,      add_check,      add_metrics,
                                  add_reconcile,    add_release,     add_join_leave, add_name_uuid,
                                  add_install_hook, add_remove_hook, add_keep,       add_lock};

}  // namespace

void add_verbs(CommandLine& command_line) {
  for (auto add : all_verbs)
    add(command_line);
}

}  // namespace guard::command
