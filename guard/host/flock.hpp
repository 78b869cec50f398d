#pragma once

#include "guard/host/state_directory.hpp"

namespace guard {

/// An exclusive flock(2) on a file of the state directory. Excludes other processes of this host;
/// a forked child shares it, and it is released when the last process has closed its copy.
class Flock {
 public:
  /// Never waits. EWOULDBLOCK: another process has it.
  [[nodiscard]] static Result<Flock> try_acquire(const StateDirectory& directory, std::string file);

  /// Removes the file: from then on the flock excludes nobody, though other processes may still
  /// have a copy of it.
  void remove_file() const { std::ignore = directory_->remove(file_); }

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Flock(const StateDirectory& directory, std::string file, UniqueFd fd)
      : directory_(&directory), file_(std::move(file)), fd_(std::move(fd)) {}

  const StateDirectory* directory_;
  std::string file_;
  UniqueFd fd_;
};

}  // namespace guard
