#include "guard/lock/abandonable_call.hpp"

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/catch.hpp"

using namespace guard;
using Kind = Answer::Kind;

namespace {

/// A pipe over which a child tells a test what it does, without either waiting for time to pass.
struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    out = UniqueFd(ends[0]);
    in = UniqueFd(ends[1]);
  }
  /// The next byte; 0 at the end.
  char next() const {
    char byte = 0;
    return ::read(out.get(), &byte, 1) == 1 ? byte : '\0';
  }
  void put(char byte) const { std::ignore = ::write(in.get(), &byte, 1); }
  UniqueFd out, in;
};

struct Scripted final : AbandonableCall {
  std::function<Answer(const Tell&)> script = [](const Tell&) { return Answer{Kind::granted}; };
  Pipe said;
  Answer run(const Tell& tell) override { return script(tell); }
  void clean_up(const Answer&) override { said.put('c'); }
};

const Deadline soon{std::chrono::milliseconds(5000)};
const Deadline now{std::chrono::milliseconds(0)};

}  // namespace

TEST_CASE("an answer arrives from the child as it was given") {
  Scripted errand;
  errand.script = [](const AbandonableCall::Tell&) {
    Holder holder{"node1", std::chrono::sys_seconds(std::chrono::seconds(7)),
                  std::chrono::sys_seconds(std::chrono::seconds(8)), Holder::State::hand_over};
    return Answer{Kind::denied, "a reason", holder, Process{12, 34}};
  };
  Answer answer = ForkingCallRunner().send(errand)->answer(soon);
  CHECK(answer.kind == Kind::denied);
  CHECK(answer.why == "a reason");
  REQUIRE(answer.holder);
  CHECK(answer.holder->host == "node1");
  CHECK(answer.holder->since.time_since_epoch().count() == 7);
  CHECK(answer.holder->state == Holder::State::hand_over);
  REQUIRE(answer.qemu);
  CHECK(answer.qemu->pid == 12);
}

TEST_CASE("what is taken over is not cleaned up") {
  Scripted errand;
  auto sent = ForkingCallRunner().send(errand);
  REQUIRE(sent->answer(soon).kind == Kind::granted);
  sent->take_over();
  sent.reset();
  errand.said.in.reset();
  CHECK(errand.said.next() == '\0');
}

TEST_CASE("what is not taken over is cleaned up before the hook goes on") {
  Scripted errand;
  auto sent = ForkingCallRunner().send(errand);
  REQUIRE(sent->answer(soon).kind == Kind::granted);
  sent.reset();
  REQUIRE(::fcntl(errand.said.out.get(), F_SETFL, O_NONBLOCK) == 0);
  CHECK(errand.said.next() == 'c');
}

TEST_CASE("an errand left behind at the deadline cleans up when it wakes") {
  Scripted errand;
  Pipe wake;
  errand.script = [&](const AbandonableCall::Tell&) {
    wake.in.reset();
    wake.next();
    return Answer{Kind::granted};
  };
  auto sent = ForkingCallRunner().send(errand);
  CHECK(sent->answer(now).kind == Kind::no_answer);
  CHECK(sent->left_behind());
  sent.reset();
  wake.put('w');
  CHECK(errand.said.next() == 'c');
}

TEST_CASE("at the deadline the interim answer counts") {
  Scripted errand;
  Pipe told, wake;
  errand.script = [&](const AbandonableCall::Tell& tell) {
    tell({Kind::asking});
    told.put('t');
    wake.in.reset();
    wake.next();
    return Answer{Kind::denied};
  };
  auto sent = ForkingCallRunner().send(errand);
  told.next();
  CHECK(sent->answer(now).kind == Kind::asking);
  CHECK(sent->left_behind());
}

TEST_CASE("a child that is killed is a failure, not a grant") {
  Scripted errand;
  errand.script = [](const AbandonableCall::Tell&) -> Answer {
    ::raise(SIGKILL);
    return {};
  };
  Answer answer = ForkingCallRunner().send(errand)->answer(soon);
  CHECK(answer.kind == Kind::failed);
  CHECK(answer.why.find("killed") != std::string::npos);
}

TEST_CASE("the child has none of the hook's standard streams") {
  Scripted errand;
  errand.script = [&](const AbandonableCall::Tell&) {
    struct stat null = {};
    bool all_null = ::stat("/dev/null", &null) == 0;
    for (int fd : {0, 1, 2}) {
      struct stat found = {};
      all_null = all_null && ::fstat(fd, &found) == 0 && found.st_rdev == null.st_rdev;
    }
    return Answer{all_null ? Kind::granted : Kind::failed};
  };
  CHECK(ForkingCallRunner().send(errand)->answer(soon).kind == Kind::granted);
}
