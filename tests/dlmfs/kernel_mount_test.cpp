#include "dlmfs/kernel_mount.hpp"

#include "tests/catch.hpp"

using dlmfs::KernelMount;

TEST_CASE("a plain directory is no dlmfs, where every lock would be granted to every host") {
  auto folder = std::filesystem::temp_directory_path();
  auto mount = KernelMount::open(folder);
  REQUIRE_FALSE(mount);
  CHECK(mount.error().code == ENOTTY);
  CHECK(mount.error().what.find(folder.string() + " is not dlmfs") == 0);
}

TEST_CASE("a mount that is not there, or is no directory, is told by its path") {
  auto [path, code] = GENERATE(
      table<std::string, int>({{"/dlm-that-is-not-there", ENOENT}, {"/dev/null", ENOTDIR}}));
  auto mount = KernelMount::open(path);
  REQUIRE_FALSE(mount);
  CHECK(mount.error().code == code);
  CHECK(mount.error().what.find("opening " + path) == 0);
}
