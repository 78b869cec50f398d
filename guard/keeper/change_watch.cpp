#include "guard/keeper/change_watch.hpp"

#include <array>
#include <fcntl.h>
#include <sys/inotify.h>

namespace guard {
namespace {

/// Without IN_ATTRIB: a file whose times alone are set does not count as written.
constexpr std::uint32_t changes =
    IN_CREATE | IN_MODIFY | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF;

UniqueFd watched_directory(const std::filesystem::path& directory) {
  UniqueFd inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify || ::inotify_add_watch(inotify.get(), directory.c_str(), changes) < 0) return {};
  return inotify;
}

}  // namespace

ChangeWatch::ChangeWatch(EventLoop& loop, const std::filesystem::path& directory,
                         std::chrono::milliseconds delay, Check check)
    : loop_(loop),
      delay_(delay),
      check_(std::move(check)),
      files_(watched_directory(directory)),
      mounts_(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)) {
  // Never remove this watch: epoll_ctl(2) reads, and so forgets, a change that came before it.
  if (mounts_) mounts_watch_ = loop_.while_exceptional(mounts_.get(), [this] { check_soon(); });
  check_soon();
}

/// Does not watch the files until the check is called: each change would wake the process up.
void ChangeWatch::check_soon() {
  if (timer_) return;
  files_watch_.reset();
  timer_ = loop_.after(delay_, [this] { check_now(); });
}

void ChangeWatch::check_now() {
  timer_.reset();
  std::array<char, 4096> discarded{};
  while (files_ && ::read(files_.get(), discarded.data(), discarded.size()) > 0) {
  }
  bool again = check_();
  if (again || !files_ || !mounts_) return check_soon();
  files_watch_ = loop_.while_readable(files_.get(), [this] { check_soon(); });
}

}  // namespace guard
