#include "guard/command/verbs/install_hook.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <unistd.h>

#include "guard/command/checks/hook_files.hpp"
#include "guard/command/verbs/all.hpp"
#include "guard/system/file.hpp"

namespace guard::command {
namespace {

namespace fs = std::filesystem;

/// The temporary file is not in hooks/qemu.d: libvirt would run it there before it is complete.
constexpr const char* part = ".start-guard.part";

/// Returns a name for the hook in hooks/qemu.d that sorts before the admin's hooks, if one of the
/// two candidates does. libvirt runs these hooks in byte order.
std::string first_name(const std::vector<HookFile>& files, const fs::path& folder) {
  constexpr std::array names = {"00-start-guard", "!00-start-guard"};
  auto comes_first = [&](const char* name) {
    return std::all_of(files.begin(), files.end(), [&](const HookFile& other) {
      bool admins = other.path.parent_path() == folder && other.build.empty();
      return !admins || !other.executable() || other.path.filename().string() > name;
    });
  };
  const auto* found = std::find_if(names.begin(), names.end(), comes_first);
  return found == names.end() ? names.front() : *found;
}

Result<std::string> read_hook(const fs::path& path) {
  auto program = read_file(path, O_NOCTTY | O_NONBLOCK);
  if (program && build_in(*program).empty()) {
    return fail({EINVAL, path.string() + " is no hook of start-guard's"});
  }
  return program;
}

bool is_sound(const HookFile& file, const std::string& program) {
  constexpr mode_t all = 07777;
  constexpr mode_t executable = 0755;
  if (file.symlink || (file.status.st_mode & all) != executable) return false;
  if (file.status.st_uid != ::geteuid()) return false;
  auto there = read_hook(file.path);
  return there && *there == program;
}

class Installation {
 public:
  explicit Installation(const HookSetUp& set_up)
      : set_up_(set_up), files_(hook_files(set_up.paths, set_up.driver)) {}

  Outcome run() {
    auto program = read_hook(set_up_.copy);
    if (!program) return failure(ExitStatus::failed, program.error().what);
    const fs::path main = set_up_.paths.hooks / set_up_.driver;
    bool admins = !files_.empty() && files_.front().path == main && files_.front().build.empty();
    const fs::path folder = set_up_.paths.hooks / (set_up_.driver + ".d");
    const fs::path place = admins ? folder / first_name(files_, folder) : main;
    if (auto put = put_at(place, *program); !put) {
      return failure(ExitStatus::failed, put.error().what);
    }
    remove_others(place);
    if (admins) {
      say(fmt::format(
          "{} is not start-guard's, and stays: libvirt runs it before the hook, also for "
          "a start that is then denied",
          main.string()));
    }
    tell_daemons();
    return {0, "", said_};
  }

 private:
  Result<void> put_at(const fs::path& place, const std::string& program) {
    auto there = std::find_if(files_.begin(), files_.end(),
                              [&](const HookFile& file) { return file.path == place; });
    if (there != files_.end() && is_sound(*there, program)) {
      say(fmt::format("the hook is at {} already", place.string()));
      return {};
    }
    std::error_code error;
    fs::create_directories(place.parent_path(), error);
    if (error)
      return fail({error.value(),
                   fmt::format("making {}: {}", place.parent_path().string(), error.message())});
    // A file with this name that has no build of start-guard in it is the admin's: it is not
    // replaced.
    bool ours = there != files_.end() && !there->build.empty();
    auto put = install_atomically(place, set_up_.paths.hooks / part, program, ours);
    if (put) say(fmt::format("the hook is at {}", place.string()));
    return put;
  }

  /// Removes hooks of an earlier installation. Their place differs if the admin's hook was added or
  /// removed since.
  void remove_others(const fs::path& place) {
    for (const HookFile& file : files_) {
      if (file.build.empty() || file.path == place) continue;
      if (::unlink(file.path.c_str()) == 0) {
        say(fmt::format("removed the one at {}", file.path.string()));
      }
    }
  }

  void tell_daemons() {
    auto hook = guards_hook(hook_files(set_up_.paths, set_up_.driver));
    auto state = StateDirectory::open(set_up_.state);
    if (!hook || !state) return;
    auto daemons = libvirt_daemons(set_up_.paths.processes, set_up_.driver);
    if (!daemons) {
      say(
          fmt::format("a libvirt daemon that runs was not told to look for it ({}), and starts VMs "
                      "unguarded: restart it",
                      daemons.error().what));
      return;
    }
    for (const Daemon& daemon : *daemons) {
      // The marks are only about the hook of the QEMU driver. They count for an upgrade: a daemon
      // that looked while there was no hook to run does not run this one.
      auto marks = set_up_.driver == "qemu" && was_there() ? HookSeenByDaemon::read(*state)
                                                           : HookSeenByDaemon{};
      if (!why_hook_loaded(daemon, *hook, marks).empty()) continue;
      if (set_up_.tell(daemon, set_up_.driver)) {
        if (set_up_.driver == "qemu") HookSeen::note(*state, hook_reloaded_file, daemon.pid);
        say(fmt::format("{} (process {}) was told to look for it", daemon.name, daemon.pid));
      } else {
        say(
            fmt::format("{} (process {}) could not be told to look for it, and starts VMs "
                        "unguarded: systemctl restart {}",
                        daemon.name, daemon.pid, daemon.name));
      }
    }
  }

  [[nodiscard]] bool was_there() const {
    return std::any_of(files_.begin(), files_.end(), [](const HookFile& file) {
      return !file.build.empty() && file.executable();
    });
  }

  void say(const std::string& sentence) { said_ += sentence + "\n"; }

  const HookSetUp& set_up_;
  std::vector<HookFile> files_;
  std::string said_;
};

}  // namespace

Outcome install_hook(const HookSetUp& set_up) {
  Outcome outcome = Installation(set_up).run();
  for (const char* other : hook_drivers) {
    if (outcome.status != 0) break;
    if (other == set_up.driver || !guards_hook(hook_files(set_up.paths, other))) continue;
    HookSetUp its = set_up;
    its.driver = other;
    Outcome more = Installation(its).run();
    outcome = {more.status, "", outcome.err + more.err};
  }
  return outcome;
}

void add_install_hook(CommandLine& command_line) {
  struct Options {
    std::string driver = "qemu", hook;
  };
  auto options = std::make_shared<Options>();
  auto* verb =
      command_line.add("install-hook", "Install the hook and make libvirt load it", [options] {
        if (::getuid() != 0) {
          return print(failure(ExitStatus::no_permission, "must be run by root"));
        }
        HookSetUp set_up = hook_set_up_of_this_host();
        set_up.driver = options->driver;
        if (!options->hook.empty()) set_up.copy = options->hook;
        return print(install_hook(set_up));
      });
  verb->add_option("--driver", options->driver, "of libvirt's: qemu, lxc or libxl")
      ->check(CLI::IsMember(std::vector<std::string>(hook_drivers.begin(), hook_drivers.end())));
  verb->add_option("--from", options->hook, "the hook's file, if not the package's");
}

}  // namespace guard::command
