#include "guard/system/abandonable_call.hpp"

#include <cerrno>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guard/system/child_process.hpp"
#include "guard/system/socket_message.hpp"

namespace guard {
namespace {

constexpr std::size_t max_message = 16384;  // the longest message; a longer one is cut
constexpr std::string_view accepted = "accepted";

/// Makes this process one that does not preempt others when it is woken (SCHED_BATCH,
/// check_preempt_wakeup in the kernel's kernel/sched/fair.c). libvirt waits for the parent, so on a
/// busy processor the parent should end before this process does.
void let_others_run_first() {
  sched_param none{};
  std::ignore = ::sched_setscheduler(0, SCHED_BATCH, &none);
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
    ::setsid();
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
