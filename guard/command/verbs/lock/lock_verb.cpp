#include "guard/command/verbs/lock/lock_verb.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

#include "guard/command/command_line.hpp"

namespace guard::command {
namespace {

constexpr const char* lock_help =
    R"(start-guard lock [-n | -w SEC] [-E STATUS] [--domain D] NAME -- COMMAND...

The lock is unlocked when COMMAND's own process ends, whatever it leaves running. Signals are passed
on to COMMAND. If this host dies, another one gets the lock once the cluster has evicted this one. If
start-guard itself is killed, the lock is held until COMMAND ends.

The DLM domain is joined if necessary, and stays joined. The lock is the file /dlm/DOMAIN/NAME; only
list it with ls.

Exit status: that of COMMAND; 128 + N if signal N ended it; 127 if it is not found; 126 if it can't be
run. Of start-guard: 1, or that of -E, if the lock is held elsewhere; 64 if the arguments are wrong; 69
if the cluster can't be used; 77 if not root; 78 for a mistake in the configuration.)";

constexpr double most_seconds = 1e9;

std::string wrong_name(const std::string& text) {
  if (dlmfs::Name::parse(text)) return {};
  return fmt::format(
      "'{}' is no lock's name: 1 to {} printable ASCII characters, without spaces and '/', not "
      "beginning with '$'",
      text, dlmfs::Name::max_length);
}

std::string wrong_domain(const std::string& text) {
  if (dlmfs::DomainName::parse(text)) return {};
  return fmt::format("'{}' is no domain's name: 1 to {} bytes, without '/', not beginning with '.'",
                     text, dlmfs::DomainName::max_length);
}

std::string wrong_time(const std::string& text) {
  char* end = nullptr;
  double seconds = std::strtod(text.c_str(), &end);
  bool whole = end != text.c_str() && *end == '\0';
  if (whole && seconds >= 0 && seconds <= most_seconds) return {};
  return fmt::format("'{}' is no time in seconds", text);
}

void print_line(const std::string& what) {
  std::fprintf(stderr, "start-guard: %s\n", what.c_str());
}

int fails(ExitStatus status, const std::string& what) {
  print_line("lock: " + what);
  return static_cast<int>(status);
}

/// Opens /dev/null for each closed standard stream, so that no descriptor of this program gets its
/// number: the holder process redirects these numbers. The command finds the streams closed as
/// before.
void occupy_standard_streams() {
  int fd = -1;
  do {
    fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) ::close(fd);
}

/// Returns true if the domain is that of the locks or bells of the VMs, which only the hook and the
/// service may use.
bool belongs_to_vms(const dlmfs::DomainName& domain, const conf::Settings& settings) {
  auto of_vms = Domains::named(settings.dlmfs.domain);
  return domain == of_vms.locks || domain == of_vms.bells;
}

int run(const LockRequest& request) {
  occupy_standard_streams();
  if (::getuid() != 0) return fails(ExitStatus::no_permission, "only root can take cluster locks");
  auto settings = conf::load(conf::path());
  if (!settings) return fails(ExitStatus::configuration, settings.error().what);
  if (belongs_to_vms(request.domain, *settings)) {
    return fails(ExitStatus::usage,
                 fmt::format("the domain {} is the VMs': take another one", request.domain.text()));
  }
  auto context = open_context(std::move(*settings));
  if (!context) return fails(ExitStatus::failed, context.error().what);
  Ended ended = lock(*context, request, print_line);
  // Exit by the signal itself: a shell checks that, to end a loop at ^C.
  if (ended.signal != 0) ::raise(ended.signal);
  return ended.status;
}

}  // namespace

void LockArguments::add_to(CLI::App& verb) {
  verb.footer(lock_help);
  auto* nonblock = verb.add_flag("-n,--nonblock", once, "fail at once when the lock is held");
  verb.add_option("-w,--wait", seconds, "wait for the lock no longer than SEC seconds")
      ->type_name("SEC")
      ->check(wrong_time)
      ->excludes(nonblock);
  verb.add_option("-E,--conflict-exit-code", conflict_status,
                  "the exit status when the lock is held: 1 unless given")
      ->type_name("STATUS")
      ->check(CLI::Range(0, 255));
  verb.add_option("--domain", domain, "the DLM domain of the lock: locks unless given")
      ->type_name("D")
      ->check(wrong_domain);
  verb.add_option("NAME", name, "the lock")->type_name("")->required()->check(wrong_name);
  // The error message for a missing "--" should name it.
  verb.allow_extras()->final_callback([this, &verb] {
    if (command.empty()) {
      throw CLI::ValidationError("lock", "no COMMAND: it belongs behind the NAME and \"--\"");
    }
    if (verb.remaining_size() > 0) throw CLI::ExtrasError("lock", verb.remaining());
  });
}

LockRequest LockArguments::request() const {
  LockRequest request{dlmfs::DomainName::parse(domain).value(), dlmfs::Name::parse(name).value()};
  if (seconds) {
    request.patience =
        std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(*seconds));
  }
  if (once) request.patience.emplace(0);
  request.conflict_status = conflict_status;
  request.command = command;
  return request;
}

void add_lock(CommandLine& command_line) {
  auto arguments = std::make_shared<LockArguments>();
  arguments->command = command_line.cut_command("lock");
  auto* verb = command_line.add("lock", "Run a command while holding a cluster-wide lock",
                                [arguments] { return run(arguments->request()); });
  arguments->add_to(*verb);
}

}  // namespace guard::command
