#include "tests/conformance/case.hpp"

using namespace conformance;

namespace {

const std::string run_async = domain + "-beside";

}  // namespace

TEST_CASE_METHOD(Case, "joining a domain twice succeeds but leaving it twice does not") {
  CHECK(holder.join(run_async) == 0);
  CHECK(holder.join(run_async) == 0);
  CHECK(holder.leave(run_async) == 0);
  CHECK(holder.leave(run_async) == ENOENT);
}

TEST_CASE_METHOD(Case, "leave fails while a lock file is in the domain even of a denied lock") {
  REQUIRE(holder.join(run_async) == 0);
  REQUIRE(other.join(run_async) == 0);
  Lock inside{run_async, lock.name};
  Open held = holder.trylock(inside, EX).open();
  CHECK(other.trylock(inside, EX).denied());
  CHECK(other.leave(run_async) == ENOTEMPTY);
  CHECK(holder.leave(run_async) == ENOTEMPTY);
  held.close();
  CHECK(holder.leave(run_async) == ENOTEMPTY);
  CHECK(other.unlink(inside).code() == 0);
  CHECK(other.leave(run_async) == 0);
  CHECK(holder.unlink(inside).code() == 0);
  CHECK(holder.leave(run_async) == 0);
}

TEST_CASE_METHOD(Case, "in a domain that was not joined no lock exists or can be acquired") {
  Lock nowhere{run_async, lock.name};
  CHECK(holder.trylock(nowhere, EX).code() == ENOENT);
  CHECK(holder.queue(nowhere, PR).code() == ENOENT);
  CHECK_FALSE(holder.exists(nowhere));
  CHECK(holder.unlink(nowhere).code() == 0);
}
