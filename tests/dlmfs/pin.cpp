#include "tests/dlmfs/pin.hpp"

#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/stat.h>

namespace dlmfs {
namespace {

/// Opens the same pipe again.
UniqueFd reopen(const UniqueFd& fd, int flags) {
  std::string path = "/proc/self/fd/" + std::to_string(fd.get());
  UniqueFd again(::open(path.c_str(), flags | O_CLOEXEC));
  if (!again) throw std::system_error(errno, std::generic_category(), "reopening a pipe");
  return again;
}

}  // namespace

std::pair<Pin, UniqueFd> Pin::make(Level level) {
  int sides[2];
  if (::pipe2(sides, O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "making a pipe");
  }
  UniqueFd reading_side(sides[0]);
  UniqueFd writing_side(sides[1]);
  struct stat found = {};
  if (::fstat(sides[1], &found) != 0) throw std::runtime_error("a pipe without an inode");
  if (level == Level::exclusive) reading_side = reopen(reading_side, O_RDWR);
  return {Pin(level, std::move(writing_side), found.st_ino), std::move(reading_side)};
}

bool Pin::closed() const {
  // poll(2) reports POLLERR for a pipe's writing side when no reading side is open.
  pollfd side{writing_side_.get(), 0, 0};
  return ::poll(&side, 1, 0) == 1 && (side.revents & POLLERR) != 0;
}

bool Pin::opened_as(int fd) const {
  struct stat found = {};
  return ::fstat(fd, &found) == 0 && found.st_ino == inode_ && S_ISFIFO(found.st_mode);
}

void Pin::show_queued(bool queued) {
  if (queued == shown_) return;
  shown_ = queued;
  UniqueFd reading_side = reopen(writing_side_, O_RDONLY | O_NONBLOCK);  // avoids SIGPIPE
  char byte = 0;
  ssize_t moved =
      queued ? ::write(writing_side_.get(), &byte, 1) : ::read(reading_side.get(), &byte, 1);
  if (moved != 1) throw std::runtime_error("a pipe that does not take or give a byte");
}

}  // namespace dlmfs
