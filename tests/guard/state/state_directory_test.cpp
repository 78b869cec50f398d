#include "guard/state/state_directory.hpp"

#include <algorithm>
#include <sys/stat.h>

#include "tests/catch.hpp"
#include "tests/guard/temporary_directory.hpp"

using namespace guard;

TEST_CASE("the state directory is created with mode 0700") {
  TemporaryDirectory parent;
  REQUIRE(StateDirectory::open(parent.path() / "state"));
  struct stat found = {};
  REQUIRE(::stat((parent.path() / "state").c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0700);
}

TEST_CASE("a state directory that cannot be created is an error with its path") {
  auto state = StateDirectory::open("/proc/start-guard");
  REQUIRE_FALSE(state);
  CHECK(state.error().what.find("/proc/start-guard") != std::string::npos);
}

TEST_CASE("write replaces a file as a whole and leaves no temporary file") {
  TemporaryDirectory parent;
  auto state = StateDirectory::open(parent.path()).value();
  REQUIRE(state.write("a", "one, the longer text"));
  REQUIRE(state.write("a", "two"));
  CHECK(state.read("a").value() == "two");
  auto files = state.list().value();
  CHECK(std::count_if(files.begin(), files.end(),
                      [](const std::string& file) { return file.find("a") != file.npos; }) == 1);
}

TEST_CASE("a write that fails leaves the old content") {
  TemporaryDirectory parent;
  auto state = StateDirectory::open(parent.path()).value();
  REQUIRE(state.write("a", "one"));
  std::filesystem::create_directory(parent.path() / ".a.new");
  CHECK_FALSE(state.write("a", "two"));
  CHECK(state.read("a").value() == "one");
}
