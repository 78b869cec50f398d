#include "guard/command/verbs/lock/lock_holder_process.hpp"

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "guard/command/verbs/lock/back_off.hpp"
#include "guard/system/child_process.hpp"
#include "guard/system/deadline.hpp"
#include "guard/system/file.hpp"
#include "guard/system/parse_text.hpp"
#include "guard/system/socket_message.hpp"

namespace guard::command {
namespace {

using Kind = HolderMessage::Kind;

/// Sends a message: its kind in one character, and then `why`. Both ends are the same program.
void send(const UniqueFd& socket, Kind kind, const std::string& why = "") {
  std::ignore = send_message(socket, static_cast<char>('0' + static_cast<int>(kind)) + why);
}

/// Returns true if the other end is closed, or sends anything, within `time`. It sends nothing
/// before it has read the grant.
bool ends_within(const UniqueFd& socket, std::chrono::milliseconds time) {
  pollfd end{socket.get(), POLLIN, 0};
  return ::poll(&end, 1, static_cast<int>(time.count())) == 1;
}

/// Closes every descriptor that was open at exec, because another process may wait until it is
/// closed. They have no FD_CLOEXEC; the descriptors that this program opened have it.
void close_what_was_inherited() {
  std::vector<int> inherited;
  auto open = list_directory("/proc/self/fd");
  for (const std::string& name : open ? *open : std::vector<std::string>()) {
    int fd = whole_number<int>(name).value_or(-1);
    if (fd > STDERR_FILENO && ::fcntl(fd, F_GETFD) == 0) inherited.push_back(fd);
  }
  for (int fd : inherited)
    ::close(fd);
  redirect_to_null({STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO});
}

/// Makes this process independent of its parent: own session, no signals, no inherited descriptors,
/// no working directory in use.
void detach() {
  ::setsid();
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  close_what_was_inherited();
  std::ignore = ::chdir("/");
}

/// Tries until the lock is granted. Returns false if that fails, or if no process waits for it any
/// more.
bool acquire(ClusterLock& lock, const UniqueFd& socket) {
  for (BackOff back_off;;) {
    auto granted = lock.try_once();
    if (!granted) {
      send(socket, Kind::failed, granted.error().what);
      return false;
    }
    send(socket, *granted ? Kind::granted : Kind::denied);
    if (*granted) return true;
    if (ends_within(socket, back_off.next())) return false;
  }
}

/// Waits for the program's pidfd, and then until the program has ended. Returns at once if no
/// program runs.
void wait_for_program(const UniqueFd& socket) {
  auto message = receive_message(socket, 1);
  if (!message || message->descriptors.empty()) return;
  pollfd ended{message->descriptors.front().get(), POLLIN, 0};
  ::poll(&ended, 1, -1);
}

/// Unlocks; retries as long as the file is open here. Returns the last message.
HolderMessage unlock(ClusterLock& lock, const UniqueFd& socket) {
  bool reported = false;
  for (BackOff back_off;;) {
    auto unlocked = lock.unlock();
    if (unlocked) return {Kind::unlocked};
    if (unlocked.error().code != EBUSY) return {Kind::failed, unlocked.error().what};
    if (!reported) send(socket, Kind::busy, unlocked.error().what);
    reported = true;
    std::this_thread::sleep_for(back_off.next());
  }
}

void hold(ClusterLock lock, const Flock& flock, const UniqueFd& socket) {
  detach();
  std::optional<HolderMessage> last;
  if (acquire(lock, socket)) {
    wait_for_program(socket);
    last = unlock(lock, socket);
  }
  flock.remove_file();  // before the last message, after which the next `lock` may start
  if (last) send(socket, last->kind, last->why);
}

}  // namespace

Result<LockHolderProcess> LockHolderProcess::start(ClusterLock lock, const Flock& flock) {
  auto child = fork_child(
      SOCK_SEQPACKET, [&](const UniqueFd& to_parent) { hold(std::move(lock), flock, to_parent); });
  if (!child) return fail(std::move(child).error());
  return LockHolderProcess(std::move(child->socket));
}

std::optional<HolderMessage> LockHolderProcess::receive() const {
  constexpr std::size_t max_size = 1024;
  auto message = receive_message(socket_, max_size);
  if (!message) return std::nullopt;
  return HolderMessage{static_cast<Kind>(message->text.front() - '0'), message->text.substr(1)};
}

Result<void> LockHolderProcess::hold_for_this_process() const {
  UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (!self) return fail(system_error("pidfd_open"));
  if (send_message(socket_, "p", {self.get()})) return {};
  return fail(system_error("the process that keeps the lock has gone"));
}

void LockHolderProcess::release() const {
  ::shutdown(socket_.get(), SHUT_WR);
}

void LockHolderProcess::release_and_wait() const {
  constexpr std::chrono::milliseconds longest_unlock{300};
  release();
  Deadline deadline(longest_unlock);
  for (pollfd ended{socket_.get(), POLLIN, 0};;) {
    int count = ::poll(&ended, 1, static_cast<int>(deadline.left().count()));
    if (count != 1 || !receive()) return;
  }
}

}  // namespace guard::command
