#include "guard/command/checks/hook.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "guard/build.hpp"
#include "guard/command/checks/hook_files.hpp"
#include "tests/guard/command/checks/fake_system_paths.hpp"

using namespace guard;
using namespace guard::command;

namespace fs = std::filesystem;

namespace {

const std::string ours = std::string("\x7f") + "ELF" + '\0' + build_mark + '\0';
const std::string older = std::string("\x7f") + "ELF" + '\0' + "start-guard-build:0123456789ab";
const std::string foreign = "#!/bin/sh\n# not start-guard-build: nor start-guard-build:xyz\n";

/// A host with the hook in its place.
struct Hooked : FakeSystemPaths {
  fs::path qemu = paths.hooks / "qemu";
  fs::path qemu_d = paths.hooks / "qemu.d";

  Hooked() { put(qemu, ours); }

  static void put(const fs::path& file, const std::string& text, unsigned mode = 0755) {
    write(file, text);
    fs::permissions(file, fs::perms{mode});
  }
  [[nodiscard]] Finding hook() const { return check_hook(paths); }
  [[nodiscard]] Finding order() const { return check_order(paths); }
};

constexpr pid_t daemon_pid = 312;

HookSeen mark_of(pid_t daemon) {
  return {daemon, std::chrono::system_clock::now()};
}

HookSeenByDaemon call_by(pid_t daemon) {
  return {.called = mark_of(daemon)};
}

}  // namespace

TEST_CASE_METHOD(Hooked, "the hook of this build, in its place, is sound") {
  CHECK(is(hook(), Health::ok));
  CHECK(says(hook().found, std::string(this_build())));
}

TEST_CASE_METHOD(Hooked, "the hook that is built beside this command is of its build") {
  fs::remove(qemu);
  fs::copy_file(HOOK_PROGRAM, qemu);
  CHECK(is(hook(), Health::ok));
}

TEST_CASE_METHOD(Hooked, "where there is no hook every start is unguarded") {
  fs::remove(qemu);
  CHECK(is(hook(), Health::fail));
  CHECK(hook().remedy == "start-guard install-hook");
  fs::remove_all(paths.hooks);
  CHECK(is(hook(), Health::fail));
}

TEST_CASE_METHOD(Hooked, "somebody else's hook is none of ours") {
  put(qemu, foreign);
  CHECK(is(hook(), Health::fail));
  CHECK(says(hook().found, qemu.string() + " is not start-guard's"));
}

TEST_CASE_METHOD(Hooked, "behind somebody else's hook ours may be in qemu.d") {
  put(qemu, foreign);
  put(qemu_d / "start-guard", ours);
  CHECK(is(hook(), Health::ok));
}

TEST_CASE_METHOD(Hooked, "a hook that can't be executed lets starts through") {
  fs::permissions(qemu, fs::perms{0644});
  CHECK(is(hook(), Health::fail));
  CHECK(says(hook().remedy, "chmod 755 " + qemu.string()));
}

TEST_CASE_METHOD(Hooked, "a hook that others may write is not safe") {
  auto mode = GENERATE(0775U, 0757U);
  fs::permissions(qemu, fs::perms{mode});
  CHECK(is(hook(), Health::fail));
  CHECK(hook().remedy == "chmod go-w " + qemu.string());
}

TEST_CASE_METHOD(Hooked, "a hook that is another user's is not safe") {
  constexpr uid_t nobody = 65534;
  if (::chown(qemu.c_str(), nobody, nobody) != 0) return;  // only root can make it so
  CHECK(is(hook(), Health::fail));
  CHECK(says(hook().found, "belongs to uid 65534"));
}

TEST_CASE_METHOD(Hooked, "a symlink to the hook is not followed by libvirt's daemon") {
  put(root() / "elsewhere", ours);
  fs::remove(qemu);
  fs::create_symlink(root() / "elsewhere", qemu);
  CHECK(is(hook(), Health::fail));
  CHECK(says(hook().found, "is a symlink"));
}

TEST_CASE_METHOD(Hooked, "a hook of another build is guard enough, but is told") {
  put(qemu, older);
  CHECK(is(hook(), Health::warn));
  CHECK(says(hook().found, "is of build 0123456789ab"));
}

TEST_CASE_METHOD(Hooked, "what is no file is looked at without waiting for it") {
  fs::remove(qemu);
  REQUIRE(::mkfifo(qemu.c_str(), 0755) == 0);
  CHECK(is(hook(), Health::fail));
}

