#include "dlmfs/lock_name.hpp"

#include "tests/catch.hpp"

using dlmfs::LockName;
using dlmfs::Name;
using dlmfs::Uuid;

TEST_CASE("a lock name is 23 characters of the UUID and 8 characters of base64url") {
  auto uuid = Uuid::parse("d0c3b7a4-1111-4222-8333-4444555566ff");
  REQUIRE(uuid);
  CHECK(LockName(*uuid).text() == "d0c3b7a4-1111-4222-8333RERVVWb_");
}

TEST_CASE("each lock name has 31 bytes and begins as the UUID and converts back to it") {
  auto text =
      GENERATE(as<std::string>{}, "00000000-0000-0000-0000-000000000000",
               "ffffffff-ffff-ffff-ffff-ffffffffffff", "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9");
  LockName name(*Uuid::parse(text));
  CHECK(name.text().size() == 31);
  CHECK(name.text().substr(0, 23) == text.substr(0, 23));
  CHECK(name.uuid().text() == text);
  auto again = LockName::parse(name.text());
  REQUIRE(again);
  CHECK(*again == name);
}

TEST_CASE("a UUID that libvirt does not print is invalid") {
  auto text =
      GENERATE(as<std::string>{}, "", "d0c3b7a4-1111-4222-8333-4444555566f",
               "d0c3b7a4-1111-4222-8333-4444555566fff", "D0C3B7A4-1111-4222-8333-4444555566FF",
               "d0c3b7a4111142228333444455556600", " 0c3b7a4-1111-4222-8333-4444555566ff",
               "d0c3b7a4-1111-4222-8333-4444555566fg", "d0c3b7a4-1111-4222-8333+4444555566ff");
  CHECK_FALSE(Uuid::parse(text));
}

TEST_CASE("a file name that is not a VM's lock is invalid") {
  auto text = GENERATE(as<std::string>{}, "", "master", "d0c3b7a4-1111-4222-8333RERVVWb",
                       "d0c3b7a4-1111-4222-8333RERVVWb!", "D0c3b7a4-1111-4222-8333RERVVWb_");
  CHECK_FALSE(LockName::parse(text));
}

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
