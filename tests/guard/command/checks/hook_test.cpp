#include <sys/stat.h>
#include <unistd.h>

#include "guard/build.hpp"
#include "guard/command/checks/all.hpp"
#include "guard/command/checks/hook_files.hpp"
#include "tests/guard/command/checks/fake_system_paths.hpp"

using namespace guard;
using namespace guard::command;

namespace fs = std::filesystem;

namespace {

const std::string ours = std::string("\x7f") + "ELF" + '\0' + build_mark + '\0';
const std::string older = std::string("\x7f") + "ELF" + '\0' + "start-guard-build:0123456789ab";
const std::string foreign = "#!/bin/sh\n# not start-guard-build: nor start-guard-build:xyz\n";

/// A host with the hook installed.
struct Hooked : FakeSystemPaths {
  fs::path qemu = paths.hooks / "qemu";
  fs::path qemu_d = paths.hooks / "qemu.d";

  Hooked() { put(qemu, ours); }

  static void put(const fs::path& file, const std::string& text, unsigned mode = 0755) {
    write(file, text);
    fs::permissions(file, fs::perms{mode});
  }
  [[nodiscard]] Finding hook() const { return check_hook(hook_files(paths), paths); }
  [[nodiscard]] Finding order() const { return check_order(hook_files(paths), paths); }
};

constexpr pid_t daemon_pid = 312;

HookSeen mark_of(pid_t daemon) {
  return {daemon, std::chrono::system_clock::now()};
}

HookSeenByDaemon call_by(pid_t daemon) {
  return {.called = mark_of(daemon)};
}

}  // namespace

TEST_CASE_METHOD(Hooked, "an installed hook of this build is ok") {
  CHECK(is(hook(), Health::ok));
  CHECK(says(hook().found, std::string(this_build())));
}

TEST_CASE_METHOD(Hooked, "the hook program and this command have the same build mark") {
  fs::remove(qemu);
  fs::copy_file(HOOK_PROGRAM, qemu);
  CHECK(is(hook(), Health::ok));
}

TEST_CASE_METHOD(Hooked, "a missing hook is a failure") {
  fs::remove(qemu);
  CHECK(is(hook(), Health::fail));
  CHECK(hook().remedy == "start-guard install-hook");
  fs::remove_all(paths.hooks);
  CHECK(is(hook(), Health::fail));
}

TEST_CASE_METHOD(Hooked, "another program at hooks/qemu is a failure") {
  put(qemu, foreign);
  CHECK(is(hook(), Health::fail));
  CHECK(says(hook().found, qemu.string() + " is not start-guard's"));
}

TEST_CASE_METHOD(Hooked, "the hook may be in qemu.d behind another program at hooks/qemu") {
  put(qemu, foreign);
  put(qemu_d / "start-guard", ours);
  CHECK(is(hook(), Health::ok));
}

TEST_CASE_METHOD(Hooked, "a hook that is not executable is a failure") {
  fs::permissions(qemu, fs::perms{0644});
  CHECK(is(hook(), Health::fail));
  CHECK(hook().remedy == "start-guard install-hook");
}

TEST_CASE_METHOD(Hooked, "a hook that other users can write is a failure") {
  auto mode = GENERATE(0775U, 0757U);
  fs::permissions(qemu, fs::perms{mode});
  CHECK(is(hook(), Health::fail));
  CHECK(hook().remedy == "chmod go-w " + qemu.string());
}

TEST_CASE_METHOD(Hooked, "a hook that another user owns is a failure") {
  constexpr uid_t nobody = 65534;
  if (::chown(qemu.c_str(), nobody, nobody) != 0) return;  // only root can change the owner
  CHECK(is(hook(), Health::fail));
  CHECK(says(hook().found, "belongs to uid 65534"));
}

TEST_CASE_METHOD(Hooked, "a symlink to the hook is a failure") {
  put(root() / "elsewhere", ours);
  fs::remove(qemu);
  fs::create_symlink(root() / "elsewhere", qemu);
  CHECK(is(hook(), Health::fail));
  CHECK(says(hook().found, "is a symlink"));
}

TEST_CASE_METHOD(Hooked, "a hook of another build is a warning") {
  put(qemu, older);
  CHECK(is(hook(), Health::warn));
  CHECK(says(hook().found, "is of build 0123456789ab"));
}

TEST_CASE_METHOD(Hooked, "a FIFO in place of the hook is a failure and is not opened") {
  fs::remove(qemu);
  REQUIRE(::mkfifo(qemu.c_str(), 0755) == 0);
  CHECK(is(hook(), Health::fail));
}

