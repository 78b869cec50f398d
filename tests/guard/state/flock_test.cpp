#include "guard/state/flock.hpp"

#include <sys/wait.h>

#include "tests/guard/command/verbs/lock/pipe.hpp"
#include "tests/guard/temporary_directory.hpp"

using namespace guard;

namespace {

struct FlockFixture {
  TemporaryDirectory directory;
  StateDirectory state = StateDirectory::open(directory.path()).value();
  Result<Flock> take(const char* file) const { return Flock::try_acquire(state, file); }
};

}  // namespace

TEST_CASE_METHOD(FlockFixture, "a second attempt for the same flock fails with EWOULDBLOCK") {
  auto first = take("a");
  REQUIRE(first);
  auto second = take("a");
  REQUIRE_FALSE(second);
  CHECK(second.error().code == EWOULDBLOCK);
}

TEST_CASE_METHOD(FlockFixture, "flocks of different files do not exclude each other") {
  auto first = take("a");
  REQUIRE(first);
  CHECK(take("b"));
}

TEST_CASE_METHOD(FlockFixture, "a flock is free after its holder has ended") {
  {
    auto first = take("a");
    REQUIRE(first);
  }
  CHECK(take("a"));
}

TEST_CASE_METHOD(FlockFixture,
                 "after remove_file a flock is free although another process has a copy") {
  auto first = take("a");
  REQUIRE(first);
  Pipe end;
  pid_t child = ::fork();
  if (child == 0) {
    end.in.reset();
    ::_exit(end.next());
  }
  first->remove_file();
  CHECK(std::filesystem::is_empty(directory.path()));
  CHECK(take("a"));
  end.in.reset();
  ::waitpid(child, nullptr, 0);
}
