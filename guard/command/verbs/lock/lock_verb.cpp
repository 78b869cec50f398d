#include "guard/command/verbs/lock/lock_verb.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

#include "guard/command/outcome.hpp"

namespace guard::command {
namespace {

constexpr const char* more =
    R"(start-guard lock [-n | -w SEC] [-E STATUS] [--domain D] NAME -- COMMAND...

The lock goes back when COMMAND ends: that process itself, whatever it
has left running. While it runs, signals are passed on to it. Should this host die, another one gets
the lock once the cluster has evicted it. Where start-guard itself is killed the lock stays with
COMMAND.

The domain is joined if need be, and stays joined; the lock is the file /dlm/DOMAIN/NAME, to be
looked at by ls alone.

Exit status: COMMAND's; 128 + N when signal N ended it; 127 when it is not found, 126 when it can't be
run. Of start-guard: 1, or that of -E, when the lock is held elsewhere; 64 called wrongly; 69 the
cluster can't be used; 77 not root; 78 a mistake in the configuration.)";

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

void say(const std::string& what) {
  std::fprintf(stderr, "start-guard: %s\n", what.c_str());
}

int fails(ExitStatus status, const std::string& what) {
  say("lock: " + what);
  return static_cast<int>(status);
}

/// What this program opens must not get the numbers of the standard streams, which the process that
/// keeps the lock replaces. The program that is run finds them closed as they were.
void occupy_standard_streams() {
  int fd = -1;
  do {
    fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) ::close(fd);
}

/// A VM's lock is no one's but its VM's.
bool belongs_to_vms(const dlmfs::DomainName& domain, const conf::Settings& settings) {
  auto of_vms = Domains::named(settings.dlmfs.domain);
  return domain == of_vms.locks || domain == of_vms.bells;
}

}  // namespace

LockVerb::LockVerb(CLI::App& command, int& argc, const char* const* argv)
    : verb_(command.add_subcommand("lock", "Run a command while holding a cluster-wide lock")) {
  bool called = argc > 1 && std::string_view(argv[1]) == verb_->get_name();
  const char* const* end = argv + argc;
  const char* const* mark = called ? std::find(argv, end, std::string_view("--")) : end;
  if (mark != end) {
    program_.assign(mark + 1, end);
    argc = static_cast<int>(mark - argv);
  }
  add_options();
}

void LockVerb::add_options() {
  verb_->footer(more);
  auto* once = verb_->add_flag("-n,--nonblock", once_, "fail at once when the lock is held");
  verb_->add_option("-w,--wait", seconds_, "wait for the lock no longer than SEC seconds")
      ->type_name("SEC")
      ->check(wrong_time)
      ->excludes(once);
  verb_
      ->add_option("-E,--conflict-exit-code", conflict_status_,
                   "the exit status when the lock is held: 1 unless given")
      ->type_name("STATUS")
      ->check(CLI::Range(0, 255));
  verb_->add_option("--domain", domain_, "the DLM domain of the lock: locks unless given")
      ->type_name("D")
      ->check(wrong_domain);
  verb_->add_option("NAME", name_, "the lock")->type_name("")->required()->check(wrong_name);
  // What is said of a forgotten "--" should name it.
  verb_->allow_extras()->final_callback([this] {
    if (program_.empty()) {
      throw CLI::ValidationError("lock", "no COMMAND: it belongs behind the NAME and \"--\"");
    }
    if (verb_->remaining_size() > 0) throw CLI::ExtrasError("lock", verb_->remaining());
  });
}

LockRequest LockVerb::order() const {
  LockRequest order{dlmfs::DomainName::parse(domain_).value(), dlmfs::Name::parse(name_).value()};
  if (seconds_) {
    order.patience =
        std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(*seconds_));
  }
  if (once_) order.patience.emplace(0);
  order.conflict_status = conflict_status_;
  order.command = program_;
  return order;
}

int LockVerb::run() const {
  occupy_standard_streams();
  if (::getuid() != 0) return fails(ExitStatus::no_permission, "only root can take cluster locks");
  const char* other = std::getenv("START_GUARD_CONFIG");  // for tests
  auto settings = conf::load(other != nullptr ? other : conf::default_path);
  if (!settings) return fails(ExitStatus::configuration, settings.error().what);
  LockRequest ordered = order();
  if (belongs_to_vms(ordered.domain, *settings)) {
    return fails(ExitStatus::usage,
                 fmt::format("the domain {} is the VMs': take another one", domain_));
  }
  auto world = real_world(std::move(*settings));
  if (!world) return fails(ExitStatus::failed, world.error().what);
  Ended ended = lock(*world, ordered, say);
  // As it would have without a lock to tidy up: a shell goes by it, to end a loop at ^C.
  if (ended.signal != 0) ::raise(ended.signal);
  return ended.status;
}

}  // namespace guard::command