TEST_CASE_METHOD(Hooked, "what libvirt runs behind the hook is named, and is no trouble") {
  CHECK(is(order(), Health::ok));
  put(qemu_d / "log", foreign);
  CHECK(is(order(), Health::ok));
  CHECK(says(order().found, "after it: " + (qemu_d / "log").string()));
}

TEST_CASE_METHOD(Hooked, "what libvirt runs before the hook is told") {
  fs::remove(qemu);
  put(qemu_d / "start-guard", ours);
  CHECK(is(order(), Health::ok));
  auto earlier = GENERATE(".hidden", "00-first", "start-a~");
  put(qemu_d / earlier, foreign);
  CHECK(is(order(), Health::warn));
  CHECK(says(order().found, (qemu_d / earlier).string()));
}

TEST_CASE_METHOD(Hooked, "hooks/qemu comes before all of qemu.d") {
  put(qemu, foreign);
  put(qemu_d / "-first", ours);
  CHECK(is(order(), Health::warn));
  CHECK(says(order().found, qemu.string()));
}

TEST_CASE_METHOD(Hooked, "what can't be executed libvirt does not run") {
  fs::remove(qemu);
  put(qemu_d / "00-README", foreign, 0644);
  put(qemu_d / "start-guard", ours);
  CHECK(is(order(), Health::ok));
}

TEST_CASE_METHOD(Hooked, "a second copy of the hook would run as well") {
  put(qemu_d / "qemu~", older);
  CHECK(is(order(), Health::warn));
  CHECK(order().remedy == "rm " + (qemu_d / "qemu~").string());
}

TEST_CASE_METHOD(Hooked, "without a hook there is no order, and nothing to be noticed") {
  fs::remove(qemu);
  CHECK(is(order(), Health::warn));
  CHECK(is(check_hook_loaded(paths, {}), Health::warn));
}

TEST_CASE_METHOD(Hooked, "a daemon that starts later will notice the hook") {
  CHECK(is(check_hook_loaded(paths, {}), Health::ok));
  run_since_boot("virtlogd", 311);
  CHECK(is(check_hook_loaded(paths, {}), Health::ok));
}

TEST_CASE_METHOD(Hooked, "a daemon that was started since has noticed the hook") {
  run_later("virtqemud", daemon_pid);
  auto finding = check_hook_loaded(paths, {});
  CHECK(is(finding, Health::ok));
  CHECK(says(finding.found, "virtqemud (process 312) started after"));
}

TEST_CASE_METHOD(Hooked, "a daemon that was there before the hook may start VMs unguarded") {
  run_since_boot("libvirtd", daemon_pid);
  auto finding = check_hook_loaded(paths, {});
  CHECK(is(finding, Health::fail));
  CHECK(says(finding.remedy, "start-guard install-hook"));
}

TEST_CASE_METHOD(Hooked, "a daemon that has run the hook has noticed it") {
  run_since_boot("libvirtd", daemon_pid);
  CHECK(is(check_hook_loaded(paths, call_by(daemon_pid)), Health::ok));
}

TEST_CASE_METHOD(Hooked, "that somebody else has run the hook proves nothing of the daemon") {
  run_since_boot("libvirtd", daemon_pid);
  CHECK(is(check_hook_loaded(paths, call_by(daemon_pid + 1)), Health::fail));
}

TEST_CASE_METHOD(Hooked, "an earlier daemon's call proves nothing, though the pid be the same") {
  run_since_boot("libvirtd", daemon_pid);
  HookSeen last = mark_of(daemon_pid);
  last.time = libvirt_daemons(paths).at(0).started - std::chrono::seconds(1);
  CHECK(is(check_hook_loaded(paths, {.called = last}), Health::fail));
  CHECK(is(check_hook_loaded(paths, {.told = last}), Health::fail));
}

TEST_CASE_METHOD(Hooked, "a daemon that was told to look for the hook has noticed it") {
  run_since_boot("libvirtd", daemon_pid);
  auto finding = check_hook_loaded(paths, {.told = mark_of(daemon_pid)});
  CHECK(is(finding, Health::ok));
  CHECK(says(finding.found, "was told to look for it"));
  CHECK(is(check_hook_loaded(paths, {.told = mark_of(daemon_pid + 1)}), Health::fail));
}
