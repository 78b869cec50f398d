#include "conf/duration.hpp"

#include <string>
#include <utility>

#include "tests/catch.hpp"

using conf::parse_duration;
using namespace std::chrono_literals;

TEST_CASE("a duration is an integer and its unit") {
  CHECK(parse_duration("500ms") == 500ms);
  CHECK(parse_duration("10s") == 10s);
  CHECK(parse_duration("2m") == 2min);
  CHECK(parse_duration("1h") == 1h);
}

TEST_CASE("one hour is the longest duration in every unit") {
  auto text = GENERATE(as<std::string>{}, "3600000ms", "3600s", "60m", "1h");
  CHECK(parse_duration(text) == conf::longest_duration);
}

TEST_CASE("a duration of more than one hour is invalid") {
  auto text = GENERATE(as<std::string>{}, "3600001ms", "3601s", "61m", "2h", "4294967295h",
                       "4294967296ms", "99999999999999999999s");
  CHECK_FALSE(parse_duration(text));
}

TEST_CASE("a text that is not exactly an integer and its unit is not a duration") {
  auto text = GENERATE(as<std::string>{}, "", "10", "s", "10x", "10S", "10 s", " 10s", "10s ",
                       "10s\n", "-1s", "+1s", "1.5s", "1e3s", "0x1s", "10sec", "1m30s", "1d");
  CHECK_FALSE(parse_duration(text));
}
