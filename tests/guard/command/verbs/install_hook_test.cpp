#include "guard/command/verbs/install_hook.hpp"

#include <csignal>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard/build.hpp"
#include "guard/command/checks/all.hpp"
#include "guard/command/verbs/remove_hook.hpp"
#include "guard/state/record.hpp"
#include "guard/system/file.hpp"
#include "tests/guard/command/checks/fake_system_paths.hpp"

using namespace guard;
using namespace guard::command;

namespace fs = std::filesystem;

namespace {

const std::string this_hook = std::string("\x7f") + "ELF" + '\0' + build_mark + '\0' + "new";
const std::string older_hook = "start-guard-build:0123456789ab, older";
const std::string admins_hook = "#!/bin/sh\necho \"$@\" >>/var/log/vms\n";
constexpr int running_pid = 312;

/// A host with the package's files but without a hook.
struct Bare : FakeSystemPaths {
  fs::path main = paths.hooks / "qemu";
  fs::path folder = paths.hooks / "qemu.d";
  std::vector<pid_t> told;
  HookSetUp set_up{"qemu", paths, root() / "libexec" / "qemu", root() / "state",
                   [this](const Daemon& each, const std::string&) {
                     told.push_back(each.pid);
                     return true;
                   }};

  Bare() {
    fs::remove_all(paths.hooks);
    put(set_up.copy, this_hook, 0644);
  }

  static void put(const fs::path& file, const std::string& text, unsigned mode = 0755) {
    write(file, text);
    fs::permissions(file, fs::perms{mode});
  }
  static std::string text_of(const fs::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  /// Returns the diagnostics of install_hook, which must succeed.
  [[nodiscard]] std::string install() const {
    Outcome outcome = install_hook(set_up);
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    REQUIRE(outcome.out.empty());
    return outcome.err;
  }
  [[nodiscard]] bool all_ok() const {
    auto state = StateDirectory::open(set_up.state).value();
    return is(check_hook(hook_files(paths), paths), Health::ok) &&
           is(check_hook_loaded(hook_files(paths), paths, HookSeenByDaemon::read(state)),
              Health::ok);
  }
  [[nodiscard]] std::vector<std::string> there() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(paths.hooks))
      names.push_back(fs::relative(entry.path(), paths.hooks));
    std::sort(names.begin(), names.end());
    return names;
  }
};

using Names = std::vector<std::string>;

ino_t inode(const fs::path& path) {
  struct stat status = {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_ino;
}

}  // namespace

TEST_CASE_METHOD(Bare, "install-hook creates an executable file that libvirt can run") {
  CHECK(says(install(), "the hook is at " + main.string() + "\n"));
  CHECK(text_of(main) == this_hook);
  CHECK((fs::status(main).permissions() & fs::perms::mask) == fs::perms{0755});
  CHECK(there() == Names{"qemu"});
  CHECK(all_ok());
}

TEST_CASE_METHOD(Bare, "a second install-hook changes nothing") {
  std::ignore = install();
  auto before = inode(main);
  CHECK(says(install(), "already"));
  CHECK(inode(main) == before);
}

TEST_CASE_METHOD(Bare, "an older hook of start-guard is replaced by a rename") {
  put(main, older_hook);
  auto before = inode(main);
  fs::create_hard_link(main, root() / "as it was");
  std::ignore = install();
  CHECK(text_of(main) == this_hook);
  CHECK(inode(main) != before);
  CHECK(text_of(root() / "as it was") == older_hook);  // the old file was not changed
}

TEST_CASE_METHOD(Bare, "install-hook corrects the mode of an unsafe hook of start-guard") {
  auto mode = GENERATE(0644U, 0775U);
  put(main, this_hook, mode);
  std::ignore = install();
  CHECK(is(check_hook(hook_files(paths), paths), Health::ok));
}

TEST_CASE_METHOD(Bare, "a symlink to the hook is replaced by a file") {
  fs::create_directories(paths.hooks);
  fs::create_symlink(set_up.copy, main);
  std::ignore = install();
  CHECK_FALSE(fs::is_symlink(main));
  CHECK(all_ok());
}

TEST_CASE_METHOD(Bare, "an admin's hook stays and start-guard's is first in qemu.d") {
  put(main, admins_hook);
  auto before = inode(main);
  auto said = install();
  CHECK(says(said, main.string() + " is not start-guard's, and stays"));
  CHECK(inode(main) == before);
  CHECK(text_of(main) == admins_hook);
  CHECK(there() == Names{"qemu", "qemu.d", "qemu.d/00-start-guard"});
  CHECK(all_ok());
  CHECK(says(install(), "already"));
}

