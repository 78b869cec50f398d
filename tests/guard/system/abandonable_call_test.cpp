#include "guard/system/abandonable_call.hpp"

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/catch.hpp"

using namespace guard;

namespace {

/// A pipe over which a child reports to the test. Both synchronise with it instead of sleeping.
struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    out = UniqueFd(ends[0]);
    in = UniqueFd(ends[1]);
  }
  /// Returns the next byte, or 0 at the end.
  char next() const {
    char byte = 0;
    return ::read(out.get(), &byte, 1) == 1 ? byte : '\0';
  }
  void put(char byte) const { std::ignore = ::write(in.get(), &byte, 1); }
  UniqueFd out, in;
};

struct ScriptedCall final : AbandonableCall {
  std::function<void(const Send&)> script = [](const Send& send) { send("done"); };
  Pipe said;
  void run(const Send& send) override { script(send); }
  void clean_up() override { said.put('c'); }
};

Deadline soon() {
  return Deadline(std::chrono::milliseconds(5000));
}

const Deadline now{std::chrono::milliseconds(0)};

}  // namespace

TEST_CASE("messages of the child arrive unchanged and in order") {
  ScriptedCall call;
  call.script = [](const AbandonableCall::Send& send) {
    send("first\nline");
    send("second");
  };
  auto pending = ForkingCallRunner().start(call);
  CHECK(pending->receive(soon()) == "first\nline");
  CHECK(pending->receive(soon()) == "second");
}

TEST_CASE("an accepted result is not cleaned up") {
  ScriptedCall call;
  auto pending = ForkingCallRunner().start(call);
  REQUIRE(pending->receive(soon()));
  pending->accept();
  pending.reset();
  call.said.in.reset();
  CHECK(call.said.next() == '\0');
}

TEST_CASE("a result that is not accepted is cleaned up before the destructor returns") {
  ScriptedCall call;
  auto pending = ForkingCallRunner().start(call);
  REQUIRE(pending->receive(soon()));
  pending.reset();
  REQUIRE(::fcntl(call.said.out.get(), F_SETFL, O_NONBLOCK) == 0);
  CHECK(call.said.next() == 'c');
}

TEST_CASE("a call that is abandoned at the deadline cleans up when it wakes") {
  ScriptedCall call;
  Pipe wake;
  call.script = [&](const AbandonableCall::Send& send) {
    wake.in.reset();
    wake.next();
    send("done");
  };
  auto pending = ForkingCallRunner().start(call);
  CHECK(pending->receive(now).error().code == ETIMEDOUT);
  CHECK(pending->abandoned());
  pending.reset();
  wake.put('w');
  CHECK(call.said.next() == 'c');
}

TEST_CASE("a child that is killed is an error") {
  ScriptedCall call;
  call.script = [](const AbandonableCall::Send&) { ::raise(SIGKILL); };
  auto message = ForkingCallRunner().start(call)->receive(soon());
  REQUIRE_FALSE(message);
  CHECK(message.error().code == EPIPE);
  CHECK(contains(message.error().what, "killed"));
}

TEST_CASE("the child's standard streams are /dev/null") {
  ScriptedCall call;
  call.script = [&](const AbandonableCall::Send& send) {
    struct stat null = {};
    bool all_null = ::stat("/dev/null", &null) == 0;
    for (int fd : {0, 1, 2}) {
      struct stat found = {};
      all_null = all_null && ::fstat(fd, &found) == 0 && found.st_rdev == null.st_rdev;
    }
    send(all_null ? "null" : "not null");
  };
  CHECK(ForkingCallRunner().start(call)->receive(soon()) == "null");
}

TEST_CASE("the child runs in a process group of its own, in the parent's session") {
  ScriptedCall call;
  call.script = [](const AbandonableCall::Send& send) {
    bool leads = ::getpgrp() == ::getpid();
    bool same_session = ::getsid(0) == ::getsid(::getppid());
    send(leads && same_session ? "so it is" : "no");
  };
  CHECK(ForkingCallRunner().start(call)->receive(soon()) == "so it is");
}

TEST_CASE("an exception in the child does not unwind into the code of the parent") {
  ScriptedCall call;
  call.script = [](const AbandonableCall::Send&) { throw std::runtime_error("no luck"); };
  auto message = ForkingCallRunner().start(call)->receive(soon());
  REQUIRE_FALSE(message);
  CHECK(message.error().code == EPIPE);
}

TEST_CASE("a message of 16000 bytes arrives whole") {
  ScriptedCall call;
  call.script = [](const AbandonableCall::Send& send) { send(std::string(16'000, 'x')); };
  CHECK(ForkingCallRunner().start(call)->receive(soon()) == std::string(16'000, 'x'));
}
