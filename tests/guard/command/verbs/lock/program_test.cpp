#include "guard/command/verbs/lock/program.hpp"

#include <csignal>

#include "tests/guard/command/verbs/lock/pipe.hpp"

using guard::command::Program;

namespace {

/// Runs a program with a closed standard error, and returns its status.
int status_of(const std::vector<std::string>& arguments) {
  auto quietly = []() -> guard::Result<void> {
    ::close(STDERR_FILENO);
    return {};
  };
  return Program::start(arguments, quietly)->wait();
}

}  // namespace

TEST_CASE("a program's status is its own or 128 plus the signal that ended it") {
  CHECK(status_of({"true"}) == 0);
  CHECK(status_of({"sh", "-c", "exit 7"}) == 7);
  CHECK(status_of({"sh", "-c", "kill -9 $$"}) == 137);
}

TEST_CASE("a missing program is 127 and one that is not executable is 126") {
  CHECK(status_of({"no-such-program"}) == 127);
  CHECK(status_of({"/no/such/program"}) == 127);
  CHECK(status_of({"/dev/null"}) == 126);
}

TEST_CASE("arguments are passed unchanged") {
  CHECK(status_of({"sh", "-c", "[ $# = 3 ] && [ \"$2\" = '[a, b]' ] && [ -z \"$3\" ]", "sh", "--",
                   "[a, b]", ""}) == 0);
}

TEST_CASE("a program whose preparation fails is not run") {
  auto program = Program::start({"true"}, []() -> guard::Result<void> {
    ::close(STDERR_FILENO);
    return guard::fail({EPIPE, "nobody there"});
  });
  CHECK(program->wait() == 69);
}

TEST_CASE("send delivers a signal and the descriptor is readable after the program exits") {
  Pipe until_exec;
  auto program =
      Program::start({"sh", "-c", "exec sleep 600"}, [] { return guard::Result<void>(); });
  until_exec.in.reset();
  REQUIRE(until_exec.next() == '\0');
  pollfd ended{program->fd(), POLLIN, 0};
  CHECK(::poll(&ended, 1, 0) == 0);
  program->send(SIGTERM);
  CHECK(::poll(&ended, 1, 5000) == 1);
  CHECK(program->wait() == 128 + SIGTERM);
}
