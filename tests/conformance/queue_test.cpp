#include <utility>

#include "tests/conformance/case.hpp"

// The effect of a queued request on the hosts that hold the lock.

using namespace conformance;

namespace {

/// Returns the granted one of two opens that slept, and then the one that still sleeps. The order
/// can differ from the order of the requests: a level just granted can be lowered for the next
/// request before the open that waited for it counts as a holder. That open then asks again.
std::pair<Asked, Asked> in_order_granted(Asked one, Asked other) {
  constexpr int looks = 20;  // each waits for a reply
  for (int i = 0; i < looks && one.sleeps() && other.sleeps(); ++i) {
  }
  if (one.sleeps()) std::swap(one, other);
  REQUIRE(one.granted());
  CHECK(other.sleeps());
  return {one, other};
}

}  // namespace

TEST_CASE_METHOD(Case, "a queued EX gets a closed EX and the old holder's file stays") {
  holder.trylock(lock, EX).open().close();
  REQUIRE(other.queue(lock, EX).granted());
  CHECK(holder.exists(lock));
  CHECK(holder.trylock(lock, PR).denied());
  CHECK(holder.exists(lock));
  CHECK(other.trylock(lock, EX).granted());
}

TEST_CASE_METHOD(Case, "a queued EX gets a closed PR") {
  holder.trylock(lock, PR).open().close();
  REQUIRE(other.queue(lock, EX).granted());
  CHECK(holder.trylock(lock, PR).denied());
}

TEST_CASE_METHOD(Case, "a queued PR lowers a closed EX to PR") {
  holder.trylock(lock, EX).open().close();
  REQUIRE(other.queue(lock, PR).granted());
  CHECK(holder.exists(lock));
  CHECK(other.trylock(lock, EX).denied());
  CHECK(holder.trylock(lock, PR).granted());
  CHECK(holder.trylock(lock, EX).denied());
  CHECK(other.trylock(lock, EX).denied());
}

TEST_CASE_METHOD(Case, "an open EX is not lowered and a request sleeps until it is closed") {
  Level asked_for = GENERATE(EX, PR);
  Open held = holder.trylock(lock, EX).open();
  Asked asked = other.queue(lock, asked_for);
  CHECK(asked.sleeps());
  held.close();
  CHECK(asked.granted());
  CHECK(holder.exists(lock));
  CHECK(holder.trylock(lock, EX).denied());
}

TEST_CASE_METHOD(Case, "a request waits until every descriptor of an open EX is closed") {
  Open held = holder.trylock(lock, EX).open();
  Open again = holder.trylock(lock, EX).open();
  Asked asked = other.queue(lock, PR);
  held.close();
  CHECK(asked.sleeps());
  again.close();
  CHECK(asked.granted());
}

TEST_CASE_METHOD(Case,
                 "the holder's descriptors poll readable after another host has queued a request") {
  Level asked_for = GENERATE(EX, PR);
  Open held = holder.trylock(lock, EX).open();
  Open read = holder.trylock(lock, PR).open();
  CHECK(held.undisturbed());
  CHECK(other.queue(lock, asked_for).sleeps());
  CHECK(held.told());
  CHECK(read.told());
}

TEST_CASE_METHOD(Case, "an open PR stays when another host's queued PR is granted") {
  holder.trylock(lock, EX).open().close();
  Open read = holder.trylock(lock, PR).open();
  CHECK(other.queue(lock, PR).granted());
  CHECK(holder.trylock(lock, PR).granted());
  CHECK(holder.trylock(lock, EX).denied());
  CHECK(other.trylock(lock, EX).denied());
  CHECK(read.undisturbed());
}

TEST_CASE_METHOD(Case, "an open PR blocks a queued EX and polls readable") {
  Open read = holder.trylock(lock, PR).open();
  Asked asked = other.queue(lock, EX);
  CHECK(asked.sleeps());
  CHECK(read.told());
  read.close();
  CHECK(asked.granted());
  CHECK(holder.trylock(lock, PR).denied());
}

