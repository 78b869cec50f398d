#include "guard/command/command_line.hpp"

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard/build.hpp"
#include "guard/command/outcome.hpp"
#include "guard/command/run_in_child.hpp"
#include "guard/command/verbs/check.hpp"
#include "guard/command/verbs/holder.hpp"
#include "guard/command/verbs/install_hook.hpp"
#include "guard/command/verbs/join_leave.hpp"
#include "guard/command/verbs/list.hpp"
#include "guard/command/verbs/lock/lock_verb.hpp"
#include "guard/command/verbs/metrics.hpp"
#include "guard/command/verbs/reconcile.hpp"
#include "guard/command/verbs/release.hpp"
#include "guard/command/verbs/remove_hook.hpp"
#include "guard/keeper/libvirt.hpp"
#include "guard/keeper/service.hpp"
#include "guard/log/system_log.hpp"

namespace guard::command {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// For whoever waits for an answer that depends on other hosts.
constexpr seconds patience{10};
/// To join takes the kernel this long to find out that a host is not connected.
constexpr seconds joins_patience{75};

int exit_with(const Outcome& outcome) {
  std::fputs(outcome.err.c_str(), stderr);
  bool written =
      std::fwrite(outcome.out.data(), 1, outcome.out.size(), stdout) == outcome.out.size() &&
      std::fflush(stdout) == 0;
  if (!written) std::perror("start-guard: writing");
  return written ? outcome.status : static_cast<int>(ExitStatus::failed);
}

Terminal terminal_of(int fd) {
  winsize size{};
  if (::isatty(fd) == 0) return {};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0) size.ws_col = 0;
  const char* no_colour = std::getenv("NO_COLOR");  // https://no-color.org
  const char* terminal = std::getenv("TERM");
  bool dumb = terminal != nullptr && std::string_view(terminal) == "dumb";
  return {size.ws_col, (no_colour == nullptr || *no_colour == '\0') && !dumb};
}

const char* configuration_path() {
  const char* other = std::getenv("START_GUARD_CONFIG");  // for tests
  return other != nullptr ? other : conf::default_path;
}

/// Once a second has passed, a line on a terminal that is written over and over.
std::function<void(std::size_t, std::size_t)> progress_line() {
  if (::isatty(STDERR_FILENO) == 0) return [](auto, auto) {};
  auto began = std::chrono::steady_clock::now();
  return [began, shown = false](std::size_t done, std::size_t of) mutable {
    if (std::chrono::steady_clock::now() - began < seconds(1)) return;
    if (done < of) {
      std::fprintf(stderr, "\rqueried %zu of %zu VMs", done, of);
      shown = true;
    } else if (shown) {
      std::fputs("\r\x1b[K", stderr);
    }
  };
}

using Verb = std::function<Outcome(const VerbContext&)>;

/// Root's verbs: on the real world, beside which they may be left.
Outcome in_context(const Verb& verb, milliseconds limit) {
  if (::getuid() != 0) return failure(ExitStatus::no_permission, "must be run by root");
  auto settings = conf::load(configuration_path());
  if (!settings) return failure(ExitStatus::configuration, settings.error().what);
  Terminal terminal = terminal_of(STDOUT_FILENO);  // which is not the child's
  auto outcome = run_in_child(limit, [&]() -> Outcome {
    auto world = real_world(*settings);
    if (!world) return failure(ExitStatus::failed, world.error().what);
    world->deadline = Deadline(limit - seconds(1));
    Libvirt libvirt(world->settings.keeper.libvirt_uri);
    return verb({*world, libvirt, terminal, progress_line()});
  });
  if (outcome) return *outcome;
  return failure(ExitStatus::unavailable,
                 fmt::format("no answer within {} s, from the cluster or from libvirt; this can "
                             "take two minutes after a host has died: try again then",
                             limit.count() / 1000));
}

