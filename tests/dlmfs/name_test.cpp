#include "dlmfs/name.hpp"

#include "tests/catch.hpp"

using dlmfs::Name;

TEST_CASE("a lock name is 1 to 31 printable bytes") {
  auto text = GENERATE(as<std::string>{}, "a", "master", "Nightly", "a$b", "...", "..a", "!~",
                       std::string(31, 'x'));
  auto name = Name::parse(text);
  REQUIRE(name);
  CHECK(name->text() == text);
}

TEST_CASE("a lock name that the kernel rejects or that is not printable is invalid") {
  auto text =
      GENERATE(as<std::string>{}, "", ".", "..", "/", "a/b", "$", "$a", std::string(32, 'x'), "a b",
               "a\tb", "a\n", "a\x7f", "\xc3\xa9", std::string("a\0b", 3));
  CHECK_FALSE(Name::parse(text));
}