TEST_CASE_METHOD(Case,
                 "while an EX is queued a trylock on the holder's host sleeps and is then denied") {
  Level level = GENERATE(EX, PR);
  Open held = holder.trylock(lock, EX).open();
  Asked asked = other.queue(lock, EX);
  REQUIRE(held.told());
  Asked tried = holder.trylock(lock, level);
  CHECK(tried.sleeps());
  held.close();
  CHECK(asked.granted());
  CHECK(tried.denied());
}

TEST_CASE_METHOD(Case, "while an EX is queued an open on the holder's host waits for its turn") {
  Level level = GENERATE(EX, PR);
  Open held = holder.trylock(lock, EX).open();
  Asked asked = other.queue(lock, EX);
  REQUIRE(held.told());
  Asked queued = holder.queue(lock, level);
  CHECK(queued.sleeps());
  held.close();
  auto [first, second] = in_order_granted(asked, queued);
  first.open().close();
  CHECK(second.granted());
}

TEST_CASE_METHOD(Case, "a trylock sleeps while an open on the same host sleeps") {
  Level level = GENERATE(EX, PR);
  Open held = holder.trylock(lock, EX).open();
  Asked asked = other.queue(lock, EX);
  REQUIRE(held.told());
  Asked tried = other.trylock(lock, level);
  CHECK(tried.sleeps());
  held.close();
  CHECK(asked.granted());
  CHECK(tried.granted());
}

TEST_CASE_METHOD(Case, "while a PR is queued the holder's host gets PR at once but not EX") {
  Open held = holder.trylock(lock, EX).open();
  Asked asked = other.queue(lock, PR);
  REQUIRE(held.told());
  Asked tried = holder.trylock(lock, EX);
  CHECK(tried.sleeps());
  CHECK(holder.trylock(lock, PR).granted());
  CHECK(asked.sleeps());
  held.close();
  CHECK(asked.granted());
  CHECK(tried.denied());
}

TEST_CASE_METHOD(Case, "two queued EX requests are granted one after the other") {
  Host* last = third();
  if (last == nullptr) return;
  Open held = holder.trylock(lock, EX).open();
  Asked asked = other.queue(lock, EX);
  REQUIRE(held.told());
  Asked behind = last->queue(lock, EX);
  CHECK(behind.sleeps());
  held.close();
  auto [first, second] = in_order_granted(asked, behind);
  first.open().close();
  CHECK(second.granted());
}

TEST_CASE_METHOD(Case, "a PR trylock is granted before an EX that waits for another host's PR") {
  Host* last = third();
  if (last == nullptr) return;
  Open read = holder.trylock(lock, PR).open();
  Asked asked = other.queue(lock, EX);
  REQUIRE(read.told());
  Open overtaken = last->trylock(lock, PR).open();
  read.close();
  CHECK(asked.sleeps());
  overtaken.close();
  CHECK(asked.granted());
}

TEST_CASE_METHOD(Case, "no trylock is granted before an EX that waits to convert from PR") {
  Host* last = third();
  if (last == nullptr) return;
  Open read = holder.trylock(lock, PR).open();
  REQUIRE(other.trylock(lock, PR).granted());
  Asked asked = other.queue(lock, EX);
  REQUIRE(read.told());
  CHECK(last->trylock(lock, PR).denied());
  CHECK(asked.sleeps());
  read.close();
  CHECK(asked.granted());
}

TEST_CASE_METHOD(Case, "after a hand-over both hosts keep PR and EX is denied until one unlinks") {
  bool succeeds = GENERATE(true, false);
  Open held = holder.trylock(lock, EX).open();
  Asked asked = other.queue(lock, PR);
  REQUIRE(held.told());
  Open lowered = holder.queue(lock, PR).open();
  held.close();
  Open taken = asked.open();
  CHECK(holder.trylock(lock, EX).denied());
  CHECK(other.trylock(lock, EX).denied());
  if (third() != nullptr) {
    CHECK(third()->trylock(lock, EX).denied());
    CHECK(third()->unlink(lock).code() == 0);
  }
  (succeeds ? lowered : taken).close();
  CHECK((succeeds ? holder : other).unlink(lock).code() == 0);
  CHECK((succeeds ? other : holder).trylock(lock, EX).granted());
  CHECK((succeeds ? holder : other).trylock(lock, PR).denied());
}