TEST_CASE_METHOD(Bare, "the hook gets a name that sorts first in qemu.d") {
  put(main, admins_hook);
  put(folder / "00-first", admins_hook);
  put(folder / "!README", admins_hook, 0644);  // libvirt does not run it
  std::ignore = install();
  CHECK(text_of(folder / "!00-start-guard") == this_hook);
  CHECK(fs::exists(folder / "00-first"));
}

TEST_CASE_METHOD(Bare, "an admin's file with the hook's name in qemu.d is not overwritten") {
  put(main, admins_hook);
  put(folder / "00-start-guard", admins_hook);
  put(folder / "!00-start-guard", admins_hook);
  CHECK(install_hook(set_up).status == 1);
  CHECK(text_of(folder / "00-start-guard") == admins_hook);
  CHECK(text_of(folder / "!00-start-guard") == admins_hook);
  CHECK_FALSE(fs::exists(paths.hooks / ".start-guard.part"));
}

TEST_CASE_METHOD(Bare, "an admin's symlink at hooks/qemu is not changed") {
  fs::create_directories(paths.hooks);
  put(root() / "script", admins_hook);
  fs::create_symlink(GENERATE("script", "nowhere"), main);
  std::ignore = install();
  CHECK(fs::is_symlink(main));
  CHECK(fs::exists(folder / "00-start-guard"));
}

TEST_CASE_METHOD(Bare, "the hook moves to hooks/qemu after the admin's hook was removed") {
  put(main, admins_hook);
  std::ignore = install();
  fs::remove(main);
  CHECK(says(install(), "removed the one at " + (folder / "00-start-guard").string()));
  CHECK(there() == Names{"qemu", "qemu.d"});
}

TEST_CASE_METHOD(Bare,
                 "install-hook fails if the packaged file is missing or not start-guard's hook") {
  put(set_up.copy, admins_hook);
  CHECK(install_hook(set_up).status == 1);
  fs::remove(set_up.copy);
  auto outcome = install_hook(set_up);
  CHECK(outcome.status == 1);
  CHECK(says(outcome.err, "No such file"));
  CHECK_FALSE(fs::exists(paths.hooks));
}

TEST_CASE_METHOD(Bare, "a temporary file of a killed installation is replaced") {
  put(paths.hooks / ".start-guard.part", "half");
  std::ignore = install();
  CHECK(there() == Names{"qemu"});
}

TEST_CASE_METHOD(Bare, "install-hook changes nothing and fails if the file cannot be written") {
  put(main, older_hook);
  fs::create_directories(paths.hooks / ".start-guard.part" / "in the way");
  auto outcome = install_hook(set_up);
  CHECK(outcome.status == 1);
  CHECK(says(outcome.err, ".start-guard.part"));
  CHECK(text_of(main) == older_hook);
}

TEST_CASE_METHOD(Bare, "a file created meanwhile is not overwritten") {
  write(root() / "there", admins_hook);
  auto put = install_atomically(root() / "there", root() / "part", this_hook, false);
  REQUIRE_FALSE(put);
  CHECK(put.error().code == EEXIST);
  CHECK(text_of(root() / "there") == admins_hook);
  CHECK_FALSE(fs::exists(root() / "part"));
}

TEST_CASE_METHOD(Bare, "a daemon that has not loaded the hook is told once") {
  run_since_boot("libvirtd", running_pid);
  CHECK(says(install(), "libvirtd (process 312) was told to look for it"));
  CHECK(told == std::vector<pid_t>{running_pid});
  CHECK(all_ok());
  std::ignore = install();
  CHECK(told.size() == 1);
  put(set_up.copy, this_hook + "er");  // an upgrade: no daemon needs to be told
  std::ignore = install();
  CHECK(told.size() == 1);
}

TEST_CASE_METHOD(Bare, "a daemon that may have looked while no hook could run is told again") {
  run_since_boot("libvirtd", running_pid);
  std::ignore = install();
  HookSeen::note(StateDirectory::open(set_up.state).value(), hook_called_file, running_pid);
  SECTION("the hook was removed") {
    REQUIRE(remove_hook(set_up).status == 0);
  }
  SECTION("the hook was removed by hand") {
    fs::remove(main);
  }
  SECTION("the hook was not executable") {
    fs::permissions(main, fs::perms{0644});
  }
  std::ignore = install();
  CHECK(told.size() == 2);
}

