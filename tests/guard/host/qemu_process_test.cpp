#include "guard/host/qemu_process.hpp"

#include <fcntl.h>
#include <fstream>
#include <signal.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "guard/lock/last_run.hpp"
#include "tests/catch.hpp"
#include "tests/guard/fake_host.hpp"
#include "tests/guard/fake_proc.hpp"

using namespace guard;

TEST_CASE("liveness reports this process as alive") {
  auto self = process_of(::getpid());
  REQUIRE(self);
  CHECK(self->start_time > 0);
  CHECK(liveness(*self) == Liveness::alive);
}

TEST_CASE("a process with the same pid but another start time is dead") {
  auto other = process_of(::getpid()).value();
  other.start_time += 1;
  CHECK(liveness(other) == Liveness::dead);
}

TEST_CASE("a zombie is dead") {
  pid_t child = ::fork();
  if (child == 0) ::pause();
  auto process = process_of(child).value();
  REQUIRE(liveness(process) == Liveness::alive);
  ::kill(child, SIGKILL);
  CHECK(liveness(process, std::chrono::seconds(5)) == Liveness::dead);
  ::waitpid(child, nullptr, 0);
  CHECK(liveness(process) == Liveness::dead);
}

TEST_CASE("find_qemu finds QEMU by the UUID in its -uuid option") {
  CHECK(find_qemu(web.uuid).liveness == Liveness::dead);
  auto qemu = FakeHost::run_qemu(web);
  auto found = find_qemu(web.uuid);
  REQUIRE(found.liveness == Liveness::alive);
  CHECK(found.process->pid == qemu->pid);
  auto other = *dlmfs::Uuid::parse("00000000-0000-0000-0000-000000000001");
  CHECK(find_qemu(other).liveness == Liveness::dead);
}

TEST_CASE("the liveness of a process that /proc hides is unknown until it exits") {
  TemporaryDirectory nothing_there;
  pid_t child = ::fork();
  if (child == 0) ::pause();
  auto process = process_of(child).value();
  CHECK(liveness(process, {}, nothing_there.path()) == Liveness::unknown);
  ::kill(child, SIGKILL);
  CHECK(liveness(process, std::chrono::seconds(5), nothing_there.path()) == Liveness::dead);
  ::waitpid(child, nullptr, 0);
  CHECK(liveness(process, {}, nothing_there.path()) == Liveness::dead);
}

TEST_CASE("find_qemu returns unknown if /proc may hide QEMU") {
  FakeProc proc;
  CHECK(find_qemu(web.uuid, proc.path()).liveness == Liveness::dead);
  SECTION("/proc is mounted with hidepid") {
    proc.hide();
    auto found = find_qemu(web.uuid, proc.path());
    CHECK(found.liveness == Liveness::unknown);
    CHECK(found.why.find("/proc is mounted with hidepid=invisible") == 0);
    CHECK(found.why.find("remount") != std::string::npos);
  }
  SECTION("one process cannot be read") {
    std::filesystem::create_directories(proc.path() / "4711" / "cmdline");
    CHECK(find_qemu(web.uuid, proc.path()).liveness == Liveness::unknown);
  }
  SECTION("/proc cannot be listed") {
    CHECK(find_qemu(web.uuid, proc.path() / "none").liveness == Liveness::unknown);
  }
}

TEST_CASE("a QEMU whose first thread has ended is found by another thread") {
  FakeProc proc;
  auto qemu = FakeHost::run_qemu(web);
  auto in_proc = proc.path() / std::to_string(qemu->pid);
  std::filesystem::create_directories(in_proc / "task" / "99");
  std::ofstream(in_proc / "stat") << std::ifstream(fmt::format("/proc/{}/stat", qemu->pid)).rdbuf();
  std::ofstream(in_proc / "cmdline");
  CHECK(find_qemu(web.uuid, proc.path()).liveness == Liveness::dead);
  std::string command_line = std::string("qemu") + '\0' + "-uuid" + '\0' + web.uuid.text() + '\0';
  std::ofstream(in_proc / "task" / "99" / "cmdline") << command_line;
  CHECK(find_qemu(web.uuid, proc.path()).liveness == Liveness::alive);
}

