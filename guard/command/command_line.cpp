#include "guard/command/command_line.hpp"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

#include "guard/build.hpp"
#include "guard/command/output/terminal.hpp"
#include "guard/command/run_in_child.hpp"
#include "guard/keeper/libvirt.hpp"

namespace guard::command {

CommandLine::CommandLine(int argc, char* argv[])
    : argc_(argc),
      argv_(argv),
      app_("Keeps a libvirt VM from running on two hosts at once", "start-guard") {
  app_.set_version_flag("--version",
                        fmt::format("{} (build {})", START_GUARD_VERSION, this_build()));
  app_.require_subcommand(1);
  app_.get_formatter()->column_width(28);
  std::string statuses = "Exit status:";
  for (const auto& [status, meaning] : all_exit_statuses)
    statuses += fmt::format("\n  {:<3} {}", static_cast<int>(status), meaning);
  app_.footer(statuses);
}

CLI::App* CommandLine::add(const std::string& name, const std::string& help, Run run) {
  CLI::App* verb = app_.add_subcommand(name, help);
  // Set on the parsed verb, so that it runs after the callbacks that check the arguments.
  verb->parse_complete_callback([this, run = std::move(run)] { chosen_ = run; });
  return verb;
}

CLI::App* CommandLine::add_with_context(const std::string& name, const std::string& help,
                                        ContextVerb run, std::chrono::milliseconds limit) {
  return add(name, help,
             [run = std::move(run), limit] { return print(run_in_context(run, limit)); });
}

std::vector<std::string> CommandLine::cut_command(std::string_view verb) {
  return command::cut_command(argc_, argv_, verb);
}

int CommandLine::run() {
  try {
    app_.parse(argc_, argv_);
  } catch (const CLI::ParseError& wrong) {
    if (wrong.get_exit_code() == 0) return app_.exit(wrong);  // --help, --version
    return print(failure(ExitStatus::usage, wrong.what()));
  }
  return chosen_();
}

std::vector<std::string> cut_command(int& argc, const char* const* argv, std::string_view verb) {
  if (argc < 2 || argv[1] != verb) return {};
  const char* const* end = argv + argc;
  const char* const* dashes = std::find(argv, end, std::string_view("--"));
  if (dashes == end) return {};
  argc = static_cast<int>(dashes - argv);
  return {dashes + 1, end};
}

int print(const Outcome& outcome) {
  std::fputs(outcome.err.c_str(), stderr);
  bool written =
      std::fwrite(outcome.out.data(), 1, outcome.out.size(), stdout) == outcome.out.size() &&
      std::fflush(stdout) == 0;
  if (!written) std::perror("start-guard: writing");
  return written ? outcome.status : static_cast<int>(ExitStatus::failed);
}

Outcome run_in_context(const CommandLine::ContextVerb& verb, std::chrono::milliseconds limit) {
  if (::getuid() != 0) return failure(ExitStatus::no_permission, "must be run by root");
  auto settings = conf::load(conf::path());
  if (!settings) return failure(ExitStatus::configuration, settings.error().what);
  Terminal terminal = terminal_of(STDOUT_FILENO);  // the child's standard output is /dev/null
  auto outcome = run_in_child(limit, [&]() -> Outcome {
    auto base = open_context(*settings);
    if (!base) return failure(ExitStatus::failed, base.error().what);
    SocketKeeperClient keeper(settings->paths.state);
    ForkingCallRunner runner;
    Libvirt libvirt(settings->keeper.libvirt_uri);
    return verb({*base, keeper, runner, libvirt, Deadline(limit - std::chrono::seconds(1)),
                 terminal, progress_line()});
  });
  if (!outcome) return failure(ExitStatus::failed, outcome.error().what);
  std::optional<Outcome> in_time = *std::move(outcome);
  if (in_time) return *in_time;
  return failure(ExitStatus::unavailable,
                 fmt::format("no answer within {} s, from the cluster or from libvirt; this can "
                             "take two minutes after a host has died: try again then",
                             limit.count() / 1000));
}

int run(int argc, char* argv[]) {
  try {
    CommandLine command_line(argc, argv);
    add_verbs(command_line);
    return command_line.run();
  } catch (const std::exception& bug) {
    return print(failure(ExitStatus::failed, std::string("unexpected error: ") + bug.what()));
  }
}

}  // namespace guard::command
