#include "guard/command/verbs/lock/lock_holder_process.hpp"

#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "guard/command/verbs/lock/back_off.hpp"

namespace guard::command {
namespace {

/// A Word as it crosses from process to process: both are the same program.
struct Crossing {
  HolderMessage::Kind kind;
  std::array<char, 1024> why;
};

void tell(const UniqueFd& line, const HolderMessage& word) {
  Crossing crossing{word.kind, {}};
  std::size_t length = std::min(word.why.size(), crossing.why.size() - 1);
  std::memcpy(crossing.why.data(), word.why.data(), length);
  std::ignore = ::send(line.get(), &crossing, sizeof crossing, MSG_NOSIGNAL);
}

/// The other end never sends anything before it has been told of the grant.
bool gone_within(const UniqueFd& line, std::chrono::milliseconds time) {
  pollfd end{line.get(), POLLIN, 0};
  return ::poll(&end, 1, static_cast<int>(time.count())) == 1;
}

/// What this process was started with, and its end of which somebody else may wait for. All that
/// this program opens itself is closed at exec, and nothing else can be.
void close_what_was_inherited() {
  std::vector<int> inherited;
  std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir("/proc/self/fd"), ::closedir);
  while (const dirent* entry = open ? ::readdir(open.get()) : nullptr) {
    std::string_view text = entry->d_name;
    int fd = -1;
    std::from_chars(text.data(), text.data() + text.size(), fd);
    if (fd > STDERR_FILENO && ::fcntl(fd, F_GETFD) == 0) inherited.push_back(fd);
  }
  for (int fd : inherited)
    ::close(fd);
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::dup2(null.get(), standard) < 0) ::close(standard);
  }
}

/// Nothing that is meant for who has started it reaches it, nor does it stand in anybody's way.
void leave_its_surroundings() {
  ::setsid();
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  close_what_was_inherited();
  std::ignore = ::chdir("/");
}

/// False: it was not granted, or nobody waits for it any more.
bool take(ClusterLock& lock, const UniqueFd& line) {
  for (BackOff back_off;;) {
    auto granted = lock.try_once();
    if (!granted) {
      tell(line, {HolderMessage::Kind::failed, granted.error().what});
      return false;
    }
    tell(line, {*granted ? HolderMessage::Kind::granted : HolderMessage::Kind::denied});
    if (*granted) return true;
    if (gone_within(line, back_off.next())) return false;
  }
}

/// A pidfd of the program, from the process that becomes it. None: nobody wants the lock. Until
/// then both that process and the one that has started it have the line's other end.
UniqueFd receive_program(const UniqueFd& line) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(line.get(), &message, MSG_CMSG_CLOEXEC) != 1) return UniqueFd();
  const cmsghdr* head = CMSG_FIRSTHDR(&message);
  int fd = -1;
  if (head != nullptr) std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
  return UniqueFd(fd);
}

void wait_for_end(const UniqueFd& program) {
  pollfd ended{program.get(), POLLIN, 0};
  ::poll(&ended, 1, -1);
}

HolderMessage unlock(ClusterLock& lock, const UniqueFd& line) {
  bool told = false;
  for (BackOff back_off;;) {
    auto unlocked = lock.unlock();
    if (unlocked) return {HolderMessage::Kind::unlocked};
    if (unlocked.error().code != EBUSY) return {HolderMessage::Kind::failed, unlocked.error().what};
    if (!told) tell(line, {HolderMessage::Kind::busy, unlocked.error().what});
    told = true;
    std::this_thread::sleep_for(back_off.next());
  }
}

void mind(ClusterLock lock, const HostFlock& turn, const UniqueFd& line) noexcept {
  leave_its_surroundings();
  std::optional<HolderMessage> last;
  if (take(lock, line)) {
    if (UniqueFd program = receive_program(line)) wait_for_end(program);
    last = unlock(lock, line);
  }
  // First: who is told the last word may end at once, and the next one find the lock free.
  turn.dissolve();
  if (last) tell(line, *last);
}

}  // namespace

Result<LockHolderProcess> LockHolderProcess::start(ClusterLock lock, const HostFlock& turn) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail(system_error("socketpair"));
  }
  UniqueFd line(ends[0]);
  UniqueFd minders_end(ends[1]);
  pid_t child = ::fork();
  if (child < 0) return fail(system_error("fork"));
  if (child == 0) {
    line.reset();
    mind(std::move(lock), turn, minders_end);
    ::_exit(0);
  }
  return LockHolderProcess(std::move(line));
}

std::optional<HolderMessage> LockHolderProcess::hear() const {
  Crossing crossing;
  ssize_t size = 0;
  do {
    size = ::recv(line_.get(), &crossing, sizeof crossing, 0);
  } while (size < 0 && errno == EINTR);
  if (size != static_cast<ssize_t>(sizeof crossing)) return std::nullopt;
  return HolderMessage{crossing.kind, crossing.why.data()};
}

Result<void> LockHolderProcess::care_for_this_process() const {
  UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (!self) return fail(system_error("pidfd_open"));
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof(int));
  int fd = self.get();
  std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  if (::sendmsg(line_.get(), &message, MSG_NOSIGNAL) == 1) return {};
  return fail(system_error("the process that keeps the lock has gone"));
}

void LockHolderProcess::let_go() const {
  ::shutdown(line_.get(), SHUT_WR);
}

void LockHolderProcess::dismiss() const {
  // Far more than an unlink takes. If it sleeps in the cluster it is left behind.
  constexpr std::chrono::milliseconds patience{300};
  let_go();
  Deadline deadline(patience);
  for (pollfd ended{line_.get(), POLLIN, 0};;) {
    int count = ::poll(&ended, 1, static_cast<int>(deadline.left().count()));
    if (count != 1 || !hear()) return;
  }
}

}  // namespace guard::command
