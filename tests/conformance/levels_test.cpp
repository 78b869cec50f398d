#include "tests/conformance/case.hpp"

// Trylocks only: no host has queued a request.

using namespace conformance;

TEST_CASE_METHOD(Case, "while one host holds EX every level is denied to the others") {
  REQUIRE(holder.trylock(lock, EX).granted());
  CHECK(other.trylock(lock, EX).denied());
  CHECK(other.trylock(lock, PR).denied());
}

TEST_CASE_METHOD(Case, "while one host holds PR the others are granted PR and denied EX") {
  REQUIRE(holder.trylock(lock, PR).granted());
  CHECK(other.trylock(lock, EX).denied());
  CHECK(other.trylock(lock, PR).granted());
  CHECK(other.trylock(lock, EX).denied());
}

TEST_CASE_METHOD(Case, "a denied trylock creates its file but holds no lock") {
  Open held = holder.trylock(lock, EX).open();
  CHECK_FALSE(other.exists(lock));
  CHECK(other.trylock(lock, EX).denied());
  CHECK(other.exists(lock));
  CHECK(other.unlink(lock).code() == 0);
  CHECK_FALSE(other.exists(lock));
  CHECK(other.trylock(lock, PR).denied());
  held.close();
  CHECK(holder.unlink(lock).code() == 0);
  CHECK(holder.trylock(lock, EX).granted());  // the denied trylock's file does not block it
}

TEST_CASE_METHOD(Case, "a closed lock keeps its level") {
  Level level = GENERATE(EX, PR);
  holder.trylock(lock, level).open().close();
  CHECK(other.trylock(lock, EX).denied());
  CHECK(holder.exists(lock));
}

TEST_CASE_METHOD(Case, "trylocks of other hosts never acquire or lower a closed lock") {
  holder.trylock(lock, EX).open().close();
  for (int attempts = 0; attempts < 10; ++attempts) {
    CHECK(other.trylock(lock, EX).denied());
    CHECK(other.trylock(lock, PR).denied());
  }
  CHECK(holder.trylock(lock, EX).granted());
}

TEST_CASE_METHOD(Case, "trylocks of other hosts do not notify the holder") {
  Open held = holder.trylock(lock, EX).open();
  CHECK(other.trylock(lock, EX).denied());
  CHECK(other.trylock(lock, PR).denied());
  CHECK(held.undisturbed());
}

TEST_CASE_METHOD(Case,
                 "a lock is granted again on its holder's host whether it is open or closed") {
  REQUIRE(holder.trylock(lock, EX).granted());
  CHECK(holder.trylock(lock, EX).granted());
  CHECK(holder.trylock(lock, PR).granted());
  CHECK(holder.queue(lock, EX).granted());
  holder.forget();
  CHECK(holder.trylock(lock, EX).granted());
}

TEST_CASE_METHOD(Case, "opening for PR does not lower a lock held at EX") {
  Open held = holder.trylock(lock, EX).open();
  Open read = holder.trylock(lock, PR).open();
  held.close();
  CHECK(other.trylock(lock, PR).denied());
  read.close();
  CHECK(other.trylock(lock, PR).denied());
}

TEST_CASE_METHOD(Case, "PR is converted to EX on a host that holds the lock alone") {
  REQUIRE(holder.trylock(lock, PR).granted());
  CHECK(holder.trylock(lock, EX).granted());
  CHECK(other.trylock(lock, PR).denied());
}

TEST_CASE_METHOD(Case, "PR stays and is not converted to EX while another host has PR") {
  REQUIRE(holder.trylock(lock, PR).granted());
  Open others = other.trylock(lock, PR).open();
  CHECK(holder.trylock(lock, EX).denied());
  CHECK(holder.trylock(lock, PR).granted());
  CHECK(other.trylock(lock, EX).denied());
  others.close();
  CHECK(holder.trylock(lock, EX).denied());  // close does not unlock
  CHECK(other.unlink(lock).code() == 0);
  CHECK(holder.trylock(lock, EX).granted());
}

TEST_CASE_METHOD(Case, "locks with the same name in two domains are two locks") {
  const std::string run_async = domain + "-beside";
  REQUIRE(holder.join(run_async) == 0);
  REQUIRE(other.join(run_async) == 0);
  Lock second{run_async, lock.name};
  CHECK(holder.trylock(lock, EX).granted());
  CHECK(other.trylock(second, EX).granted());
  CHECK(other.trylock(lock, EX).denied());
  other.forget();
  CHECK(other.unlink(second).code() == 0);
  CHECK(holder.leave(run_async) == 0);
  CHECK(other.leave(run_async) == 0);
}
