#include "guard/system/abandonable_call.hpp"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guard/system/child_process.hpp"
#include "guard/system/socket_message.hpp"

namespace guard {
namespace {

constexpr std::size_t max_message = 16384;  // the longest message; a longer one is cut
constexpr std::string_view accepted = "accepted";

/// Lets others run first on a busy processor: libvirt waits for the parent, so the parent should
/// end before this process does. A batch process does not preempt others when it is woken, and
/// since Linux 6.12 a long slice puts off its turn (check_preempt_wakeup_fair and __setparam_fair
/// in the kernel's kernel/sched). Both count only within the parent's session: the kernel may
/// schedule each session as one group (kernel/sched/autogroup.c).
void let_others_run_first() {
  struct {  // the kernel's sched_attr, which the C library has only since glibc 2.41
    std::uint32_t size = 48, policy = SCHED_BATCH;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t slice = 100'000'000;  // nanoseconds, the longest that the kernel accepts
    std::uint64_t deadline = 0, period = 0;
  } batch;
  static_assert(sizeof batch == 48);
  std::ignore = ::syscall(SYS_sched_setattr, 0, &batch, 0);
}

/// The parent's end of a forked call. The parent sends one message when it accepts the result. The
/// child cleans up if the connection ends without that message.
class ForkedCall final : public PendingCall {
 public:
  explicit ForkedCall(UniqueFd socket) : socket_(std::move(socket)) {}

  ~ForkedCall() override {
    if (accepted_ || abandoned_) return;
    // The child has sent its last message, so it no longer sleeps in the kernel. Wait until it has
    // cleaned up, so that it does not interfere with libvirt's next call. A hook may take one
    // second after its deadline; this wait and the calls to the keeper together stay within that.
    constexpr int longest_clean_up = 500;
    ::shutdown(socket_.get(), SHUT_WR);
    pollfd ended{socket_.get(), POLLIN, 0};
    ::poll(&ended, 1, longest_clean_up);
  }

  Result<std::string> receive(const Deadline& deadline) override {
    for (;;) {
      pollfd ready{socket_.get(), POLLIN, 0};
      int count = ::poll(&ready, 1, static_cast<int>(deadline.left().count()));
      if (count < 0 && errno == EINTR) continue;
      if (count == 1) break;
      abandoned_ = true;
      return fail(system_error("waiting for the child", ETIMEDOUT));
    }
    auto message = receive_message(socket_, max_message);
    if (!message) return fail(Error{EPIPE, "the child that asked the cluster was killed"});
    return std::move(message->text);
  }

  [[nodiscard]] bool abandoned() const override { return abandoned_; }

  void accept() override { accepted_ = send_message(socket_, accepted); }

 private:
  UniqueFd socket_;
  bool abandoned_ = false;
  bool accepted_ = false;
};

class UnstartedCall final : public PendingCall {
 public:
  explicit UnstartedCall(Error error) : error_(std::move(error)) {}
  Result<std::string> receive(const Deadline&) override { return fail(error_); }
  [[nodiscard]] bool abandoned() const override { return false; }
  void accept() override {}

 private:
  Error error_;
};

}  // namespace

std::unique_ptr<PendingCall> ForkingCallRunner::start(AbandonableCall& call) {
  auto child = fork_child(SOCK_SEQPACKET, [&](const UniqueFd& to_parent) {
    ::setpgid(0, 0);
    std::signal(SIGHUP, SIG_IGN);  // sent if this is stopped when its parent ends (kernel/exit.c)
    redirect_to_null({STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO});
    let_others_run_first();
    call.run([&](const std::string& message) {
      std::ignore = send_message(to_parent, message.substr(0, max_message));
    });
    if (!receive_message(to_parent, max_message)) call.clean_up();
  });
  if (!child) return std::make_unique<UnstartedCall>(std::move(child).error());
  return std::make_unique<ForkedCall>(std::move(child->socket));
}

}  // namespace guard
