#include <csignal>
#include <sys/stat.h>
#include <unistd.h>

#include "guard/command/verbs/all.hpp"
#include "guard/keeper/service.hpp"
#include "guard/log/system_log.hpp"

namespace guard::command {
namespace {

int log_failure(ExitStatus status, const std::string& what) {
  SystemLog log(conf::Paths{}.state);
  log(events.keeper_failed.priority, log_line(events.keeper_failed, {{"error", what}}));
  return print(failure(status, what));
}

int keep() {
  if (::getuid() != 0) return log_failure(ExitStatus::failed, "keep must be run by root");
  ::umask(077);
  std::signal(SIGPIPE, SIG_IGN);
  auto settings = conf::load(conf::path());
  if (!settings) return log_failure(ExitStatus::configuration, settings.error().what);
  return log_failure(ExitStatus::failed, keep_locks(conf::path(), std::move(*settings)).what);
}

}  // namespace

void add_keep(CommandLine& command_line) {
  command_line.add("keep", "Run the service that keeps this host's locks open", keep);
}

}  // namespace guard::command
