#pragma once

#include "guard/command/command_line.hpp"

namespace guard::command {

// Each function adds a verb with its arguments to the command line. all.cpp calls them in the order
// in which `start-guard --help` lists the verbs.
void add_list(CommandLine& command_line);
void add_holder(CommandLine& command_line);
void add_check(CommandLine& command_line);
void add_metrics(CommandLine& command_line);
void add_reconcile(CommandLine& command_line);
void add_release(CommandLine& command_line);
void add_release_ended(CommandLine& command_line);
void add_join_leave(CommandLine& command_line);
void add_name_uuid(CommandLine& command_line);  ///< the verbs `name` and `uuid`
void add_install_hook(CommandLine& command_line);
void add_remove_hook(CommandLine& command_line);
void add_keep(CommandLine& command_line);
void add_lock(CommandLine& command_line);

}  // namespace guard::command