int keep() {
  auto failed = [](ExitStatus status, const std::string& what) {
    SystemLog log(conf::Paths{}.state);
    log(events::keeper_failed.priority, log_line(events::keeper_failed, {{"error", what}}));
    return exit_with(failure(status, what));
  };
  if (::getuid() != 0) return failed(ExitStatus::failed, "keep must be run by root");
  ::umask(077);
  std::signal(SIGPIPE, SIG_IGN);
  auto error = keep_locks(configuration_path());
  return failed(error.code == EINVAL ? ExitStatus::configuration : ExitStatus::failed, error.what);
}

Outcome name_of(const std::string& text) {
  auto uuid = dlmfs::Uuid::parse(text);
  if (!uuid) return failure(ExitStatus::usage, fmt::format("'{}' is no UUID in lower case", text));
  return {0, dlmfs::LockName(*uuid).text() + "\n", ""};
}

Outcome uuid_of(const std::string& text) {
  auto name = dlmfs::LockName::parse(text);
  if (!name) return failure(ExitStatus::usage, fmt::format("'{}' is no VM's lock", text));
  return {0, name->uuid().text() + "\n", ""};
}

/// What is done only by somebody who has been told the risk.
struct Risky {
  std::string risk;
  const char* otherwise;  ///< how to do it where nobody can be asked
  const char* question;
  const char* undone;
};

/// Nothing: go on.
std::optional<Outcome> ask(const Risky& risky) {
  if (::isatty(STDIN_FILENO) == 0) {
    return failure(ExitStatus::failed,
                   fmt::format("{} To do it all the same: {}", risky.risk, risky.otherwise));
  }
  std::fprintf(stderr, "%s\n%s [y/N] ", risky.risk.c_str(), risky.question);
  int answer = std::getchar();
  if (answer == 'y' || answer == 'Y') return std::nullopt;
  return failure(ExitStatus::failed, risky.undone);
}

Outcome place_hook(HookSetUp set_up, const std::string& copy) {
  if (::getuid() != 0) return failure(ExitStatus::no_permission, "must be run by root");
  if (!copy.empty()) set_up.copy = copy;
  return install_hook(set_up);
}

Outcome take_hook_away(const HookSetUp& set_up, bool yes) {
  if (::getuid() != 0) return failure(ExitStatus::no_permission, "must be run by root");
  auto vms = guarded_vms(set_up);
  if (!vms.empty() && !yes && hook_is_there(set_up)) {
    auto stop = ask(
        {removal_risk(vms), "start-guard remove-hook --yes", "Remove the hook?", "the hook stays"});
    if (stop) return *stop;
  }
  return remove_hook(set_up);
}

/// Not for want of a sound configuration does the hook stay away.
HookSetUp this_host() {
  HookSetUp set_up;
  if (auto settings = conf::load(configuration_path())) set_up.state = settings->paths.state;
  return set_up;
}

/// A verb that runs when its arguments have been read.
class CommandLine {
 public:
  CommandLine(int argc, char* argv[])
      : argc_(argc),
        argv_(argv),
        app_("Keeps a libvirt VM from running on two hosts at once", "start-guard") {
    app_.set_version_flag("--version",
                          fmt::format("{} (build {})", START_GUARD_VERSION, this_build()));
    app_.require_subcommand(1);
    app_.get_formatter()->column_width(28);
    add_seeing();
    add_mending();
    add_names();
    add_hook();
    verb("keep", "Run the service that keeps this host's locks open", [] { return keep(); });
  }

  int run() {
    LockVerb lock(app_, argc_, argv_);
    try {
      app_.parse(argc_, argv_);
    } catch (const CLI::ParseError& wrong) {
      if (wrong.get_exit_code() == 0) return app_.exit(wrong);  // --help, --version
      return exit_with(failure(ExitStatus::usage, wrong.what()));
    }
    return lock.parsed() ? lock.run() : chosen_();
  }

 private:
  CLI::App* verb(const std::string& name, const std::string& help, std::function<int()> run) {
    CLI::App* added = app_.add_subcommand(name, help);
    added->callback([this, run = std::move(run)] { chosen_ = run; });
    return added;
  }

