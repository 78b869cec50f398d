#include "guard/host/disk_io.hpp"

#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/socket.h>
#include <unistd.h>

#include "guard/lock/last_run.hpp"
#include "tests/catch.hpp"
#include "tests/guard/fake_host.hpp"

using namespace guard;
using State = OrphanedIo::State;

namespace {

/// A fake /proc with the lines of /proc/locks, and processes with open files.
class ProcWithLocks {
 public:
  explicit ProcWithLocks(const std::string& locks) { write("locks", locks); }

  void write(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories((path() / file).parent_path());
    std::ofstream(path() / file) << text;
  }
  /// Adds an open file with these locks to a process.
  void open_file(int pid, int fd, const std::string& locks) const {
    std::string text = "pos:\t0\nflags:\t02140002\nmnt_id:\t24\n";
    for (std::size_t at = 0; at < locks.size(); at = locks.find('\n', at) + 1)
      text += "lock:\t" + locks.substr(at, locks.find('\n', at) - at) + "\n";
    write(fmt::format("{}/fdinfo/{}", pid, fd), text);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return directory_.path(); }
  [[nodiscard]] OrphanedIo left(const FileIds& only = {}) const {
    return find_orphaned_io(only, path());
  }

 private:
  TemporaryDirectory directory_;
};

const std::string others =
    "3: POSIX  ADVISORY  WRITE 263 00:1f:24 0 0\n4: FLOCK  ADVISORY  WRITE 1 00:1f:25 0 EOF\n"
    "5: -> OFDLCK ADVISORY  WRITE -1 00:05:98 0 EOF\n";

/// Returns an open file on which this process holds an OFD lock, as QEMU does.
UniqueFd locked_file(const std::filesystem::path& path) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  struct flock range = {};
  range.l_type = F_RDLCK;
  range.l_whence = SEEK_SET;
  range.l_start = 100;
  range.l_len = 2;
  REQUIRE(::fcntl(file.get(), F_OFD_SETLK, &range) == 0);
  return file;
}

}  // namespace

TEST_CASE("an OFD lock that no process holds is I/O in flight to its file") {
  ProcWithLocks proc(image_locks + others);
  proc.open_file(7, 3, "1: POSIX  ADVISORY  WRITE 263 00:1f:24 0 0\n");
  auto left = proc.left();
  CHECK(left.state == State::in_flight);
  CHECK(left.files == FileIds{"00:05:98"});
}

TEST_CASE("without an OFD lock there is no I/O in flight") {
  CHECK(ProcWithLocks("").left().state == State::none);
  CHECK(ProcWithLocks(others).left().state == State::none);
}

TEST_CASE("a lock that a living process holds is not I/O in flight") {
  ProcWithLocks proc(image_locks);
  proc.open_file(7, 12, image_locks);
  CHECK(proc.left().state == State::none);
}

TEST_CASE("each holder of a shared image has its own locks") {
  ProcWithLocks proc(image_locks + image_locks);
  proc.open_file(7, 12, image_locks);
  SECTION("the other holder is dead") {
    CHECK(proc.left().state == State::in_flight);
  }
  SECTION("the other holder is alive") {
    proc.open_file(8, 12, image_locks);
    CHECK(proc.left().state == State::none);
  }
  SECTION("a second descriptor of the first holder is not the other holder") {
    proc.open_file(7, 13, image_locks);
    CHECK(proc.left().state == State::in_flight);
  }
}

TEST_CASE("only locks of the requested files count") {
  ProcWithLocks proc(image_locks);
  CHECK(proc.left({"00:05:98"}).state == State::in_flight);
  CHECK(proc.left({"00:05:9", "00:05:980", "0:05:98"}).state == State::none);
}

TEST_CASE("a lock without a known holder is no proof if a process's files are unreadable") {
  ProcWithLocks proc(image_locks);
  proc.write("7/fdinfo", "not a folder");
  auto left = proc.left();
  CHECK(left.state == State::cannot_tell);
  CHECK(left.why.find("CAP_SYS_PTRACE") != std::string::npos);
  proc.open_file(8, 12, image_locks);
  CHECK(proc.left().state == State::none);
}

TEST_CASE("the result is unknown if /proc/locks cannot be read") {
  TemporaryDirectory empty;
  auto left = find_orphaned_io({}, empty.path());
  CHECK(left.state == State::cannot_tell);
  CHECK(left.why.find("locks") != std::string::npos);
}

TEST_CASE("a damaged line counts as I/O in flight") {
  ProcWithLocks proc("1: OFDLCK \n2: OFDLCK x");
  CHECK(proc.left().state == State::in_flight);
}

TEST_CASE("the kernel shows the lock of an open file that no process has any more") {
  TemporaryDirectory directory;
  UniqueFd file = locked_file(directory.path() / "image");
  FileIds image = locked_files(::getpid());
  REQUIRE(image.size() == 1);
  CHECK(find_orphaned_io(image).state == State::none);
  // While the descriptor is in the socket's queue, the file is open, but no process has it.
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0);
  UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  int fd = file.get();
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  REQUIRE(::sendmsg(from.get(), &message, 0) == 1);
  file.reset();
  auto left = find_orphaned_io(image);
  CHECK(left.state != State::none);
  CHECK(left.files == image);
  to.reset();
  from.reset();
  CHECK(find_orphaned_io(image).state == State::none);
}

TEST_CASE("disk_list names at most three disks") {
  CHECK(disk_list(std::nullopt) == "a disk");
  CHECK(disk_list({{"/dev/a", "/b"}}) == "/dev/a, /b");
  CHECK(disk_list({{"1", "2", "3", "4"}}) == "1, 2, 3, …");
}
