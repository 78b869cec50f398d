// The operator's command.

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/settings.hpp"
#include "guard/command/lock_verb.hpp"
#include "guard/command/outcome.hpp"
#include "guard/keeper/service.hpp"
#include "guard/log.hpp"

namespace {

using guard::command::ExitStatus;

ExitStatus fail(ExitStatus status, const std::string& what) {
  guard::write_syslog(LOG_ERR, guard::log_line("keeper-failed", {{"error", what}}));
  std::fprintf(stderr, "start-guard: %s\n", what.c_str());
  return status;
}

ExitStatus keep() {
  if (::getuid() != 0) return fail(ExitStatus::failed, "keep must be run by root");
  ::umask(077);
  std::signal(SIGPIPE, SIG_IGN);
  const char* other = std::getenv("START_GUARD_CONFIG");  // for tests
  auto error = guard::keep_locks(other != nullptr ? other : conf::default_path);
  return fail(error.code == EINVAL ? ExitStatus::configuration : ExitStatus::failed, error.what);
}

}  // namespace

int main(int argc, char* argv[]) {
  try {
    CLI::App command("Keeps a libvirt VM from running on two hosts at once", "start-guard");
    command.set_version_flag("--version", START_GUARD_VERSION);
    command.require_subcommand(1);
    auto* keeper = command.add_subcommand("keep", "Keep this host's locks: the service");
    guard::command::LockVerb lock(command, argc, argv);
    try {
      command.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() == 0) return command.exit(error);  // --help, --version
      std::fprintf(stderr, "start-guard: %s\n", error.what());
      return static_cast<int>(ExitStatus::usage);
    }
    if (lock.parsed()) return lock.run();
    return static_cast<int>(keeper->parsed() ? keep() : ExitStatus::failed);
  } catch (const std::exception& bug) {
    auto what = std::string("unexpected error: ") + bug.what();
    return static_cast<int>(fail(ExitStatus::failed, what));
  }
}
