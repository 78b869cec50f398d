#include "guard/command/verbs/lock/interruptible_wait.hpp"

#include <array>
#include <poll.h>

namespace guard::command {

using Why = InterruptibleWait::Over::Why;

InterruptibleWait::Over InterruptibleWait::wait_for(int fd) const {
  return wait(fd, std::nullopt);
}

InterruptibleWait::Over InterruptibleWait::pause(std::chrono::milliseconds time) const {
  return wait(-1, time);
}

InterruptibleWait::Over InterruptibleWait::wait(
    int fd, std::optional<std::chrono::milliseconds> pause) const {
  std::optional<Deadline> pause_end;
  if (pause) pause_end.emplace(*pause);
  for (;;) {
    int limit = -1;
    for (const auto& end : {deadline_, pause_end}) {
      if (!end) continue;
      int left = static_cast<int>(std::min(end->left(), std::chrono::milliseconds(60'000)).count());
      if (limit < 0 || left < limit) limit = left;
    }
    std::array<pollfd, 2> ready{{{signals_.fd(), POLLIN, 0}, {fd, POLLIN, 0}}};
    ::poll(ready.data(), ready.size(), limit);
    if (auto signal = signals_.next()) return {Why::signal, signal->number};
    if (ready[1].revents != 0) return {Why::ready};
    constexpr std::chrono::milliseconds none{0};
    if (deadline_ && deadline_->left() == none) return {Why::time_up};
    if (pause_end && pause_end->left() == none) return {Why::paused};
  }
}

}  // namespace guard::command
