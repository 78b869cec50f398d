#include "conf/escape.hpp"

#include <string>

#include "tests/catch.hpp"

using conf::escape;
using conf::has_control_characters;

TEST_CASE("printable ASCII is not escaped") {
  std::string text;
  for (char character = ' '; character <= '~'; ++character)
    text += character;
  CHECK(escape(text) == text);
}

TEST_CASE("newlines and tabs become the usual backslash escapes") {
  CHECK(escape("a\nb\tc") == "a\\nb\\tc");
}

TEST_CASE("other control characters become hexadecimal escapes") {
  CHECK(escape(std::string_view("\0\x1b[2J\r\x7f", 7)) == "\\x00\\x1b[2J\\x0d\\x7f");
  CHECK(escape("a\u0080b\u009b31mc\u009f") == "a\\u0080b\\u009b31mc\\u009f");
}

TEST_CASE("letters of all scripts are not escaped") {
  for (const char* text : {"größer", "データベース", "\u00a0", "\u07ff", "\u0800", "\uffff",
                           "\U00010000", "\U0001f600", "\U0010ffff"})
    CHECK(escape(text) == text);
}

TEST_CASE("line separators and bidirectional control characters are escaped") {
  CHECK(escape("a\u2028b\u2029") == "a\\u2028b\\u2029");
  CHECK(escape("\u061c\u200e\u200f\u202a\u202e\u2066\u2069") ==
        "\\u061c\\u200e\\u200f\\u202a\\u202e\\u2066\\u2069");
}

TEST_CASE("each byte that is not UTF-8 becomes a hexadecimal escape") {
  CHECK(escape("\xc3\xa4\xff\x9b") == "\u00e4\\xff\\x9b");
  CHECK(escape("\xc2") == "\\xc2");
  CHECK(escape("\xe3\x83") == "\\xe3\\x83");
  CHECK(escape("\xc1\x9b") == "\\xc1\\x9b");                    // longer than necessary
  CHECK(escape("\xe0\x82\x9b") == "\\xe0\\x82\\x9b");           // the same
  CHECK(escape("\xed\xa0\x80") == "\\xed\\xa0\\x80");           // a surrogate
  CHECK(escape("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // beyond U+10FFFF
  CHECK(escape("\xc3\x28") == "\\xc3(");
}

TEST_CASE("a long text is cut and ends in dots") {
  CHECK(escape("abcdef", 6) == "abcdef");
  CHECK(escape("abcdefg", 6) == "abcdef...");
  CHECK(escape("abc\u00e4", 4) == "abc...");
  CHECK(escape("ab\u30c7x", 4) == "ab...");
  CHECK(escape("ab\u30c7x", 5) == "ab\u30c7...");
  CHECK(escape("\x9b\x9b\x9b\x9b\x9b", 4) == "\\x9b\\x9b\\x9b\\x9b...");
}

TEST_CASE("control characters including NUL and DEL are found") {
  CHECK(has_control_characters(std::string_view("a\0", 2)));
  CHECK(has_control_characters("a\nb"));
  CHECK(has_control_characters("\x7f"));
  CHECK_FALSE(has_control_characters("plain ~"));
  CHECK_FALSE(has_control_characters("\xc3\xa4"));
  CHECK_FALSE(has_control_characters(""));
}
