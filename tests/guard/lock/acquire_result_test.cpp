#include "guard/lock/acquire_result.hpp"

#include "tests/catch.hpp"

using namespace guard;

TEST_CASE("the result of an acquire is read as it was written") {
  Holder holder{"node1", std::chrono::sys_seconds(std::chrono::seconds(7)),
                std::chrono::sys_seconds(std::chrono::seconds(8)), Holder::State::no_migration};
  AcquireResult written{AcquireResult::Kind::denied,
                        "a \"reason\"\n",
                        holder,
                        LastRun{LastRun::Kind::qemu_alive, "why", Process{12, 34}},
                        true,
                        true};
  AcquireResult read = acquire_result_from(to_text(written));
  CHECK(read.kind == written.kind);
  CHECK(read.why == written.why);
  CHECK(read.holder == holder);
  REQUIRE(read.last_run);
  CHECK(read.last_run->kind == LastRun::Kind::qemu_alive);
  CHECK(read.last_run->why == "why");
  CHECK(read.last_run->qemu.pid == 12);
  CHECK(read.last_run->qemu.start_time == 34);
  CHECK(read.shared);
  CHECK(read.kept);
}

TEST_CASE("a result without a holder or a last run is read without them") {
  AcquireResult read = acquire_result_from(to_text(AcquireResult{}));
  CHECK(read.kind == AcquireResult::Kind::no_answer);
  CHECK_FALSE(read.holder);
  CHECK_FALSE(read.last_run);
  CHECK_FALSE(read.shared);
}

TEST_CASE("the result of an unlock is read as it was written") {
  UnlockResult read = unlock_result_from(
      to_text(UnlockResult{UnlockResult::Kind::last_run, "",
                           LastRun{LastRun::Kind::io_in_flight, std::string(5000, 'x')}}));
  CHECK(read.kind == UnlockResult::Kind::last_run);
  REQUIRE(read.last_run);
  CHECK(read.last_run->why == std::string(1000, 'x'));
}

TEST_CASE("an invalid result text is a failure") {
  CHECK(acquire_result_from("granted").kind == AcquireResult::Kind::failed);
  CHECK(unlock_result_from("").kind == UnlockResult::Kind::failed);
}

TEST_CASE("a result fits into a message even if every character of its texts is escaped") {
  std::string controls(5000, '\x01');
  UnlockResult result{UnlockResult::Kind::last_run, controls,
                      LastRun{LastRun::Kind::io_in_flight, controls}};
  CHECK(to_text(result).size() < 16'000);
  CHECK(unlock_result_from(to_text(result)).why == std::string(1000, '\x01'));
}
