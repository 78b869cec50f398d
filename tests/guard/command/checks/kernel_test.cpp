#include "guard/command/checks/all.hpp"
#include "tests/guard/command/checks/fake_system_paths.hpp"

using namespace guard::command;

TEST_CASE("a kernel that leaks denied locks is a failure") {
  CHECK(is(check_kernel("5.18.19", ""), Health::fail));
  CHECK(is(check_kernel("4.20.0", ""), Health::fail));
  CHECK_FALSE(is(check_kernel("5.19.0", ""), Health::fail));
}

TEST_CASE("a kernel without the known fix of the heartbeat deadlock is a warning") {
  for (const char* fixed : {"6.1.188", "6.1.200-x", "6.12.109", "6.18.50", "7.2.4", "7.3-rc1",
                            "7.3.0", "8.0.0", "10.0.1"}) {
    INFO(fixed);
    CHECK(is(check_kernel(fixed, "#1 SMP"), Health::ok));
  }
  // The fix is not known to be in other branches.
  for (const char* other : {"5.19.0", "6.1.187", "6.1.0-56-amd64", "6.6.200", "6.12.108", "6.13.1",
                            "6.18.49", "6.19.3", "7.0.9", "7.2.3", "7.2"}) {
    INFO(other);
    auto finding = check_kernel(other, "#1 SMP");
    CHECK(is(finding, Health::warn));
    CHECK(says(finding.found, "CVE-2026-89491"));
    CHECK(says(finding.remedy, "6.12.109"));
  }
}

TEST_CASE("Debian's kernel version is read from the build text") {
  auto build = [](const char* version) {
    return std::string("#1 SMP PREEMPT_DYNAMIC Debian ") + version + " (2026-11-01)";
  };
  CHECK(is(check_kernel("6.1.0-56-amd64", build("6.1.192-2")), Health::ok));
  CHECK(is(check_kernel("6.1.0-44-amd64", build("6.1.170-1")), Health::warn));
  CHECK(is(check_kernel("6.12.117+deb13-amd64", build("6.12.117-1")), Health::ok));
  CHECK(is(check_kernel("6.12.117+deb13-amd64", build("next")), Health::ok));
  CHECK(is(check_kernel("2.6.61-56-amd64", build("6.1.192-2")), Health::fail));
}

TEST_CASE("an unknown kernel version is a warning") {
  for (const char* release : {"", "next", "6", "6.x", "v6.1.192"}) {
    INFO(release);
    auto finding = check_kernel(release, "#1 SMP");
    CHECK(is(finding, Health::warn));
    CHECK(says(finding.found, "its version is unknown"));
  }
}

TEST_CASE_METHOD(FakeSystemPaths,
                 "a kernel without dlmfs is a failure whose remedy names the module") {
  CHECK(is(check_module(paths), Health::ok));
  write(paths.file_systems, "nodev\tsysfs\nnodev\tocfs2_dlmfs2\n");
  CHECK(is(check_module(paths), Health::fail));
  CHECK(says(check_module(paths).remedy, "modprobe ocfs2_dlmfs"));
}

TEST_CASE_METHOD(FakeSystemPaths, "a cluster stack other than o2cb is a failure") {
  CHECK(is(check_stack(paths), Health::ok));
  write(paths.cluster.stack, "pcmk\n");
  CHECK(is(check_stack(paths), Health::fail));
  CHECK(says(check_stack(paths).found, "pcmk"));
  std::filesystem::remove(paths.cluster.stack);
  CHECK(is(check_stack(paths), Health::fail));
  CHECK(says(check_stack(paths).found, "no cluster stack is loaded"));
}
