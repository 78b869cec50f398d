#include "guard/command/verbs/lock/signals.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace guard::command {
namespace {

bool ignored(int number) {
  struct sigaction action = {};
  return ::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

/// Returns true if the terminal sent the signal to the foreground process group. The terminal sends
/// ^C and ^\ to that group. When it hangs up, it sends SIGHUP first to the session leader alone,
/// which may be this process, and then to that group.
bool from_terminal(const signalfd_siginfo& signal) {
  if (signal.ssi_code != SI_KERNEL) return false;
  int number = static_cast<int>(signal.ssi_signo);
  if (number == SIGHUP) return ::getsid(0) != ::getpid();
  return number == SIGINT || number == SIGQUIT;
}

}  // namespace

Signals::Signals() {
  sigset_t read;
  ::sigemptyset(&read);
  for (int number : all) {
    if (!ignored(number)) ::sigaddset(&read, number);
  }
  ::sigprocmask(SIG_BLOCK, &read, &before_);
  fd_ = UniqueFd(::signalfd(-1, &read, SFD_CLOEXEC | SFD_NONBLOCK));
}

Signals::~Signals() {
  restore();
}

std::optional<Signals::Signal> Signals::next() const {
  signalfd_siginfo signal{};
  if (::read(fd_.get(), &signal, sizeof signal) != sizeof signal) return std::nullopt;
  return Signal{static_cast<int>(signal.ssi_signo), from_terminal(signal)};
}

Signals::Over Signals::wait(int fd, const Deadline& deadline) const {
  constexpr std::chrono::milliseconds longest_poll{60'000};  // its limit is an int
  for (;;) {
    std::array<pollfd, 2> ready{{{fd_.get(), POLLIN, 0}, {fd, POLLIN, 0}}};
    auto left = std::min(deadline.left(), longest_poll);
    ::poll(ready.data(), ready.size(), static_cast<int>(left.count()));
    Over over{ready[1].revents != 0, next()};
    if (over.ready || over.signal || left == std::chrono::milliseconds::zero()) return over;
  }
}

void Signals::restore() const {
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace guard::command
