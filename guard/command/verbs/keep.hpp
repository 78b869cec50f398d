#pragma once

namespace guard::command {

class CommandLine;

/// Adds the verb `keep`, which runs the service until SIGTERM or SIGINT.
void add_keep(CommandLine& command_line);

}  // namespace guard::command
