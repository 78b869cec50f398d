#include <charconv>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

#include "guard/command/verbs/all.hpp"
#include "guard/command/verbs/lock/lock.hpp"

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

/// Adds an argument whose text `parse` converts. `wrong`: how the error for other texts continues.
template <typename Value, typename Into>
CLI::Option* add_parsed(CLI::App& verb, const std::string& names, Into& into,
                        std::optional<Value> (*parse)(std::string_view), const std::string& wrong,
                        const std::string& explanation) {
  auto set = [&into, parse](const std::string& text) { into = parse(text).value(); };
  return verb.add_option_function<std::string>(names, set, explanation)
      ->check([parse, wrong](const std::string& text) {
        return parse(text) ? std::string() : fmt::format("'{}' is no {}", text, wrong);
      });
}

std::optional<std::chrono::milliseconds> parse_seconds(std::string_view text) {
  constexpr double most = 1e9;
  double seconds = -1;
  const char* last = text.data() + text.size();
  auto [end, error] = std::from_chars(text.data(), last, seconds);
  bool fits = seconds >= 0 && seconds <= most;  // false for NaN
  if (error != std::errc() || end != last || !fits) return std::nullopt;
  return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(seconds));
}

void print_line(const std::string& what) {
  std::fprintf(stderr, "start-guard: %s\n", what.c_str());
}

int lock_fails(ExitStatus status, const std::string& what) {
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
  if (::getuid() != 0)
    return lock_fails(ExitStatus::no_permission, "only root can take cluster locks");
  auto settings = conf::load(conf::path());
  if (!settings) return lock_fails(ExitStatus::configuration, settings.error().what);
  if (belongs_to_vms(request.domain, *settings)) {
    return lock_fails(ExitStatus::usage, fmt::format("the domain {} is the VMs': take another one",
                                                     request.domain.text()));
  }
  auto context = open_context(std::move(*settings));
  if (!context) return lock_fails(ExitStatus::failed, context.error().what);
  Ended ended = run_locked(*context, request, print_line);
  // Exit by the signal itself: a shell checks that, to end a loop at ^C.
  if (ended.signal != 0) ::raise(ended.signal);
  return ended.status;
}

}  // namespace

void add_arguments(CLI::App& verb, LockRequest& request) {
  verb.footer(lock_help);
  auto* nonblock = verb.add_flag_callback(
      "-n,--nonblock", [&request] { request.patience.emplace(0); },
      "fail at once when the lock is held");
  add_parsed(verb, "-w,--wait", request.patience, parse_seconds, "time in seconds",
             "wait for the lock no longer than SEC seconds")
      ->type_name("SEC")
      ->excludes(nonblock);
  verb.add_option("-E,--conflict-exit-code", request.conflict_status,
                  "the exit status when the lock is held: 1 unless given")
      ->type_name("STATUS")
      ->check(CLI::Range(0, 255));
  add_parsed(verb, "--domain", request.domain, dlmfs::DomainName::parse,
             fmt::format("domain's name: 1 to {} bytes, without '/', not beginning with '.'",
                         dlmfs::DomainName::max_length),
             "the DLM domain of the lock: locks unless given")
      ->type_name("D");
  add_parsed(verb, "NAME", request.name, dlmfs::Name::parse,
             fmt::format("lock's name: 1 to {} printable ASCII characters, without spaces and '/', "
                         "not beginning with '$'",
                         dlmfs::Name::max_length),
             "the lock")
      ->type_name("")
      ->required();
  // The error message for a missing "--" should name it.
  verb.allow_extras()->final_callback([&request, &verb] {
    if (request.command.empty()) {
      throw CLI::ValidationError("lock", "no COMMAND: it belongs behind the NAME and \"--\"");
    }
    if (verb.remaining_size() > 0) throw CLI::ExtrasError("lock", verb.remaining());
  });
}

void add_lock(CommandLine& command_line) {
  auto request = std::make_shared<LockRequest>();
  request->command = command_line.cut_command("lock");
  auto* verb = command_line.add("lock", "Run a command while holding a cluster-wide lock",
                                [request] { return run(*request); });
  add_arguments(*verb, *request);
}

}  // namespace guard::command
