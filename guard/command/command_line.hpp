#pragma once

namespace guard::command {

/// The whole of `start-guard`: reads its arguments, runs the verb, prints, and returns the exit
/// status.
[[nodiscard]] int run(int argc, char* argv[]);

}  // namespace guard::command
