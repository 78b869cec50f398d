#include "guard/state/key_values.hpp"

#include "tests/catch.hpp"

using guard::KeyValues;

TEST_CASE("keys and values are read as they were written") {
  std::string odd = GENERATE("", "web", "a\"b\\c", "line\nfeed", "tab\t",
                             "\xc2\x9b"
                             "31m",
                             "\xe2\x80\xae", "gr\xc3\xb6\xc3\x9f", "not UTF-8 \xff", " = ");
  KeyValues written;
  written.set("text", odd);
  written.set("number", std::int64_t{-7});
  written.set("yes", true);
  auto read = KeyValues::parse(written.to_text());
  REQUIRE(read);
  CHECK(read->text("text", "missing") == odd);
  CHECK(read->number<int>("number") == -7);
  CHECK(read->flag("yes"));
  CHECK(read->to_text() == written.to_text());
}

TEST_CASE("a missing key has the default value") {
  auto read = KeyValues::parse("a = 1\n");
  REQUIRE(read);
  CHECK(read->text("b", "other") == "other");
  CHECK_FALSE(read->number<int>("b"));
  CHECK_FALSE(read->flag("b"));
}

TEST_CASE("a value that is not a number of the requested type is missing") {
  auto read = KeyValues::parse("large = 99999999999\nword = \"x\"\nhalf = 1x\n");
  REQUIRE(read);
  CHECK_FALSE(read->number<int>("large"));
  CHECK(read->number<std::int64_t>("large") == 99999999999);
  CHECK_FALSE(read->number<int>("word"));
  CHECK_FALSE(read->number<int>("half"));
}

TEST_CASE("an invalid text is an error") {
  std::string text = GENERATE("x", "a=1", "a = \"", "a = \"b", "a = \"b\"c\"", "a = \"\\n\"",
                              "a = \"\\u12\"", "a = \"\\u0000\"", "a = 1\na = 2", "[table]");
  CHECK_FALSE(KeyValues::parse(text));
}
