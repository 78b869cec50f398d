#include "guard/command/verbs/install_hook.hpp"

#include <csignal>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard/build.hpp"
#include "guard/command/checks/hook.hpp"
#include "guard/command/verbs/remove_hook.hpp"
#include "guard/host/record.hpp"
#include "guard/system/atomic_file.hpp"
#include "tests/guard/command/checks/fake_system_paths.hpp"

using namespace guard;
using namespace guard::command;

namespace fs = std::filesystem;

namespace {

const std::string this_hook = std::string("\x7f") + "ELF" + '\0' + build_mark + '\0' + "new";
const std::string older_hook = "start-guard-build:0123456789ab, older";
const std::string admins_hook = "#!/bin/sh\necho \"$@\" >>/var/log/vms\n";
constexpr int running_pid = 312;

/// A host on which the package's files are, and no hook.
struct Bare : FakeSystemPaths {
  fs::path main = paths.hooks / "qemu";
  fs::path folder = paths.hooks / "qemu.d";
  std::vector<pid_t> told;
  HookSetUp set_up{"qemu", paths, root() / "libexec" / "qemu", root() / "state",
                   [this](const Daemon& each) {
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
  /// What it says; it must succeed.
  [[nodiscard]] std::string install() const {
    Outcome outcome = install_hook(set_up);
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    REQUIRE(outcome.out.empty());
    return outcome.err;
  }
  [[nodiscard]] bool all_ok() const {
    auto state = StateDirectory::open(set_up.state).value();
    return is(check_hook(paths), Health::ok) &&
           is(check_hook_loaded(paths, HookSeenByDaemon::read(state)), Health::ok);
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

TEST_CASE_METHOD(Bare,
                 "the hook is installed where there was none, as a file that libvirt can run") {
  CHECK(says(install(), "the hook is at " + main.string() + "\n"));
  CHECK(text_of(main) == this_hook);
  CHECK((fs::status(main).permissions() & fs::perms::mask) == fs::perms{0755});
  CHECK(there() == Names{"qemu"});
  CHECK(all_ok());
}

TEST_CASE_METHOD(Bare, "installed twice, it is left as it is") {
  std::ignore = install();
  auto before = inode(main);
  CHECK(says(install(), "already"));
  CHECK(inode(main) == before);
}

TEST_CASE_METHOD(Bare, "an earlier hook of ours is replaced by a rename") {
  put(main, older_hook);
  auto before = inode(main);
  fs::create_hard_link(main, root() / "as it was");
  std::ignore = install();
  CHECK(text_of(main) == this_hook);
  CHECK(inode(main) != before);
  CHECK(text_of(root() / "as it was") == older_hook);  // nobody wrote into the file itself
}

TEST_CASE_METHOD(Bare, "our hook that can't be executed, or that others may write, is put right") {
  auto mode = GENERATE(0644U, 0775U);
  put(main, this_hook, mode);
  std::ignore = install();
  CHECK(is(check_hook(paths), Health::ok));
}

TEST_CASE_METHOD(Bare, "a symlink to our hook is replaced by a file") {
  fs::create_directories(paths.hooks);
  fs::create_symlink(set_up.copy, main);
  std::ignore = install();
  CHECK_FALSE(fs::is_symlink(main));
  CHECK(all_ok());
}

TEST_CASE_METHOD(Bare, "an admin's hook stays, and ours comes first behind it") {
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

TEST_CASE_METHOD(Bare, "of the hooks in qemu.d ours is the first") {
  put(main, admins_hook);
  put(folder / "00-first", admins_hook);
  put(folder / "!README", admins_hook, 0644);  // which libvirt does not run
  std::ignore = install();
  CHECK(text_of(folder / "!00-start-guard") == this_hook);
  CHECK(fs::exists(folder / "00-first"));
}

TEST_CASE_METHOD(Bare, "an admin's file of our name in qemu.d is not overwritten") {
  put(main, admins_hook);
  put(folder / "00-start-guard", admins_hook);
  put(folder / "!00-start-guard", admins_hook);
  CHECK(install_hook(set_up).status == 1);
  CHECK(text_of(folder / "00-start-guard") == admins_hook);
  CHECK(text_of(folder / "!00-start-guard") == admins_hook);
  CHECK_FALSE(fs::exists(paths.hooks / ".start-guard.part"));
}

TEST_CASE_METHOD(Bare, "an admin's symlink at our place is not touched, wherever it leads") {
  fs::create_directories(paths.hooks);
  put(root() / "script", admins_hook);
  fs::create_symlink(GENERATE("script", "nowhere"), main);
  std::ignore = install();
  CHECK(fs::is_symlink(main));
  CHECK(fs::exists(folder / "00-start-guard"));
}

TEST_CASE_METHOD(Bare, "when the admin's hook has gone ours goes to the first place") {
  put(main, admins_hook);
  std::ignore = install();
  fs::remove(main);
  CHECK(says(install(), "removed the one at " + (folder / "00-start-guard").string()));
  CHECK(there() == Names{"qemu", "qemu.d"});
}

TEST_CASE_METHOD(Bare, "what is no hook of ours is not installed") {
  put(set_up.copy, admins_hook);
  CHECK(install_hook(set_up).status == 1);
  fs::remove(set_up.copy);
  auto outcome = install_hook(set_up);
  CHECK(outcome.status == 1);
  CHECK(says(outcome.err, "No such file"));
  CHECK_FALSE(fs::exists(paths.hooks));
}

TEST_CASE_METHOD(Bare, "a file that a killed installation left is no hindrance") {
  put(paths.hooks / ".start-guard.part", "half");
  std::ignore = install();
  CHECK(there() == Names{"qemu"});
}

TEST_CASE_METHOD(Bare, "where the file can't be put nothing is changed, and it is said") {
  put(main, older_hook);
  fs::create_directories(paths.hooks / ".start-guard.part" / "in the way");
  auto outcome = install_hook(set_up);
  CHECK(outcome.status == 1);
  CHECK(says(outcome.err, ".start-guard.part"));
  CHECK(text_of(main) == older_hook);
}

TEST_CASE_METHOD(Bare, "nothing that came meanwhile is overwritten") {
  write(root() / "there", admins_hook);
  auto put = install_atomically(root() / "there", root() / "part", this_hook, false);
  REQUIRE_FALSE(put);
  CHECK(put.error().code == EEXIST);
  CHECK(text_of(root() / "there") == admins_hook);
  CHECK_FALSE(fs::exists(root() / "part"));
}

TEST_CASE_METHOD(Bare, "a daemon that has not noticed the hook is told, once") {
  run_since_boot("libvirtd", running_pid);
  CHECK(says(install(), "libvirtd (process 312) was told to look for it"));
  CHECK(told == std::vector<pid_t>{running_pid});
  CHECK(all_ok());
  std::ignore = install();
  CHECK(told.size() == 1);
  put(set_up.copy, this_hook + "er");  // an upgrade: the file is new, and no daemon has to know
  std::ignore = install();
  CHECK(told.size() == 1);
}

TEST_CASE_METHOD(Bare, "a daemon that can't be told is named") {
  run_since_boot("virtqemud", running_pid);
  set_up.tell = [](const Daemon&) { return false; };
  CHECK(says(install(), "systemctl restart virtqemud"));
  CHECK_FALSE(all_ok());
}

TEST_CASE_METHOD(Bare, "the hook of another driver is a file of its own, and its daemon is told") {
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

TEST_CASE_METHOD(Bare,
                 "an upgrade renews the hooks of other drivers that are there, and adds none") {
  put(paths.hooks / "lxc", older_hook);
  std::ignore = install();
  CHECK(text_of(paths.hooks / "lxc") == this_hook);
  CHECK(there() == Names{"lxc", "qemu"});
}

TEST_CASE_METHOD(Bare, "another driver's hook that is the admin's stays as it is") {
  put(paths.hooks / "lxc", admins_hook);
  std::ignore = install();
  CHECK(text_of(paths.hooks / "lxc") == admins_hook);
}

TEST_CASE("a process that does not catch SIGHUP is not sent it") {
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

TEST_CASE("a process that catches SIGHUP gets it, if it has the daemon's name") {
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

TEST_CASE_METHOD(Bare, "every hook of ours is removed, and no other file") {
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

TEST_CASE_METHOD(Bare, "the VMs that run under guard are those whose record's QEMU lives") {
  CHECK(guarded_vms(set_up).empty());
  auto state = StateDirectory::open(set_up.state).value();
  Records records(state);
  auto record_of = [](const char* name, char digit, std::optional<Process> qemu,
                      const char* driver = "qemu") {
    std::string uuid = "d0c3b7a4-1111-4222-8333-44445555660";
    return Record{
        Vm{name, dlmfs::Uuid::parse(uuid + digit).value(), driver}, {}, Origin::start, qemu};
  };
  REQUIRE(records.write(record_of("left-over", '1', Process{1, 1})));
  CHECK(guarded_vms(set_up).empty());
  REQUIRE(records.write(record_of("web 1", '2', process_of(::getpid()))));
  CHECK(guarded_vms(set_up) == Names{"web 1"});
  CHECK(says(removal_risk(guarded_vms(set_up)), "under guard: \"web 1\". "));
  REQUIRE(records.remove(record_of("", '2', {}).vm.uuid));
  REQUIRE(records.write(record_of("box", '3', {}, "lxc")));
  CHECK(guarded_vms(set_up) == Names{"box"});
}
