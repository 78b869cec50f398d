#include "guard/command/checks/kernel.hpp"

#include "tests/guard/command/checks/fake_system_paths.hpp"

using namespace guard::command;

TEST_CASE("a kernel that leaks refused locks is not safe") {
  CHECK(is(check_kernel("5.18.19", ""), Health::fail));
  CHECK(is(check_kernel("4.20.0", ""), Health::fail));
  CHECK_FALSE(is(check_kernel("5.19.0", ""), Health::fail));
}

TEST_CASE("a kernel is asked for the fix of the heartbeat's deadlock") {
  for (const char* fixed : {"6.1.188", "6.1.200-x", "6.12.109", "6.18.50", "7.2.4", "7.3-rc1",
                            "7.3.0", "8.0.0", "10.0.1"}) {
    INFO(fixed);
    CHECK(is(check_kernel(fixed, "#1 SMP"), Health::ok));
  }
  // Of other branches nothing is known.
  for (const char* other : {"5.19.0", "6.1.187", "6.1.0-56-amd64", "6.6.200", "6.12.108", "6.13.1",
                            "6.18.49", "6.19.3", "7.0.9", "7.2.3", "7.2"}) {
    INFO(other);
    auto finding = check_kernel(other, "#1 SMP");
    CHECK(is(finding, Health::warn));
    CHECK(says(finding.found, "CVE-2026-89491"));
    CHECK(says(finding.remedy, "6.12.109"));
  }
}

TEST_CASE("Debian's kernel has its version elsewhere") {
  auto build = [](const char* version) {
    return std::string("#1 SMP PREEMPT_DYNAMIC Debian ") + version + " (2026-11-01)";
  };
  CHECK(is(check_kernel("6.1.0-56-amd64", build("6.1.192-2")), Health::ok));
  CHECK(is(check_kernel("6.1.0-44-amd64", build("6.1.170-1")), Health::warn));
  CHECK(is(check_kernel("6.12.117+deb13-amd64", build("6.12.117-1")), Health::ok));
  CHECK(is(check_kernel("6.12.117+deb13-amd64", build("next")), Health::ok));
  CHECK(is(check_kernel("2.6.61-56-amd64", build("6.1.192-2")), Health::fail));
}

TEST_CASE("a kernel whose version can't be told is a warning") {
  for (const char* release : {"", "next", "6", "6.x", "v6.1.192"}) {
    INFO(release);
    auto finding = check_kernel(release, "#1 SMP");
    CHECK(is(finding, Health::warn));
    CHECK(says(finding.found, "its version is unknown"));
  }
}

TEST_CASE_METHOD(FakeSystemPaths, "a kernel that does not know dlmfs is told the module for it") {
  CHECK(is(check_module(paths), Health::ok));
  write(paths.file_systems, "nodev\tsysfs\nnodev\tocfs2_dlmfs2\n");
  CHECK(is(check_module(paths), Health::fail));
  CHECK(says(check_module(paths).remedy, "modprobe ocfs2_dlmfs"));
}

TEST_CASE_METHOD(FakeSystemPaths, "no stack but o2cb will do") {
  CHECK(is(check_stack(paths), Health::ok));
  write(paths.cluster.stack, "pcmk\n");
  CHECK(is(check_stack(paths), Health::fail));
  CHECK(says(check_stack(paths).found, "pcmk"));
  std::filesystem::remove(paths.cluster.stack);
  CHECK(is(check_stack(paths), Health::fail));
  CHECK(says(check_stack(paths).found, "no cluster stack is loaded"));
}
