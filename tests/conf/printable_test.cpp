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

TEST_CASE("other control characters become hex") {
  CHECK(printable(std::string_view("\0\x1b[2J\r\x7f", 7)) == "\\x00\\x1b[2J\\x0d\\x7f");
  CHECK(printable("a\u0080b\u009b31mc\u009f") == "a\\u0080b\\u009b31mc\\u009f");
}

TEST_CASE("letters of all scripts stay as they are") {
  for (const char* text : {"größer", "データベース", "\u00a0", "\u07ff", "\u0800", "\uffff",
                           "\U00010000", "\U0001f600", "\U0010ffff"})
    CHECK(printable(text) == text);
}

TEST_CASE("line separators and marks that turn the direction of text are escaped") {
  CHECK(printable("a\u2028b\u2029") == "a\\u2028b\\u2029");
  CHECK(printable("\u061c\u200e\u200f\u202a\u202e\u2066\u2069") ==
        "\\u061c\\u200e\\u200f\\u202a\\u202e\\u2066\\u2069");
}

TEST_CASE("bytes that are not UTF-8 become hex, each for itself") {
  CHECK(printable("\xc3\xa4\xff\x9b") == "\u00e4\\xff\\x9b");
  CHECK(printable("\xc2") == "\\xc2");
  CHECK(printable("\xe3\x83") == "\\xe3\\x83");
  CHECK(printable("\xc1\x9b") == "\\xc1\\x9b");                    // longer than need be
  CHECK(printable("\xe0\x82\x9b") == "\\xe0\\x82\\x9b");           // the same
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");           // a surrogate
  CHECK(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // beyond U+10FFFF
  CHECK(printable("\xc3\x28") == "\\xc3(");
}

TEST_CASE("of a long text the beginning is shown") {
  CHECK(printable("abcdef", 6) == "abcdef");
  CHECK(printable("abcdefg", 6) == "abcdef...");
  CHECK(printable("abc\u00e4", 4) == "abc...");
  CHECK(printable("ab\u30c7x", 4) == "ab...");
  CHECK(printable("ab\u30c7x", 5) == "ab\u30c7...");
  CHECK(printable("\x9b\x9b\x9b\x9b\x9b", 4) == "\\x9b\\x9b\\x9b\\x9b...");
}

TEST_CASE("control characters are found, NUL and DEL among them") {
  CHECK(has_control_characters(std::string_view("a\0", 2)));
  CHECK(has_control_characters("a\nb"));
  CHECK(has_control_characters("\x7f"));
  CHECK_FALSE(has_control_characters("plain ~"));
  CHECK_FALSE(has_control_characters("\xc3\xa4"));
  CHECK_FALSE(has_control_characters(""));
}
