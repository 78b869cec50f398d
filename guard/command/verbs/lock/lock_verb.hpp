#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "guard/command/verbs/lock/lock.hpp"

namespace guard::command {

/// The verb `lock` on the command line.
class LockVerb {
 public:
  /// Adds the verb to `command`. Cuts what is behind the first "--" off the arguments, if they call
  /// this verb: it is another program's, and CLI11 would make something of its own of some of it.
  LockVerb(CLI::App& command, int& argc, const char* const* argv);
  LockVerb(const LockVerb&) = delete;
  LockVerb& operator=(const LockVerb&) = delete;

  [[nodiscard]] bool parsed() const { return verb_->parsed(); }
  [[nodiscard]] LockRequest order() const;
  /// The exit status, or the signal's end of this process.
  [[nodiscard]] int run() const;

 private:
  void add_options();

  CLI::App* verb_;
  std::vector<std::string> program_;
  std::string domain_ = "locks";
  std::string name_;
  bool once_ = false;
  std::optional<double> seconds_;
  int conflict_status_ = 1;
};

}  // namespace guard::command