TEST_CASE("the threads of a kernel thread are not read") {
  FakeProc proc;
  auto qemu = FakeHost::run_qemu(web);
  auto in_proc = proc.path() / std::to_string(qemu->pid);
  std::filesystem::create_directories(in_proc / "task" / "99");
  std::ofstream(in_proc / "cmdline");
  std::string command_line = std::string("qemu") + '\0' + "-uuid" + '\0' + web.uuid.text() + '\0';
  std::ofstream(in_proc / "task" / "99" / "cmdline") << command_line;
  auto [flags, found] = GENERATE(table<const char*, Liveness>(
      {{"2129984", Liveness::dead}, {"4194560", Liveness::alive}, {"?", Liveness::alive}}));
  std::ofstream(in_proc / "stat") << fmt::format(
      "{} (a) b) D 2 0 0 0 -1 {} 0 0 0 0 0 0 0 0 20 0 1 0 {} 0", qemu->pid, flags,
      qemu->start_time);
  CHECK(find_qemu(web.uuid, proc.path()).liveness == found);
}

TEST_CASE("living_qemu finds another QEMU if the recorded one is dead") {
  pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  Record record{web, {}, Origin::start, process_of(child)};
  ::waitpid(child, nullptr, 0);
  CHECK(living_qemu(web, record).liveness == Liveness::dead);
  auto qemu = FakeHost::run_qemu(web);
  auto found = living_qemu(web, record);
  REQUIRE(found.liveness == Liveness::alive);
  CHECK(found.process->pid == qemu->pid);
}

TEST_CASE("find_ending_qemu finds a QEMU without memory that is not among the others") {
  FakeProc proc;
  auto liveness_of_any = [&](const std::vector<Process>& others) {
    return find_ending_qemu(others, {}, proc.path()).liveness;
  };
  CHECK(liveness_of_any({}) == Liveness::dead);
  auto name = GENERATE("qemu-system-x86", "qemu-kvm", "qemu:web");
  proc.show_this_as(name, 0);
  CHECK(liveness_of_any({}) == Liveness::unknown);
  CHECK(liveness_of_any({Process{::getpid(), 4711}}) == Liveness::dead);
  CHECK(liveness_of_any({Process{::getpid(), 1}}) == Liveness::unknown);
  proc.show_this_as(name, 4096);  // it has just begun and has no command line yet
  CHECK(liveness_of_any({}) == Liveness::dead);
  for (const char* other : {"qemu", "qemu-img", "sh"}) {
    proc.show_this_as(other, 0);
    CHECK(liveness_of_any({}) == Liveness::dead);
  }
}

TEST_CASE("process_in_pid_file returns nullopt if libvirt's pid file is missing or invalid") {
  TemporaryDirectory directory;
  std::filesystem::create_directory(directory.path() / "qemu");
  auto pid_file = directory.path() / "qemu" / "web.pid";
  CHECK_FALSE(process_in_pid_file(web, directory.path()));
  std::ofstream(pid_file) << ::getpid() << '\n';
  auto found = process_in_pid_file(web, directory.path());
  REQUIRE(found);
  CHECK(found->pid == ::getpid());
  auto bad = GENERATE(as<std::string>{}, "", "x", "-1", "0", "99999999999");
  std::ofstream(pid_file) << bad;
  CHECK_FALSE(process_in_pid_file(web, directory.path()));
}

TEST_CASE("a VM's name with a slash does not lead to another directory") {
  TemporaryDirectory directory;
  std::filesystem::create_directory(directory.path() / "qemu");
  std::ofstream(directory.path() / "secret.pid") << ::getpid();
  Vm odd = web;
  odd.name = "../secret";
  CHECK_FALSE(process_in_pid_file(odd, directory.path()));
}

TEST_CASE("thread_that_forked_this returns the thread of the parent that forked") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  pid_t thread = 0;
  std::thread([&] {
    thread = ::gettid();
    if (pid_t child = ::fork(); child == 0) {
      pid_t found = thread_that_forked_this();
      ::_exit(::write(ends[1], &found, sizeof found) == sizeof found ? 0 : 1);
    } else {
      ::waitpid(child, nullptr, 0);
    }
  }).join();
  pid_t found = 0;
  REQUIRE(::read(ends[0], &found, sizeof found) == sizeof found);
  CHECK(found == thread);
  CHECK(thread != ::getpid());
  ::close(ends[0]);
  ::close(ends[1]);
}
