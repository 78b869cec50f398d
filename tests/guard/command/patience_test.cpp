#include "guard/command/patience.hpp"

#include "tests/guard/command/pipe.hpp"

using guard::command::Patience;
using guard::command::Signals;
using namespace std::chrono_literals;
using Why = Patience::Over::Why;

namespace {

struct Waiting {
  Signals signals;
  Pipe pipe;
};

}  // namespace

TEST_CASE_METHOD(Waiting, "what is there already is waited for by nobody") {
  pipe.put();
  CHECK(Patience(std::nullopt, signals).wait_for(pipe.out.get()).why == Why::ready);
  CHECK(Patience(0ms, signals).wait_for(pipe.out.get()).why == Why::ready);
}

TEST_CASE_METHOD(Waiting, "the end of the other side is waited for as anything else") {
  pipe.in.reset();
  CHECK(Patience(std::nullopt, signals).wait_for(pipe.out.get()).why == Why::ready);
}

TEST_CASE_METHOD(Waiting, "when the time is up nothing more is waited for") {
  Patience patience(1ms, signals);
  CHECK(patience.wait_for(pipe.out.get()).why == Why::time_up);
  CHECK(patience.pause(1h).why == Why::time_up);
}

TEST_CASE_METHOD(Waiting, "a pause within the time is no end of it") {
  CHECK(Patience(1h, signals).pause(1ms).why == Why::paused);
  CHECK(Patience(std::nullopt, signals).pause(1ms).why == Why::paused);
}

TEST_CASE_METHOD(Waiting, "a signal ends everything, and comes first") {
  pipe.put();
  ::raise(SIGTERM);
  auto over = Patience(0ms, signals).wait_for(pipe.out.get());
  CHECK(over.why == Why::signal);
  CHECK(over.signal == SIGTERM);
  ::raise(SIGINT);
  CHECK(Patience(std::nullopt, signals).pause(1h).signal == SIGINT);
}