TEST_CASE_METHOD(Bare, "a daemon that cannot be told is named") {
  run_since_boot("virtqemud", running_pid);
  set_up.tell = [](const Daemon&, const std::string&) { return false; };
  CHECK(says(install(), "systemctl restart virtqemud"));
  CHECK_FALSE(all_ok());
}

TEST_CASE_METHOD(Bare, "the hook of another driver is its own file and its own daemon is told") {
  run_since_boot("virtlxcd", running_pid);
  run_since_boot("virtqemud", running_pid + 1);
  set_up.driver = "lxc";
  put(paths.hooks / "qemu", admins_hook);
  std::ignore = install();
  CHECK(there() == Names{"lxc", "qemu"});
  CHECK(told == std::vector<pid_t>{running_pid});
  CHECK(remove_hook(set_up).status == 0);
  CHECK(there() == Names{"qemu"});
}

TEST_CASE_METHOD(Bare, "install-hook renews existing hooks of other drivers and adds none") {
  put(paths.hooks / "lxc", older_hook);
  std::ignore = install();
  CHECK(text_of(paths.hooks / "lxc") == this_hook);
  CHECK(there() == Names{"lxc", "qemu"});
}

TEST_CASE_METHOD(Bare, "an admin's hook of another driver is not changed") {
  put(paths.hooks / "lxc", admins_hook);
  std::ignore = install();
  CHECK(text_of(paths.hooks / "lxc") == admins_hook);
}

TEST_CASE("a process that does not catch SIGHUP is not sent SIGHUP") {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  Daemon daemon{"command_tests", child, {}};
  std::ifstream comm(fs::path("/proc") / std::to_string(child) / "comm");
  std::getline(comm, daemon.name);
  CHECK_FALSE(reload_daemon(daemon));
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WTERMSIG(status) == SIGKILL);
}

TEST_CASE("a process that catches SIGHUP is sent it only if it has the daemon's name") {
  static volatile std::sig_atomic_t caught = 0;
  auto before = std::signal(SIGHUP, [](int) { caught = 1; });
  std::ifstream comm("/proc/self/comm");
  Daemon daemon{"another", ::getpid(), {}};
  CHECK_FALSE(reload_daemon(daemon));
  std::getline(comm, daemon.name);
  CHECK(reload_daemon(daemon));
  CHECK(caught == 1);
  std::signal(SIGHUP, before);
}

TEST_CASE_METHOD(Bare, "remove-hook removes every hook of start-guard and no other file") {
  put(main, admins_hook);
  put(folder / "99-log", admins_hook);
  std::ignore = install();
  put(folder / "qemu~", older_hook);
  CHECK(hook_is_there(set_up));
  auto outcome = remove_hook(set_up);
  CHECK_FALSE(hook_is_there(set_up));
  CHECK(outcome.status == 0);
  CHECK(says(outcome.err, "removed " + (folder / "00-start-guard").string()));
  CHECK(there() == Names{"qemu", "qemu.d", "qemu.d/99-log"});
  outcome = remove_hook(set_up);
  CHECK(outcome.status == 0);
  CHECK(says(outcome.err, "there is no hook"));
}

TEST_CASE_METHOD(Bare, "guarded VMs are those whose recorded QEMU is alive") {
  CHECK(guarded_vms(set_up).empty());
  auto state = StateDirectory::open(set_up.state).value();
  Records records(state);
  auto record_of = [](const char* name, char digit, std::optional<Process> qemu,
                      const char* driver = "qemu") {
    std::string uuid = "d0c3b7a4-1111-4222-8333-44445555660";
    return Record{
        Vm{name, dlmfs::Uuid::parse(uuid + digit).value(), driver}, {}, Origin::start, qemu};
  };
  auto ended = process_of(::getpid()).value();
  ended.start_time += 1;
  REQUIRE(records.write(record_of("left-over", '1', ended)));
  CHECK(guarded_vms(set_up).empty());
  REQUIRE(records.write(record_of("web 1", '2', process_of(::getpid()))));
  CHECK(guarded_vms(set_up) == Names{"web 1"});
  CHECK(says(removal_risk(guarded_vms(set_up)), "under guard: \"web 1\". "));
  REQUIRE(records.remove(record_of("", '2', {}).vm.uuid));
  REQUIRE(records.write(record_of("box", '3', {}, "lxc")));
  CHECK(guarded_vms(set_up) == Names{"box"});
}
