#include "guard/system/hidden_processes.hpp"

#include "guard/host/vm.hpp"
#include "tests/catch.hpp"
#include "tests/guard/fake_proc.hpp"

using namespace guard;

namespace {

constexpr std::uint64_t sys_ptrace = 1U << 19;

bool hides(const FakeProc& proc, const std::string& options, std::uint64_t capabilities = 0) {
  proc.mount_with(options);
  proc.allow(capabilities);
  return why_processes_are_hidden(proc.path()).has_value();
}

}  // namespace

TEST_CASE("/proc hides processes from a process without the capability and outside the group") {
  FakeProc proc;
  CHECK_FALSE(hides(proc, "rw"));
  CHECK_FALSE(hides(proc, "rw,hidepid=off"));
  for (const char* hidepid : {"1", "2", "noaccess", "invisible"}) {
    INFO(hidepid);
    auto option = std::string("rw,hidepid=") + hidepid;
    CHECK_FALSE(hides(proc, option));  // root's group sees all
    CHECK_FALSE(hides(proc, option + ",gid=27"));
    CHECK(hides(proc, option + ",gid=4"));
    CHECK_FALSE(hides(proc, option + ",gid=4", sys_ptrace));
    CHECK(hides(proc, option + ",gid=4", ~sys_ptrace));
  }
  for (const char* hidepid : {"4", "ptraceable"}) {
    INFO(hidepid);
    auto option = std::string("rw,hidepid=") + hidepid;
    CHECK(hides(proc, option));
    CHECK(hides(proc, option + ",gid=27"));
    CHECK_FALSE(hides(proc, option, sys_ptrace));
  }
}

TEST_CASE("a security module that hides pid 1 is detected") {
  FakeProc proc;
  std::filesystem::remove(proc.path() / "1" / "stat");
  CHECK_FALSE(hides(proc, "rw"));
  CHECK(hides(proc, "rw,hidepid=invisible", sys_ptrace));
}

TEST_CASE("a /proc without a readable mountinfo counts as hiding") {
  FakeProc proc;
  std::filesystem::remove(proc.path() / "self" / "mountinfo");
  CHECK(why_processes_are_hidden(proc.path()));
}

TEST_CASE("why_processes_are_hidden checks another process on request") {
  FakeProc proc;
  std::filesystem::create_directories(proc.path() / "4711");
  proc.hide();
  std::filesystem::copy(proc.path() / "self" / "mountinfo", proc.path() / "4711" / "mountinfo");
  proc.allow(sys_ptrace);
  proc.allow(0, "4711");
  CHECK_FALSE(why_processes_are_hidden(proc.path()));
  CHECK(why_processes_are_hidden(proc.path(), "4711"));
  proc.allow(sys_ptrace, "4711");
  CHECK_FALSE(why_processes_are_hidden(proc.path(), "4711"));
}
