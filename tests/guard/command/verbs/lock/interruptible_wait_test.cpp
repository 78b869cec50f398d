#include "guard/command/verbs/lock/interruptible_wait.hpp"

#include "tests/guard/command/verbs/lock/pipe.hpp"

using guard::command::InterruptibleWait;
using guard::command::Signals;
using namespace std::chrono_literals;
using Why = InterruptibleWait::Over::Why;

namespace {

struct Waiting {
  Signals signals;
  Pipe pipe;
};

}  // namespace

TEST_CASE_METHOD(Waiting, "wait_for returns at once if data is readable") {
  pipe.put();
  CHECK(InterruptibleWait(std::nullopt, signals).wait_for(pipe.out.get()).why == Why::ready);
  CHECK(InterruptibleWait(0ms, signals).wait_for(pipe.out.get()).why == Why::ready);
}

TEST_CASE_METHOD(Waiting, "wait_for returns if the other end is closed") {
  pipe.in.reset();
  CHECK(InterruptibleWait(std::nullopt, signals).wait_for(pipe.out.get()).why == Why::ready);
}

TEST_CASE_METHOD(Waiting, "after the deadline every wait returns time_up") {
  InterruptibleWait patience(1ms, signals);
  CHECK(patience.wait_for(pipe.out.get()).why == Why::time_up);
  CHECK(patience.pause(1h).why == Why::time_up);
}

TEST_CASE_METHOD(Waiting, "a pause that ends before the deadline returns paused") {
  CHECK(InterruptibleWait(1h, signals).pause(1ms).why == Why::paused);
  CHECK(InterruptibleWait(std::nullopt, signals).pause(1ms).why == Why::paused);
}

TEST_CASE_METHOD(Waiting, "a signal ends a wait even if data is readable") {
  pipe.put();
  ::raise(SIGTERM);
  auto over = InterruptibleWait(0ms, signals).wait_for(pipe.out.get());
  CHECK(over.why == Why::signal);
  CHECK(over.signal == SIGTERM);
  ::raise(SIGINT);
  CHECK(InterruptibleWait(std::nullopt, signals).pause(1h).signal == SIGINT);
}
