#pragma once

#include <functional>

#include "guard/state/state_directory.hpp"

namespace guard {

/// An exclusive flock(2) on a file of the state directory. It excludes other processes of this
/// host. A forked child shares it. The kernel releases it when the last process closes its copy.
class Flock {
 public:
  /// Acquires the flock without waiting. EWOULDBLOCK: another process holds it.
  [[nodiscard]] static Result<Flock> try_acquire(const StateDirectory& directory, std::string file);

  /// Acquires the flock, and tries again every 5 ms while another process holds it, until `give_up`
  /// returns true: then EWOULDBLOCK. Keeps the file open meanwhile.
  [[nodiscard]] static Result<Flock> acquire(const StateDirectory& directory, std::string file,
                                             const std::function<bool()>& give_up);

  /// Removes the file. From then on the flock excludes no process that tries to acquire it, even if
  /// other processes still have a copy of it.
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
