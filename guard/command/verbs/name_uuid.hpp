#pragma once

namespace guard::command {

class CommandLine;

/// Adds the verbs `name` and `uuid`, which convert between a VM's UUID and its lock's name.
void add_name_uuid(CommandLine& command_line);

}  // namespace guard::command
