#include "conf/settings.hpp"

#include "tests/catch.hpp"

namespace {

const std::string uuid = "d0c3b7a4-1111-4222-8333-4444555566ff";

conf::Settings exempting(std::vector<std::string> globs) {
  conf::Settings settings;
  settings.guard.exempt = std::move(globs);
  return settings;
}

}  // namespace

TEST_CASE("no VM is exempt by default") {
  CHECK_FALSE(conf::Settings{}.exempts("web1", uuid));
  CHECK_FALSE(conf::Settings{}.exempts("", uuid));
}

TEST_CASE("a VM is exempt if a glob matches its whole name") {
  auto settings = exempting({"db", "scratch-*", "test-?", "lab[0-9]"});
  CHECK(settings.exempts("db", uuid));
  CHECK(settings.exempts("scratch-", uuid));
  CHECK(settings.exempts("scratch-7", uuid));
  CHECK(settings.exempts("test-1", uuid));
  CHECK(settings.exempts("lab5", uuid));
}

TEST_CASE("a VM is not exempt if a glob matches only a part of its name") {
  auto settings = exempting({"db", "scratch-*", "test-?", "lab[0-9]"});
  CHECK_FALSE(settings.exempts("db2", uuid));
  CHECK_FALSE(settings.exempts("mydb", uuid));
  CHECK_FALSE(settings.exempts("my-scratch-7", uuid));
  CHECK_FALSE(settings.exempts("test-10", uuid));
  CHECK_FALSE(settings.exempts("labx", uuid));
  CHECK_FALSE(settings.exempts("DB", uuid));
}

TEST_CASE("a slash and a leading dot are not special in a glob") {
  CHECK(exempting({"*"}).exempts("a/b", uuid));
  CHECK(exempting({"*"}).exempts(".hidden", uuid));
}

TEST_CASE("a backslash in a glob escapes the next character") {
  CHECK(exempting({"a\\*"}).exempts("a*", uuid));
  CHECK_FALSE(exempting({"a\\*"}).exempts("ab", uuid));
}

TEST_CASE("a UUID entry exempts the VM with that UUID whatever its name is") {
  for (const char* entry :
       {"d0c3b7a4-1111-4222-8333-4444555566ff", "D0C3B7A4-1111-4222-8333-4444555566FF"}) {
    auto settings = exempting({entry});
    CHECK(settings.exempts("web", uuid));
    CHECK_FALSE(settings.exempts("web", "d0c3b7a4-1111-4222-8333-4444555566fe"));
  }
}

TEST_CASE("a VM whose name is an exempt UUID is not exempt") {
  CHECK_FALSE(exempting({uuid}).exempts(uuid, "00000000-0000-4000-8000-000000000001"));
}

TEST_CASE("an entry that is almost a UUID is a name") {
  for (const std::string entry :
       {"d0c3b7a4-1111-4222-8333-4444555566f", "d0c3b7a4-1111-4222-8333-*",
        "d0c3b7a4-1111-4222-8333-4444555566fg", "d0c3b7a441111-4222-8333-4444555566ff"}) {
    CHECK_FALSE(exempting({entry}).exempts("web", uuid));
    CHECK(exempting({entry}).exempts(entry, uuid));
  }
}