TEST_CASE_METHOD(Hooked, "scripts that libvirt runs after the hook are named and are ok") {
  CHECK(is(order(), Health::ok));
  put(qemu_d / "log", foreign);
  CHECK(is(order(), Health::ok));
  CHECK(says(order().found, "after it: " + (qemu_d / "log").string()));
}

TEST_CASE_METHOD(Hooked, "scripts that libvirt runs before the hook are a warning") {
  fs::remove(qemu);
  put(qemu_d / "start-guard", ours);
  CHECK(is(order(), Health::ok));
  auto earlier = GENERATE(".hidden", "00-first", "start-a~");
  put(qemu_d / earlier, foreign);
  CHECK(is(order(), Health::warn));
  CHECK(says(order().found, (qemu_d / earlier).string()));
}

TEST_CASE_METHOD(Hooked, "libvirt runs hooks/qemu before all of qemu.d") {
  put(qemu, foreign);
  put(qemu_d / "-first", ours);
  CHECK(is(order(), Health::warn));
  CHECK(says(order().found, qemu.string()));
}

TEST_CASE_METHOD(Hooked, "check_order ignores files that are not executable") {
  fs::remove(qemu);
  put(qemu_d / "00-README", foreign, 0644);
  put(qemu_d / "start-guard", ours);
  CHECK(is(order(), Health::ok));
}

TEST_CASE_METHOD(Hooked, "a second copy of the hook is a warning") {
  put(qemu_d / "qemu~", older);
  CHECK(is(order(), Health::warn));
  CHECK(order().remedy == "rm " + (qemu_d / "qemu~").string());
}

TEST_CASE_METHOD(Hooked, "without a hook the order and loading checks warn") {
  fs::remove(qemu);
  CHECK(is(order(), Health::warn));
  CHECK(is(check_hook_loaded(hook_files(paths), paths, {}), Health::warn));
}

TEST_CASE_METHOD(Hooked, "check_hook_loaded is ok if no libvirt daemon runs yet") {
  CHECK(is(check_hook_loaded(hook_files(paths), paths, {}), Health::ok));
  run_since_boot("virtlogd", 311);
  CHECK(is(check_hook_loaded(hook_files(paths), paths, {}), Health::ok));
}

TEST_CASE_METHOD(Hooked, "check_hook_loaded warns if processes cannot be seen") {
  fs::remove_all(paths.processes);
  CHECK(is(check_hook_loaded(hook_files(paths), paths, {}), Health::warn));
}

TEST_CASE_METHOD(Hooked, "a daemon that started after the hook was installed has loaded it") {
  run_later("virtqemud", daemon_pid);
  auto finding = check_hook_loaded(hook_files(paths), paths, {});
  CHECK(is(finding, Health::ok));
  CHECK(says(finding.found, "virtqemud (process 312) started after"));
}

TEST_CASE_METHOD(Hooked, "a daemon that started before the hook was installed is a failure") {
  run_since_boot("libvirtd", daemon_pid);
  auto finding = check_hook_loaded(hook_files(paths), paths, {});
  CHECK(is(finding, Health::fail));
  CHECK(says(finding.remedy, "start-guard install-hook"));
}

TEST_CASE_METHOD(Hooked, "a daemon that has run the hook has loaded it") {
  run_since_boot("libvirtd", daemon_pid);
  CHECK(is(check_hook_loaded(hook_files(paths), paths, call_by(daemon_pid)), Health::ok));
}

TEST_CASE_METHOD(Hooked,
                 "a hook call by another process does not prove that the daemon has loaded it") {
  run_since_boot("libvirtd", daemon_pid);
  CHECK(is(check_hook_loaded(hook_files(paths), paths, call_by(daemon_pid + 1)), Health::fail));
}

TEST_CASE_METHOD(Hooked, "a hook call by an earlier daemon with the same pid proves nothing") {
  run_since_boot("libvirtd", daemon_pid);
  HookSeen last = mark_of(daemon_pid);
  last.time = libvirt_daemons(paths.processes).value().at(0).started - std::chrono::seconds(1);
  CHECK(is(check_hook_loaded(hook_files(paths), paths, {.called = last}), Health::fail));
  CHECK(is(check_hook_loaded(hook_files(paths), paths, {.told = last}), Health::fail));
}

TEST_CASE_METHOD(Hooked, "a daemon that was told to reload has loaded the hook") {
  run_since_boot("libvirtd", daemon_pid);
  auto finding = check_hook_loaded(hook_files(paths), paths, {.told = mark_of(daemon_pid)});
  CHECK(is(finding, Health::ok));
  CHECK(says(finding.found, "was told to look for it"));
  CHECK(is(check_hook_loaded(hook_files(paths), paths, {.told = mark_of(daemon_pid + 1)}),
           Health::fail));
}
