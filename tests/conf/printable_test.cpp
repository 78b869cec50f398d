#include "conf/printable.hpp"

#include <string>

#include "tests/catch.hpp"

using conf::has_control_characters;
using conf::printable;

TEST_CASE("printable ASCII stays as it is") {
  std::string text;
  for (char character = ' '; character <= '~'; ++character)
    text += character;
  CHECK(printable(text) == text);
}

TEST_CASE("line ends and tabs become the escapes everyone knows") {
  CHECK(printable("a\nb\tc") == "a\\nb\\tc");
}

TEST_CASE("other control characters and bytes beyond ASCII become hex") {
  CHECK(printable(std::string_view("\0\x1b[2J\r\x7f", 7)) == "\\x00\\x1b[2J\\x0d\\x7f");
  CHECK(printable("\xc3\xa4\xff") == "\\xc3\\xa4\\xff");
}

TEST_CASE("of a long text the beginning is shown") {
  CHECK(printable("abcdef", 6) == "abcdef");
  CHECK(printable("abcdefg", 6) == "abcdef...");
}

TEST_CASE("control characters are found, NUL and DEL among them") {
  CHECK(has_control_characters(std::string_view("a\0", 2)));
  CHECK(has_control_characters("a\nb"));
  CHECK(has_control_characters("\x7f"));
  CHECK_FALSE(has_control_characters("plain ~"));
  CHECK_FALSE(has_control_characters("\xc3\xa4"));
  CHECK_FALSE(has_control_characters(""));
}
