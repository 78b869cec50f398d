#include "dlmfs/kernel_mount.hpp"

#include "tests/catch.hpp"

using dlmfs::KernelMount;

TEST_CASE("open of a plain directory fails because it is not dlmfs") {
  auto folder = std::filesystem::temp_directory_path();
  auto mount = KernelMount::open(folder);
  REQUIRE_FALSE(mount);
  CHECK(mount.error().code == ENOTTY);
  CHECK(mount.error().what.find(folder.string() + " is not dlmfs") == 0);
}

TEST_CASE("open fails with the path if it is missing or not a directory") {
  auto [path, code] = GENERATE(
      table<std::string, int>({{"/dlm-that-is-not-there", ENOENT}, {"/dev/null", ENOTDIR}}));
  auto mount = KernelMount::open(path);
  REQUIRE_FALSE(mount);
  CHECK(mount.error().code == code);
  CHECK(mount.error().what.find("opening " + path) == 0);
}
