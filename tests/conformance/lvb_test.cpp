#include "tests/conformance/case.hpp"

using namespace conformance;

namespace {

const Lvb unknown{};
const Lvb one{'o', 'n', 'e'};
const Lvb two{'t', 'w', 'o'};

}  // namespace

TEST_CASE_METHOD(Case, "a lock value block nobody wrote is all zeroes") {
  CHECK(holder.trylock(lock, EX).open().read_lvb() == unknown);
}

TEST_CASE_METHOD(Case, "a lock value block is read where it was written, at any level") {
  Open held = holder.trylock(lock, EX).open();
  CHECK(held.write_lvb(one) == 0);
  CHECK(held.read_lvb() == one);
  CHECK(holder.trylock(lock, PR).open().read_lvb() == one);
}

TEST_CASE_METHOD(Case, "a lock value block is written through EX only") {
  Open held = holder.trylock(lock, EX).open();
  CHECK(held.write_lvb(one) == 0);
  Open read = holder.trylock(lock, PR).open();
  CHECK(read.write_lvb(two) == EBADF);
  CHECK(read.read_lvb() == one);
}

TEST_CASE_METHOD(Case, "a lock value block travels when its writer's lock is lowered") {
  Level asked_for = GENERATE(EX, PR);
  Open held = holder.trylock(lock, EX).open();
  CHECK(held.write_lvb(one) == 0);
  held.close();
  CHECK(other.queue(lock, asked_for).open().read_lvb() == one);
}

TEST_CASE_METHOD(Case, "what is written last, while another host waits, is what it reads") {
  Open held = holder.trylock(lock, EX).open();
  CHECK(held.write_lvb(one) == 0);
  Asked asked = other.queue(lock, PR);
  REQUIRE(held.told());
  CHECK(held.write_lvb(two) == 0);
  held.close();
  Open read = asked.open();
  CHECK(read.read_lvb() == two);
  // The holder has its EX again only when the asker is gone.
  CHECK(holder.trylock(lock, EX).denied());
  read.close();
  CHECK(holder.trylock(lock, EX).denied());
  CHECK(other.unlink(lock).code() == 0);
  Open again = holder.trylock(lock, EX).open();
  CHECK(again.read_lvb() == two);
}

TEST_CASE_METHOD(Case, "the last writer's lock value block counts, whichever host it is") {
  Open held = holder.trylock(lock, EX).open();
  CHECK(held.write_lvb(one) == 0);
  held.close();
  Open taken = other.queue(lock, EX).open();
  CHECK(taken.write_lvb(two) == 0);
  taken.close();
  CHECK(holder.queue(lock, PR).open().read_lvb() == two);
}

// For about eight seconds at least: that is how long the master remembers an unused lock.
TEST_CASE_METHOD(Case, "a lock value block outlives the unlink of everyone who had the lock") {
  Open held = holder.trylock(lock, EX).open();
  CHECK(held.write_lvb(one) == 0);
  held.close();
  CHECK(holder.unlink(lock).code() == 0);
  CHECK(other.trylock(lock, PR).open().read_lvb() == one);
}
