#include "guard/host/vm_flock.hpp"

#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "guard/lock/denial.hpp"

namespace guard {
namespace {

constexpr std::string_view waiting_mark = "waits for the cluster: ";

/// A file that another hook has removed while this one waited for it excludes nobody.
bool still_there(int fd) {
  struct stat found = {};
  return ::fstat(fd, &found) == 0 && found.st_nlink > 0;
}

std::string text_in(int fd) {
  char text[256];
  ssize_t count = ::pread(fd, text, sizeof text, 0);
  return count > 0 ? std::string(text, static_cast<std::size_t>(count)) : std::string();
}

void put_text(int fd, const std::string& text) {
  // Only a message depends on it: an error here is no reason to refuse anything.
  if (::ftruncate(fd, 0) == 0) std::ignore = ::pwrite(fd, text.data(), text.size(), 0);
}

Error taken(const std::string& holder) {
  if (holder.starts_with(waiting_mark)) {
    return Error{EWOULDBLOCK,
                 fmt::format("an earlier attempt ({}) still waits for the cluster; it cleans up "
                             "after itself once the cluster answers: try again then",
                             holder.substr(waiting_mark.size()))};
  }
  return Error{EWOULDBLOCK,
               fmt::format("another hook call ({}) is still running for this VM", holder)};
}

}  // namespace

Result<VmFlock> VmFlock::acquire(const StateDirectory& directory, const dlmfs::Uuid& uuid,
                                 const std::string& operation, const Deadline& deadline) {
  constexpr std::chrono::milliseconds pause{5};
  std::string file = uuid.text() + ".flock";
  for (;;) {
    auto fd = directory.open_for_flock(file);
    if (!fd) return fail(std::move(fd).error());
    if (::flock(fd->get(), LOCK_EX | LOCK_NB) == 0) {
      if (!still_there(fd->get())) continue;
      put_text(fd->get(), fmt::format("{}, pid {}, since {}", operation, ::getpid(),
                                      time_text(now_in_seconds())));
      return VmFlock(directory, file, std::move(*fd));
    }
    if (errno != EWOULDBLOCK) return fail(system_error("flock " + directory.path_of(file)));
    std::string holder = text_in(fd->get());
    if (holder.starts_with(waiting_mark) || deadline.left() <= std::chrono::milliseconds::zero()) {
      return fail(taken(holder));
    }
    std::this_thread::sleep_for(pause);
  }
}

void VmFlock::left_waiting() const {
  put_text(fd_.get(), std::string(waiting_mark) + text_in(fd_.get()));
}

void VmFlock::dissolve() && {
  std::ignore = directory_->remove(file_);
  fd_.reset();
}

}  // namespace guard
