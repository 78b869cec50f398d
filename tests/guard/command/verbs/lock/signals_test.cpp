#include "guard/command/verbs/lock/signals.hpp"

#include "tests/guard/command/verbs/lock/pipe.hpp"

using guard::Deadline;
using guard::command::Signals;
using namespace std::chrono_literals;

TEST_CASE("a signal is read and has no other effect") {
  int number = GENERATE(SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM);
  Signals signals;
  CHECK_FALSE(signals.next());
  ::raise(number);
  auto signal = signals.next();
  REQUIRE(signal);
  CHECK(signal->number == number);
  CHECK_FALSE(signal->to_whole_group);
  CHECK_FALSE(signals.next());
}

TEST_CASE("a signal that was ignored before stays ignored") {
  auto before = std::signal(SIGHUP, SIG_IGN);
  {
    Signals signals;
    ::raise(SIGHUP);
    CHECK_FALSE(signals.next());
  }
  std::signal(SIGHUP, before);
}

TEST_CASE("the destructor restores the signal mask") {
  auto blocked = [](int number) {
    sigset_t now;
    ::sigprocmask(SIG_BLOCK, nullptr, &now);
    return ::sigismember(&now, number) == 1;
  };
  {
    Signals signals;
    CHECK(blocked(SIGTERM));
  }
  CHECK_FALSE(blocked(SIGTERM));
}

namespace {

struct Waiting {
  Signals signals;
  Pipe pipe;

  [[nodiscard]] Signals::Over wait(Deadline deadline) const {
    return signals.wait(pipe.out.get(), deadline);
  }
};

}  // namespace

TEST_CASE_METHOD(Waiting, "a wait returns at once if data is readable") {
  pipe.put();
  CHECK(wait(Deadline::never()).ready);
  CHECK(wait(Deadline(0ms)).ready);
}

TEST_CASE_METHOD(Waiting, "a wait returns if the other end is closed") {
  pipe.in.reset();
  CHECK(wait(Deadline::never()).ready);
}

TEST_CASE_METHOD(Waiting, "a wait ends at its deadline") {
  auto over = wait(Deadline(1ms));
  CHECK_FALSE(over.ready);
  CHECK_FALSE(over.signal);
  CHECK_FALSE(signals.wait(-1, Deadline(1ms)).ready);
}

TEST_CASE_METHOD(Waiting, "a signal ends a wait even if data is readable") {
  pipe.put();
  ::raise(SIGTERM);
  CHECK(wait(Deadline(0ms)).signal->number == SIGTERM);
  ::raise(SIGINT);
  CHECK(signals.wait(-1, Deadline::never()).signal->number == SIGINT);
}
