#include "guard/log.hpp"

#include "tests/catch.hpp"

using guard::log_line;

TEST_CASE("an event is one line of key=value") {
  CHECK(log_line("granted", {{"vm", "web1"}, {"since", "2026-11-22T21:30:05"}}) ==
        "event=granted vm=web1 since=2026-11-22T21:30:05");
}

TEST_CASE("a value that is not plain is quoted, and can't forge a line or a field") {
  CHECK(log_line("denied", {{"vm", "web 1"}}) == R"(event=denied vm="web 1")");
  CHECK(log_line("denied", {{"vm", ""}}) == R"(event=denied vm="")");
  CHECK(log_line("denied", {{"vm", "a\" event=\"b"}}) == R"(event=denied vm="a\" event=\"b")");
  CHECK(log_line("denied", {{"vm", "a\nevent=b\\"}}) == R"(event=denied vm="a\u000aevent=b\\")");
}
