#include "guard/command/run_in_child.hpp"

#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <unistd.h>

#include "guard/system/unique_fd.hpp"
#include "tests/catch.hpp"

using namespace guard::command;
using namespace std::chrono_literals;

TEST_CASE("run_in_child returns the outcome of the work unchanged") {
  std::string long_text(1'000'000, 'x');
  auto outcome = run_in_child(10s, [&] { return Outcome{3, long_text, "not UTF-8: \xff"}; });
  REQUIRE(outcome);
  REQUIRE(*outcome);
  CHECK((*outcome)->status == 3);
  CHECK((*outcome)->out == long_text);
  CHECK((*outcome)->err == "not UTF-8: \xff");
}

TEST_CASE("run_in_child abandons work that takes longer than the limit") {
  auto outcome = run_in_child(10ms, []() -> Outcome {
    for (;;)
      ::pause();
  });
  REQUIRE(outcome);
  CHECK_FALSE(*outcome);
}

TEST_CASE("run_in_child leaves no standard stream open in the child") {
  // Whatever the tests' own stderr is: the child keeps a terminal open.
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  guard::UniqueFd reader(ends[0]), writer(ends[1]), own_stderr(::dup(STDERR_FILENO));
  REQUIRE(::dup2(writer.get(), STDERR_FILENO) == STDERR_FILENO);
  auto outcome = run_in_child(10s, [] {
    std::string files;
    for (const char* stream : {"0", "1", "2"})
      files += std::filesystem::read_symlink("/proc/self/fd/" + std::string(stream)).string() + " ";
    return Outcome{0, files, ""};
  });
  ::dup2(own_stderr.get(), STDERR_FILENO);
  REQUIRE(outcome);
  REQUIRE(*outcome);
  CHECK((*outcome)->out == "/dev/null /dev/null /dev/null ");
}

TEST_CASE("run_in_child does not wait for a process that the work has abandoned") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  // The process ends when this test closes its end of the pipe.
  guard::UniqueFd reader(ends[0]), writer(ends[1]);
  auto outcome = run_in_child(10s, [&] {
    if (::fork() == 0) {
      writer.reset();
      char byte = 0;
      ::_exit(static_cast<int>(::read(reader.get(), &byte, 1)));
    }
    return Outcome{0, "done", ""};
  });
  REQUIRE(outcome);
  REQUIRE(*outcome);
  CHECK((*outcome)->out == "done");
}

TEST_CASE("run_in_child reports an exception of the work as a failure") {
  auto outcome = run_in_child(10s, []() -> Outcome { throw std::runtime_error("no luck"); });
  REQUIRE(outcome);
  REQUIRE(*outcome);
  CHECK((*outcome)->status == 1);
  CHECK((*outcome)->err == "start-guard: unexpected error: no luck\n");
}

TEST_CASE("run_in_child fails if the child is killed") {
  auto outcome = run_in_child(10s, []() -> Outcome {
    ::kill(::getpid(), SIGKILL);
    return {};
  });
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().what == "the process that did the work was killed");
}
