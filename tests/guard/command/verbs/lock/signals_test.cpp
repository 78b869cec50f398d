#include "guard/command/verbs/lock/signals.hpp"

#include "tests/catch.hpp"

using guard::command::Signals;

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
