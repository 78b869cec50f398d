#pragma once

#include <string>

namespace guard::command {

/// As sysexits(3) has them, where there is one.
enum class ExitStatus {
  ok = 0,
  failed = 1,          ///< it is not so, or was refused
  usage = 64,          ///< the arguments are wrong
  unavailable = 69,    ///< the cluster or libvirt did not answer
  no_permission = 77,  ///< this needs root
  configuration = 78,  ///< start-guard.toml has a mistake
};

/// What a verb came to. It prints nothing itself: it may be left behind in the kernel.
struct Outcome {
  int status = 0;   ///< an ExitStatus; `check` and `lock` have their own
  std::string out;  ///< data, for stdout
  std::string err;  ///< talk, for stderr
};

[[nodiscard]] inline Outcome failure(ExitStatus status, const std::string& what) {
  return {static_cast<int>(status), "", "start-guard: " + what + "\n"};
}

}  // namespace guard::command
