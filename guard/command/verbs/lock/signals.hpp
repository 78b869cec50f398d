#pragma once

#include <array>
#include <csignal>
#include <optional>

#include "guard/system/deadline.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard::command {

/// The signals that ask this process to end, or would end it. While this object exists, they have
/// no other effect, and are read one by one. A signal that was ignored at the start, as under
/// nohup(1), stays ignored.
class Signals {
 public:
  static constexpr std::array all = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM};

  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  struct Signal {
    int number;
    /// True: the terminal sent it to the whole foreground process group.
    bool to_whole_group = false;
  };
  /// Returns the next signal that has arrived, or nullopt. Does not block.
  [[nodiscard]] std::optional<Signal> next() const;

  /// Why a wait ended.
  struct Over {
    bool ready = false;  ///< the descriptor is readable
    std::optional<Signal> signal = std::nullopt;
  };
  /// Blocks until a signal arrives, or `fd` is readable, or the deadline. `fd`: -1 for none.
  [[nodiscard]] Over wait(int fd, const Deadline& deadline) const;

  /// Restores the signal mask from before. For a child that is about to execute another program.
  void restore() const;

 private:
  UniqueFd fd_;
  sigset_t before_{};
};

}  // namespace guard::command
