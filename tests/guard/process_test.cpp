#include "guard/process.hpp"

#include <fcntl.h>
#include <fstream>
#include <signal.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "tests/catch.hpp"
#include "tests/guard/made_up_host.hpp"

using namespace guard;

TEST_CASE("this process lives") {
  auto self = process_of(::getpid());
  REQUIRE(self);
  CHECK(self->start_time > 0);
  CHECK(lives(*self));
}

TEST_CASE("a process that has the pid of another is not that one") {
  auto other = process_of(::getpid()).value();
  other.start_time += 1;
  CHECK_FALSE(lives(other));
}

TEST_CASE("a dead process that nobody has waited for does not live") {
  pid_t child = ::fork();
  if (child == 0) ::pause();
  auto process = process_of(child).value();
  REQUIRE(lives(process));
  ::kill(child, SIGKILL);
  CHECK_FALSE(lives(process, std::chrono::seconds(5)));
  ::waitpid(child, nullptr, 0);
  CHECK_FALSE(lives(process));
}

TEST_CASE("QEMU is found by its UUID, in a command line of its own option") {
  CHECK_FALSE(find_qemu(web.uuid));
  auto qemu = MadeUpHost::run_qemu(web);
  auto found = find_qemu(web.uuid);
  REQUIRE(found);
  CHECK(found->pid == qemu->pid);
  CHECK_FALSE(find_qemu(*dlmfs::Uuid::parse("00000000-0000-0000-0000-000000000001")));
}

TEST_CASE("libvirt's pid file names the process; a bad or missing one names none") {
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

TEST_CASE("a VM's name leads to no other directory") {
  TemporaryDirectory directory;
  std::filesystem::create_directory(directory.path() / "qemu");
  std::ofstream(directory.path() / "secret.pid") << ::getpid();
  Vm odd = web;
  odd.name = "../secret";
  CHECK_FALSE(process_in_pid_file(odd, directory.path()));
}

TEST_CASE("the thread that forked this process is found among its parent's") {
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