  CLI::App* desk_verb(const std::string& name, const std::string& help, const Verb& run,
                      milliseconds limit = patience) {
    return verb(name, help, [run, limit] { return exit_with(in_context(run, limit)); });
  }

  void add_vm(CLI::App* verb) {
    verb->add_option("VM", vm_, "its name, its UUID, or its lock's name")->required();
  }

  void add_seeing() {
    auto* listing = desk_verb("list", "List this host's locks and their anomalies",
                              [this](const VerbContext& context) { return list(context, list_); });
    listing->add_flag("--json", list_.json, "for programs");
    listing->add_flag("--cluster", list_.cluster, "the VMs other hosts hold, too");
    auto* holding =
        desk_verb("holder", "Show which host holds a VM's lock, and since when",
                  [this](const VerbContext& context) { return holder(context, vm_, json_); });
    add_vm(holding);
    holding->add_flag("--json", json_, "for programs");
    auto* checking =
        verb("check", "Check whether this host is safe, and say how to fix what is not", [this] {
          return exit_with(check({configuration_path(), terminal_of(STDOUT_FILENO), json_}));
        });
    checking->add_flag("--json", json_, "for programs");
    desk_verb("metrics", "Print metrics for Prometheus", metrics);
  }

  void add_mending() {
    auto* reconciling =
        desk_verb("reconcile", "Compare locks with VMs now, and correct what differs",
                  [this](const VerbContext& context) { return reconcile(context, dry_run_); });
    reconciling->add_flag("--dry-run", dry_run_, "only say what would be done");
    auto* releasing = verb("release", "Unlock a lock that is left over on this host", [this] {
      if (force_ && !yes_) {
        auto stop = ask({force_risk(vm_), "--force --yes", "Unlock it?", "the lock stays"});
        if (stop) return exit_with(*stop);
      }
      return exit_with(in_context(
          [this](const VerbContext& context) { return release_lock(context, vm_, force_); },
          patience));
    });
    add_vm(releasing);
    releasing->add_flag("--force", force_,
                        "though libvirt says that it runs, or says nothing; never while a QEMU of "
                        "it lives here");
    releasing->add_flag("--yes", yes_, "do not ask");
    desk_verb("join", "Join the DLM domains of the locks", join, joins_patience);
    desk_verb("leave", "Leave these DLM domains; fails while locks are held", leave);
  }

  void add_names() {
    auto* naming =
        verb("name", "The name of a VM's lock", [this] { return exit_with(name_of(vm_)); });
    naming->add_option("UUID", vm_, "the VM's")->required();
    auto* back =
        verb("uuid", "The UUID of a lock's VM", [this] { return exit_with(uuid_of(vm_)); });
    back->add_option("NAME", vm_, "as in `ls /dlm/vms`")->required();
  }

  void add_hook() {
    auto* installing = verb("install-hook", "Install the hook and make libvirt load it", [this] {
      HookSetUp set_up = this_host();
      set_up.driver = driver_;
      return exit_with(place_hook(std::move(set_up), copy_));
    });
    installing->add_option("--driver", driver_, "of libvirt's: qemu, lxc or libxl")
        ->check(CLI::IsMember(std::vector<std::string>(hook_drivers.begin(), hook_drivers.end())));
    installing->add_option("--from", copy_, "the hook's file, if not the package's");
    auto* removing = verb("remove-hook", "Remove the hook: VMs are no longer guarded",
                          [this] { return exit_with(take_hook_away(this_host(), yes_)); });
    removing->add_flag("--yes", yes_, "though VMs run here: do not ask");
  }

  int argc_;
  char** argv_;
  CLI::App app_;
  std::function<int()> chosen_;
  ListOptions list_;
  std::string vm_, copy_, driver_ = "qemu";
  bool json_ = false, dry_run_ = false, force_ = false, yes_ = false;
};

}  // namespace

int run(int argc, char* argv[]) {
  try {
    return CommandLine(argc, argv).run();
  } catch (const std::exception& bug) {
    return exit_with(failure(ExitStatus::failed, std::string("unexpected error: ") + bug.what()));
  }
}

}  // namespace guard::command
