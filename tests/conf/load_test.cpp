#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/escape.hpp"
#include "conf/settings.hpp"
#include "conf/trusted_file.hpp"
#include "tests/catch.hpp"

namespace {

constexpr mode_t trusted_mode = 0644;
constexpr uid_t nobody = 65534;

/// A temporary directory for each test, and the configuration's path in it.
class Place {
 public:
  Place() {
    std::string name = (std::filesystem::temp_directory_path() / "conf-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    directory_ = name;
    REQUIRE(::chmod(name.c_str(), 0755) == 0);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::filesystem::path file() const { return directory_ / "start-guard.toml"; }

  void write(const std::string& text, mode_t mode = trusted_mode) const {
    std::ofstream(file(), std::ios::binary) << text;
    change_mode(mode);
  }
  void change_mode(mode_t mode) const { REQUIRE(::chmod(file().c_str(), mode) == 0); }

  [[nodiscard]] std::string error() const {
    auto settings = conf::load(file());
    REQUIRE_FALSE(settings);
    return settings.error().what;
  }

 private:
  std::filesystem::path directory_;
};

/// Runs this process as a user who is not root until the destructor.
class AsNobody {
 public:
  AsNobody() { REQUIRE(::seteuid(nobody) == 0); }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  ~AsNobody() {
    if (::seteuid(0) != 0) std::abort();
  }
};

std::string unreadable(const Place& place) {
  place.write("", 0);
  if (::geteuid() != 0) return place.error();
  AsNobody here;
  return place.error();
}

}  // namespace

TEST_CASE("a missing file means the defaults") {
  Place place;
  auto settings = conf::load(place.file());
  REQUIRE(settings);
  CHECK(*settings == conf::Settings{});
}

TEST_CASE("an empty file means the defaults") {
  Place place;
  place.write("");
  auto settings = conf::load(place.file());
  REQUIRE(settings);
  CHECK(*settings == conf::Settings{});
}

TEST_CASE("a file is read") {
  Place place;
  place.write("[dlmfs]\ndomain = 'prod'\n");
  auto settings = conf::load(place.file());
  REQUIRE(settings);
  CHECK(settings->dlmfs.domain == "prod");
}

TEST_CASE("a symbolic link is followed") {
  Place place;
  place.write("[dlmfs]\ndomain = 'prod'\n");
  auto link = place.file().string() + ".link";
  std::filesystem::create_symlink(place.file(), link);
  auto settings = conf::load(link);
  REQUIRE(settings);
  CHECK(settings->dlmfs.domain == "prod");
}

TEST_CASE("an error contains the file's path") {
  Place place;
  place.write("[dlmfs]\ndomain = 3\n");
  CHECK(place.error().rfind(place.file().string() + ":2:10: domain cannot be the number 3;", 0) ==
        0);
}

TEST_CASE("the installed shipped file means the defaults") {
  Place place;
  std::filesystem::copy_file(SHIPPED_FILE, place.file());
  place.change_mode(trusted_mode);
  auto settings = conf::load(place.file());
  REQUIRE(settings);
  CHECK(*settings == conf::Settings{});
}

TEST_CASE("a file that group or others can write is an error whose remedy is chmod") {
  auto mode = GENERATE(as<mode_t>{}, 0664, 0646, 0666, 0620, 0602);
  Place place;
  place.write("", mode);
  std::array<char, 8> octal{};
  std::snprintf(octal.data(), octal.size(), "%04o", static_cast<unsigned>(mode));
  CHECK(place.error() == place.file().string() + ": group or others may write it (mode " +
                             octal.data() + "); expected a file only root can write: chmod go-w " +
                             place.file().string());
}

TEST_CASE("a file that others can read but not write is accepted") {
  auto mode = GENERATE(as<mode_t>{}, 0600, 0640, 0644, 0400, 0755);
  Place place;
  place.write("", mode);
  CHECK(conf::load(place.file()));
}

// Only root can create another user's file. Without root, the test checks that a file of root is
// accepted, so it tests something in both cases.
TEST_CASE("a file of another user is an error whose remedy is chown") {
  Place place;
  place.write("");
  if (::geteuid() != 0) {
    CHECK(conf::load("/etc/passwd").error().what.find("belongs to") == std::string::npos);
    return;
  }
  REQUIRE(::chown(place.file().c_str(), nobody, static_cast<gid_t>(-1)) == 0);
  CHECK(place.error() == place.file().string() +
                             ": belongs to uid 65534; expected root's own file: chown root " +
                             place.file().string());
}

TEST_CASE("a directory is an error") {
  Place place;
  std::filesystem::create_directory(place.file());
  CHECK(place.error() == place.file().string() + ": not a regular file; expected one");
}

TEST_CASE("a FIFO is an error and does not block") {
  Place place;
  REQUIRE(::mkfifo(place.file().c_str(), 0600) == 0);
  ::alarm(5);  // ends a test that hangs
  CHECK(place.error() == place.file().string() + ": not a regular file; expected one");
  ::alarm(0);
}

TEST_CASE("a file that cannot be opened is an error and does not mean the defaults") {
  Place place;
  CHECK(unreadable(place) ==
        place.file().string() +
            ": cannot be opened: Permission denied; expected a file that root can read");
}

TEST_CASE("a path below a regular file is an error") {
  Place place;
  place.write("");
  auto settings = conf::load(place.file() / "start-guard.toml");
  REQUIRE_FALSE(settings);
  CHECK(settings.error().what.find("cannot be opened: Not a directory") != std::string::npos);
}

TEST_CASE("a file of 64 KiB is read to its end") {
  Place place;
  std::string text = "\n[dlmfs]\ndomain = 'prod'";
  place.write(std::string(conf::max_file_size - text.size(), '#') + text);
  auto settings = conf::load(place.file());
  REQUIRE(settings);
  CHECK(settings->dlmfs.domain == "prod");
}

TEST_CASE("a file of more than 64 KiB is an error") {
  Place place;
  place.write(std::string(conf::max_file_size + 1, '#'));
  CHECK(place.error() == place.file().string() + ": has 65537 bytes; expected at most 65536");
}

TEST_CASE("a binary file is an error in one printable line") {
  Place place;
  std::string junk;
  for (int value = 255; value >= 0; --value)
    junk += static_cast<char>(value);
  place.write(junk);
  auto message = place.error();
  CHECK(message.rfind(place.file().string() + ":1:", 0) == 0);
  CHECK(conf::escape(message, conf::any_length) == message);
}

TEST_CASE("loading leaves no descriptor open") {
  Place place;
  place.write("[dlmfs]\n");
  int before = ::dup(0);
  ::close(before);
  REQUIRE(conf::load(place.file()));
  place.write("junk");
  REQUIRE_FALSE(conf::load(place.file()));
  int after = ::dup(0);
  ::close(after);
  CHECK(after == before);
}
