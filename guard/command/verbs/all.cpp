#include "guard/command/verbs/all.hpp"

namespace guard::command {

void add_verbs(CommandLine& command_line) {
  for (auto add :
       {add_list, add_holder, add_check, add_metrics, add_reconcile, add_release, add_release_ended,
        add_join_leave, add_name_uuid, add_install_hook, add_remove_hook, add_keep, add_lock}) {
    add(command_line);
  }
}

}  // namespace guard::command
