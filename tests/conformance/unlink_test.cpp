#include "tests/conformance/case.hpp"

using namespace conformance;

TEST_CASE_METHOD(Case, "unlink drops a closed lock at once") {
  Level level = GENERATE(EX, PR);
  holder.trylock(lock, level).open().close();
  CHECK(other.trylock(lock, EX).denied());
  CHECK(holder.unlink(lock).code() == 0);
  CHECK_FALSE(holder.exists(lock));
  CHECK(other.trylock(lock, EX).granted());
}

TEST_CASE_METHOD(Case, "unlink is refused while a descriptor is open here, and nothing is lost") {
  Level opened_for = GENERATE(EX, PR);
  holder.trylock(lock, EX).open().close();
  Open held = holder.trylock(lock, opened_for).open();
  CHECK(holder.unlink(lock).code() == EBUSY);
  CHECK(holder.exists(lock));
  CHECK(other.trylock(lock, PR).denied());
  held.close();
  CHECK(holder.unlink(lock).code() == 0);
  CHECK(other.trylock(lock, EX).granted());
}

TEST_CASE_METHOD(Case, "unlink of what is not there succeeds") {
  CHECK(holder.unlink(lock).code() == 0);
  CHECK(holder.unlink(lock).code() == 0);
}

TEST_CASE_METHOD(Case, "unlink of a lock that was taken away clears only the file") {
  holder.trylock(lock, EX).open().close();
  REQUIRE(other.queue(lock, EX).granted());
  CHECK(holder.unlink(lock).code() == 0);
  CHECK_FALSE(holder.exists(lock));
  CHECK(holder.trylock(lock, PR).denied());
}

TEST_CASE_METHOD(Case, "an unlink beside an open that sleeps holds the whole directory") {
  Lock run_async = new_lock();
  Open held = holder.trylock(lock, EX).open();
  CHECK(other.queue(lock, EX).sleeps());
  REQUIRE(held.told());
  Asked dropped = other.unlink(lock);
  CHECK(dropped.sleeps());
  Asked created = other.trylock(run_async, EX);
  CHECK(created.sleeps());
  held.close();
  CHECK(created.granted());
}

TEST_CASE_METHOD(Case, "a host's list has the locks it made a file for and no other host's") {
  Lock second = new_lock();
  CHECK(holder.trylock(lock, EX).granted());
  CHECK(other.trylock(lock, EX).denied());
  CHECK(other.trylock(second, EX).granted());
  CHECK(holder.list(domain) == std::vector{lock.name});
  CHECK(other.list(domain) ==
        std::vector{std::min(lock.name, second.name), std::max(lock.name, second.name)});
}
