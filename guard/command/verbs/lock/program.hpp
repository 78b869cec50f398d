#pragma once

#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "guard/system/result.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard::command {

/// A child process that runs another program.
class Program {
 public:
  /// Starts the program `arguments`; searches PATH for the first argument. Calls `prepare` in the
  /// child process before exec. If `prepare` or exec fails, the child prints the error to standard
  /// error and exits. Fails if fork(2) or pidfd_open(2) fails.
  [[nodiscard]] static Result<Program> start(const std::vector<std::string>& arguments,
                                             const std::function<Result<void>()>& prepare);

  /// Readable if the program has ended.
  [[nodiscard]] int fd() const { return pidfd_.get(); }
  /// Sends a signal to the program. Call it before `wait`.
  void send(int signal) const;
  /// Blocks until the program ends. Returns its status as a shell does: 128 + N if signal N killed
  /// it, 127 if it was not found, 126 if it could not be executed.
  [[nodiscard]] int wait() const;

 private:
  Program(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_;
  UniqueFd pidfd_;
};

}  // namespace guard::command
