#include "guard/lock/abandonable_call.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guard/system/result.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard {
namespace {

/// An Answer as it crosses from child to hook: both are the same program.
struct Crossing {
  Answer::Kind kind;
  bool has_holder, has_qemu, shared, kept;
  std::array<char, 64> host;
  std::chrono::sys_seconds since, told;
  Holder::State state;
  Process qemu;
  std::array<char, 1024> why;
};

template <std::size_t size>
void put(std::array<char, size>& place, const std::string& text) {
  std::size_t length = std::min(text.size(), size - 1);
  std::memcpy(place.data(), text.data(), length);
  place[length] = '\0';
}

Crossing to_crossing(const Answer& answer) {
  Crossing crossing{};
  crossing.kind = answer.kind;
  crossing.shared = answer.shared;
  crossing.kept = answer.kept;
  put(crossing.why, answer.why);
  if (answer.holder) {
    crossing.has_holder = true;
    put(crossing.host, answer.holder->host);
    crossing.since = answer.holder->since;
    crossing.told = answer.holder->told;
    crossing.state = answer.holder->state;
  }
  if (answer.qemu) {
    crossing.has_qemu = true;
    crossing.qemu = *answer.qemu;
  }
  return crossing;
}

Answer from_crossing(const Crossing& crossing) {
  Answer answer{crossing.kind, crossing.why.data()};
  if (crossing.has_holder) {
    answer.holder = Holder{crossing.host.data(), crossing.since, crossing.told, crossing.state};
  }
  if (crossing.has_qemu) answer.qemu = crossing.qemu;
  answer.shared = crossing.shared;
  answer.kept = crossing.kept;
  return answer;
}

/// The hook's end of a forked errand. One byte from the hook: what was granted is taken over. The
/// end of the line without it, be it that the hook was killed: clean up.
class Forked final : public PendingCall {
 public:
  explicit Forked(UniqueFd line) : line_(std::move(line)) {}

  ~Forked() override {
    if (taken_over_ || left_behind_) return;
    // The child has answered and sleeps no more: see it through, so that what it leaves to
    // libvirt's next call is clean. Half a second is far more than it needs, and with the calls to
    // the keeper it stays within the second that a hook may go on after its deadline.
    constexpr int patience = 500;
    ::shutdown(line_.get(), SHUT_WR);
    pollfd ended{line_.get(), POLLIN, 0};
    ::poll(&ended, 1, patience);
  }

  Answer answer(const Deadline& deadline) override {
    Answer latest{Answer::Kind::no_answer};
    for (;;) {
      pollfd ready{line_.get(), POLLIN, 0};
      int count = ::poll(&ready, 1, static_cast<int>(deadline.left().count()));
      if (count < 0 && errno == EINTR) continue;
      if (count != 1) break;
      Crossing crossing;
      ssize_t size = ::recv(line_.get(), &crossing, sizeof crossing, 0);
      if (size != static_cast<ssize_t>(sizeof crossing)) {
        return Answer{Answer::Kind::failed, "the child that asked the cluster was killed"};
      }
      latest = from_crossing(crossing);
      if (latest.kind != Answer::Kind::asking) return latest;
    }
    left_behind_ = true;
    return latest;
  }

  [[nodiscard]] bool left_behind() const override { return left_behind_; }

  void take_over() override {
    constexpr char yes = 1;
    taken_over_ = ::send(line_.get(), &yes, 1, MSG_NOSIGNAL) == 1;
  }

 private:
  UniqueFd line_;
  bool left_behind_ = false;
  bool taken_over_ = false;
};

class Unsendable final : public PendingCall {
 public:
  explicit Unsendable(Error error) : error_(std::move(error)) {}
  Answer answer(const Deadline&) override { return Answer{Answer::Kind::failed, error_.what}; }
  [[nodiscard]] bool left_behind() const override { return false; }
  void take_over() override {}

 private:
  Error error_;
};

void leave_libvirts_stdio() {
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::dup2(null.get(), standard) < 0) ::close(standard);
  }
}

void run_in_child(AbandonableCall& errand, UniqueFd line) {
  ::setsid();  // no ^C of an operator's shell ends what must clean up after itself
  leave_libvirts_stdio();
  auto tell = [&](const Answer& answer) {
    Crossing crossing = to_crossing(answer);
    std::ignore = ::send(line.get(), &crossing, sizeof crossing, MSG_NOSIGNAL);
  };
  Answer answer = errand.run(tell);
  tell(answer);
  char taken_over = 0;
  ssize_t heard = 0;
  do {
    heard = ::recv(line.get(), &taken_over, 1, 0);
  } while (heard < 0 && errno == EINTR);
  if (heard != 1) errand.clean_up(answer);
}

}  // namespace

std::unique_ptr<PendingCall> ForkingCallRunner::send(AbandonableCall& errand) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return std::make_unique<Unsendable>(system_error("socketpair"));
  }
  UniqueFd hooks_end(ends[0]);
  UniqueFd childs_end(ends[1]);
  pid_t child = ::fork();
  if (child < 0) return std::make_unique<Unsendable>(system_error("fork"));
  if (child == 0) {
    hooks_end.reset();
    run_in_child(errand, std::move(childs_end));
    ::_exit(0);
  }
  return std::make_unique<Forked>(std::move(hooks_end));
}

}  // namespace guard
