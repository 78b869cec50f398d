#include "tests/conformance/case.hpp"

using namespace conformance;

namespace {

const std::string beside = domain + "-beside";

}  // namespace

TEST_CASE_METHOD(Case, "joining a domain twice succeeds, leaving it twice does not") {
  CHECK(holder.join(beside) == 0);
  CHECK(holder.join(beside) == 0);
  CHECK(holder.leave(beside) == 0);
  CHECK(holder.leave(beside) == ENOENT);
}

TEST_CASE_METHOD(Case, "a domain is not left while a file is in it, even of a denied lock") {
  REQUIRE(holder.join(beside) == 0);
  REQUIRE(other.join(beside) == 0);
  Lock inside{beside, lock.name};
  Open held = holder.trylock(inside, EX).open();
  CHECK(other.trylock(inside, EX).denied());
  CHECK(other.leave(beside) == ENOTEMPTY);
  CHECK(holder.leave(beside) == ENOTEMPTY);
  held.close();
  CHECK(holder.leave(beside) == ENOTEMPTY);
  CHECK(other.unlink(inside).code() == 0);
  CHECK(other.leave(beside) == 0);
  CHECK(holder.unlink(inside).code() == 0);
  CHECK(holder.leave(beside) == 0);
}

TEST_CASE_METHOD(Case, "in a domain that was not joined there are no locks and none can be taken") {
  Lock nowhere{beside, lock.name};
  CHECK(holder.trylock(nowhere, EX).code() == ENOENT);
  CHECK(holder.queue(nowhere, PR).code() == ENOENT);
  CHECK_FALSE(holder.exists(nowhere));
  CHECK(holder.unlink(nowhere).code() == 0);
}
