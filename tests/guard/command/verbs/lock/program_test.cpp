#include "guard/command/verbs/lock/program.hpp"

#include <csignal>

#include "tests/guard/command/verbs/lock/pipe.hpp"

using guard::command::Program;

namespace {

/// The status of a program that ends at once; what it says goes nowhere.
int status_of(const std::vector<std::string>& arguments) {
  auto quietly = []() -> guard::Result<void> {
    ::close(STDERR_FILENO);
    return {};
  };
  return Program::start(arguments, quietly)->wait();
}

}  // namespace

TEST_CASE("a program's status is its own, or 128 and the signal that ended it") {
  CHECK(status_of({"true"}) == 0);
  CHECK(status_of({"sh", "-c", "exit 7"}) == 7);
  CHECK(status_of({"sh", "-c", "kill -9 $$"}) == 137);
}

TEST_CASE("a program that is not there is 127, one that can't be run 126") {
  CHECK(status_of({"no-such-program"}) == 127);
  CHECK(status_of({"/no/such/program"}) == 127);
  CHECK(status_of({"/dev/null"}) == 126);
}

TEST_CASE("arguments arrive as they are") {
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

TEST_CASE("signals reach a program, and its end is seen") {
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
