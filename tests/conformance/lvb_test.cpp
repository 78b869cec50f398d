#include "tests/conformance/case.hpp"

using namespace conformance;

namespace {

const Lvb unknown{};
const Lvb one{'o', 'n', 'e'};
const Lvb two{'t', 'w', 'o'};

}  // namespace

TEST_CASE_METHOD(Case, "a lock value block that was never written is all zeros") {
  CHECK(holder.trylock(lock, EX).open().read_lvb() == unknown);
}

TEST_CASE_METHOD(Case, "a lock value block is read on the host that wrote it at any level") {
  Open held = holder.trylock(lock, EX).open();
  CHECK(held.write_lvb(one) == 0);
  CHECK(held.read_lvb() == one);
  CHECK(holder.trylock(lock, PR).open().read_lvb() == one);
}

TEST_CASE_METHOD(Case, "a lock value block can be written only through EX") {
  Open held = holder.trylock(lock, EX).open();
  CHECK(held.write_lvb(one) == 0);
  Open read = holder.trylock(lock, PR).open();
  CHECK(read.write_lvb(two) == EBADF);
  CHECK(read.read_lvb() == one);
}

TEST_CASE_METHOD(Case, "another host reads a lock value block after the writer's lock is lowered") {
  Level asked_for = GENERATE(EX, PR);
  Open held = holder.trylock(lock, EX).open();
  CHECK(held.write_lvb(one) == 0);
  held.close();
  CHECK(other.queue(lock, asked_for).open().read_lvb() == one);
}

TEST_CASE_METHOD(Case, "a waiting host reads the value that was written last") {
  Open held = holder.trylock(lock, EX).open();
  CHECK(held.write_lvb(one) == 0);
  Asked asked = other.queue(lock, PR);
  REQUIRE(held.told());
  CHECK(held.write_lvb(two) == 0);
  held.close();
  Open read = asked.open();
  CHECK(read.read_lvb() == two);
  // The holder gets EX again only after the other host has unlinked.
  CHECK(holder.trylock(lock, EX).denied());
  read.close();
  CHECK(holder.trylock(lock, EX).denied());
  CHECK(other.unlink(lock).code() == 0);
  Open again = holder.trylock(lock, EX).open();
  CHECK(again.read_lvb() == two);
}

TEST_CASE_METHOD(Case, "the last written lock value block is read whichever host wrote it") {
  Open held = holder.trylock(lock, EX).open();
  CHECK(held.write_lvb(one) == 0);
  held.close();
  Open taken = other.queue(lock, EX).open();
  CHECK(taken.write_lvb(two) == 0);
  taken.close();
  CHECK(holder.queue(lock, PR).open().read_lvb() == two);
}

// For at least about eight seconds: the master remembers an unused lock for that time.
TEST_CASE_METHOD(Case, "a lock value block remains after every holder has unlinked") {
  Open held = holder.trylock(lock, EX).open();
  CHECK(held.write_lvb(one) == 0);
  held.close();
  CHECK(holder.unlink(lock).code() == 0);
  CHECK(other.trylock(lock, PR).open().read_lvb() == one);
}
