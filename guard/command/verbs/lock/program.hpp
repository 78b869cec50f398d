#pragma once

#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "guard/system/result.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard::command {

/// Another program, run by this one.
class Program {
 public:
  /// Runs `arguments`, the first of which is looked for in PATH. `prepare` is called in the new
  /// process before; if it fails its error is said there, as one that the program can't be run is.
  [[nodiscard]] static Result<Program> start(const std::vector<std::string>& arguments,
                                             const std::function<Result<void>()>& prepare);

  /// Readable: it has ended.
  [[nodiscard]] int fd() const { return pidfd_.get(); }
  /// Before `wait`.
  void send(int signal) const;
  /// Waits for its end. The status as a shell has it: 128 + N when signal N ended it, 127 when it
  /// was not found, 126 when it could not be run.
  [[nodiscard]] int wait() const;

 private:
  Program(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_;
  UniqueFd pidfd_;
};

}  // namespace guard::command
