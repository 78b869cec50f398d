#include "guard/system/file.hpp"

#include <algorithm>
#include <fstream>

#include "guard/system/unique_fd.hpp"
#include "tests/catch.hpp"
#include "tests/guard/temporary_directory.hpp"

using namespace guard;

TEST_CASE("list_directory returns each entry once and no dots") {
  TemporaryDirectory directory;
  CHECK(list_directory(directory.path()).value().empty());
  // More than fit into one call of getdents64.
  std::vector<std::string> files;
  for (int number = 10000; number < 13000; ++number) {
    files.push_back(std::to_string(number));
    std::ofstream(directory.path() / files.back());
  }
  auto names = list_directory(directory.path()).value();
  std::sort(names.begin(), names.end());
  CHECK(names == files);
}

TEST_CASE("list_directory names the directory that it cannot list") {
  TemporaryDirectory directory;
  std::ofstream(directory.path() / "file");
  auto missing = list_directory(directory.path() / "missing");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ENOENT);
  CHECK(missing.error().what.find((directory.path() / "missing").native()) != std::string::npos);
  auto file = list_directory(directory.path() / "file");
  REQUIRE_FALSE(file);
  CHECK(file.error().code == ENOTDIR);
}
