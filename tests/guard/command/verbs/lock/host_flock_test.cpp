#include "guard/command/verbs/lock/host_flock.hpp"

#include <sys/wait.h>

#include "tests/guard/command/verbs/lock/pipe.hpp"
#include "tests/guard/temporary_directory.hpp"

using namespace guard;
using guard::command::HostFlock;

namespace {

struct Place {
  TemporaryDirectory directory;
  StateDirectory state = StateDirectory::open(directory.path()).value();
  Result<HostFlock> take(const char* domain, const char* name) const {
    return HostFlock::try_acquire(state, dlmfs::DomainName::parse(domain).value(),
                                  dlmfs::Name::parse(name).value());
  }
};

}  // namespace

TEST_CASE_METHOD(Place, "of two on one host the first has the flock") {
  auto first = take("locks", "a");
  REQUIRE(first);
  auto second = take("locks", "a");
  REQUIRE_FALSE(second);
  CHECK(second.error().code == EWOULDBLOCK);
}

TEST_CASE_METHOD(Place, "locks of different names or domains do not wait on each other") {
  auto first = take("a.b", "c");
  CHECK(take("a", "b.c"));
  CHECK(take("a.b", "d"));
  CHECK(take("a", "c"));
}

TEST_CASE_METHOD(Place, "a flock is free when whoever had it has gone") {
  { auto first = take("locks", "a"); }
  CHECK(take("locks", "a"));
}

TEST_CASE_METHOD(Place,
                 "a dissolved flock is free though another process has a copy, and no file") {
  auto first = take("locks", "a");
  REQUIRE(first);
  Pipe end;
  pid_t child = ::fork();
  if (child == 0) {
    end.in.reset();
    ::_exit(end.next());
  }
  first->dissolve();
  CHECK(std::filesystem::is_empty(directory.path()));
  CHECK(take("locks", "a"));
  end.in.reset();
  ::waitpid(child, nullptr, 0);
}
