#include "conf/settings.hpp"

#include "tests/catch.hpp"

namespace {

conf::Settings exempting(std::vector<std::string> globs) {
  conf::Settings settings;
  settings.guard.exempt = std::move(globs);
  return settings;
}

}  // namespace

TEST_CASE("no VM is exempt by default") {
  CHECK_FALSE(conf::Settings{}.exempts("web1"));
  CHECK_FALSE(conf::Settings{}.exempts(""));
}

TEST_CASE("a VM is exempt if any of the globs is its whole name") {
  auto settings = exempting({"db", "scratch-*", "test-?", "lab[0-9]"});
  CHECK(settings.exempts("db"));
  CHECK(settings.exempts("scratch-"));
  CHECK(settings.exempts("scratch-7"));
  CHECK(settings.exempts("test-1"));
  CHECK(settings.exempts("lab5"));
}

TEST_CASE("a VM is not exempt if a glob is but a part of its name") {
  auto settings = exempting({"db", "scratch-*", "test-?", "lab[0-9]"});
  CHECK_FALSE(settings.exempts("db2"));
  CHECK_FALSE(settings.exempts("mydb"));
  CHECK_FALSE(settings.exempts("my-scratch-7"));
  CHECK_FALSE(settings.exempts("test-10"));
  CHECK_FALSE(settings.exempts("labx"));
  CHECK_FALSE(settings.exempts("DB"));
}

TEST_CASE("in a glob neither a slash nor a leading dot is special") {
  CHECK(exempting({"*"}).exempts("a/b"));
  CHECK(exempting({"*"}).exempts(".hidden"));
}

TEST_CASE("a backslash takes a glob's character literally") {
  CHECK(exempting({"a\\*"}).exempts("a*"));
  CHECK_FALSE(exempting({"a\\*"}).exempts("ab"));
}
