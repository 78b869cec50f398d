#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "guard/command/outcome.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// The command line of start-guard. Each verb has a function `add_…` that adds it with its
/// arguments (verbs/all.hpp). The arguments' variables must outlive the parsing, so a verb keeps
/// them in a shared_ptr that its callback owns.
class CommandLine {
 public:
  using Run = std::function<int()>;  ///< returns the exit status
  using ContextVerb = std::function<Outcome(const VerbContext&)>;

  /// The time limit of a verb that waits for other hosts.
  static constexpr std::chrono::seconds default_limit{10};

  CommandLine(int argc, char* argv[]);

  /// Adds a verb. `run` is called after all arguments were parsed.
  CLI::App* add(const std::string& name, const std::string& help, Run run);

  /// Adds a verb that needs root and the context of `run_in_context`.
  CLI::App* add_with_context(const std::string& name, const std::string& help, ContextVerb run,
                             std::chrono::milliseconds limit = default_limit);

  /// Calls `cut_command` for the arguments of this command line.
  [[nodiscard]] std::vector<std::string> cut_command(std::string_view verb);

  /// Parses the arguments and runs the verb. Returns the exit status.
  [[nodiscard]] int run();

 private:
  int argc_;
  char** argv_;
  CLI::App app_;
  Run chosen_;
};

/// Returns the arguments after the first "--" and removes them, and the "--", from the command
/// line, if this verb is called; otherwise returns nothing. They are the command line of another
/// program, which CLI11 must not parse.
[[nodiscard]] std::vector<std::string> cut_command(int& argc, const char* const* argv,
                                                   std::string_view verb);

/// Prints what the verb returned: results to standard output, diagnostics to standard error.
/// Returns the exit status; `failed` if the output can't be written.
[[nodiscard]] int print(const Outcome& outcome);

/// Runs a verb in a child process, and abandons it after `limit`: its calls into dlmfs may sleep
/// uninterruptibly. Fails unless this process is root and the configuration is valid.
[[nodiscard]] Outcome run_in_context(const CommandLine::ContextVerb& verb,
                                     std::chrono::milliseconds limit = CommandLine::default_limit);

/// Adds every verb.
void add_verbs(CommandLine& command_line);

/// Parses the arguments and runs the verb. Returns the exit status of the process.
[[nodiscard]] int run(int argc, char* argv[]);

}  // namespace guard::command
