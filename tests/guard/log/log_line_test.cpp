#include "guard/log/log_line.hpp"

#include "tests/catch.hpp"

using guard::log_line;

TEST_CASE("an event is one line of key=value") {
  CHECK(log_line(guard::events.granted, {{"vm", "web1"}, {"since", "2026-11-22T21:30:05"}}) ==
        "event=granted vm=web1 since=2026-11-22T21:30:05");
}

TEST_CASE("a value with special characters is quoted and cannot forge a line or a field") {
  CHECK(log_line(guard::events.denied, {{"vm", "web 1"}}) == R"(event=denied vm="web 1")");
  CHECK(log_line(guard::events.denied, {{"vm", ""}}) == R"(event=denied vm="")");
  CHECK(log_line(guard::events.denied, {{"vm", "a\" event=\"b"}}) ==
        R"(event=denied vm="a\" event=\"b")");
  CHECK(log_line(guard::events.denied, {{"vm", "a\nevent=b\\"}}) ==
        R"(event=denied vm="a\u000aevent=b\\")");
}

TEST_CASE("control characters are escaped and letters are not") {
  CHECK(log_line(guard::events.denied, {{"vm", "gr\u00f6\u00dfer"}}) ==
        "event=denied vm=\"gr\u00f6\u00dfer\"");
  CHECK(log_line(guard::events.denied, {{"vm", "a\u009b31m\u202e"}}) ==
        R"(event=denied vm="a\u009b31m\u202e")");
  CHECK(log_line(guard::events.denied, {{"vm", "a\x9b"}}) == R"(event=denied vm="a\x9b")");
}
