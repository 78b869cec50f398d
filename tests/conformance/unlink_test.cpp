#include "tests/conformance/case.hpp"

using namespace conformance;

TEST_CASE_METHOD(Case, "unlink releases a closed lock at once") {
  Level level = GENERATE(EX, PR);
  holder.trylock(lock, level).open().close();
  CHECK(other.trylock(lock, EX).denied());
  CHECK(holder.unlink(lock).code() == 0);
  CHECK_FALSE(holder.exists(lock));
  CHECK(other.trylock(lock, EX).granted());
}

TEST_CASE_METHOD(Case,
                 "unlink fails with EBUSY while a descriptor is open here and the lock stays") {
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

TEST_CASE_METHOD(Case, "unlink of a missing file succeeds") {
  CHECK(holder.unlink(lock).code() == 0);
  CHECK(holder.unlink(lock).code() == 0);
}

TEST_CASE_METHOD(Case, "unlink of a lock that another host has acquired removes only the file") {
  holder.trylock(lock, EX).open().close();
  REQUIRE(other.queue(lock, EX).granted());
  CHECK(holder.unlink(lock).code() == 0);
  CHECK_FALSE(holder.exists(lock));
  CHECK(holder.trylock(lock, PR).denied());
}

TEST_CASE_METHOD(Case, "an unlink while an open sleeps blocks the whole directory") {
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

TEST_CASE_METHOD(Case, "list returns exactly the locks with a file on that host") {
  Lock second = new_lock();
  CHECK(holder.trylock(lock, EX).granted());
  CHECK(other.trylock(lock, EX).denied());
  CHECK(other.trylock(second, EX).granted());
  CHECK(holder.list(domain) == std::vector{lock.name});
  CHECK(other.list(domain) ==
        std::vector{std::min(lock.name, second.name), std::max(lock.name, second.name)});
}
