#pragma once

#include <array>
#include <csignal>
#include <optional>

#include "guard/system/unique_fd.hpp"

namespace guard::command {

/// The signals that ask this process to end, or would end it, read one by one: while this lives
/// they do nothing else. One that was ignored from the start, as under nohup, stays ignored.
class Signals {
 public:
  static constexpr std::array all = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM};

  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Readable: one has come.
  [[nodiscard]] int fd() const { return fd_.get(); }

  struct Signal {
    int number;
    /// It came from the terminal and went to all of the foreground's processes.
    bool to_whole_group = false;
  };
  /// The next one that has come, if any.
  [[nodiscard]] std::optional<Signal> next() const;

  /// As they were before. For a child that is about to run another program.
  void restore() const;

 private:
  UniqueFd fd_;
  sigset_t before_{};
};

}  // namespace guard::command
