#pragma once

#include <sys/types.h>
#include <utility>

#include "dlmfs/mount.hpp"

namespace dlmfs {

/// The stand-in's end of one open lock. The product needs a real descriptor, because it polls,
/// closes, duplicates and passes it between processes. The product has the reading side of a pipe,
/// and this object has the writing side. So this object sees every way of closing it, and can set
/// and clear POLLIN.
class Pin {
 public:
  /// Returns the pin and the product's descriptor. An exclusive one is open for reading and
  /// writing.
  [[nodiscard]] static std::pair<Pin, UniqueFd> make(Level level);

  [[nodiscard]] Level level() const { return level_; }
  /// Returns true if every copy of the product's descriptor, in all processes, is closed.
  [[nodiscard]] bool closed() const;
  /// Returns true if `fd` is the product's descriptor or a copy of it.
  [[nodiscard]] bool opened_as(int fd) const;
  /// Sets or clears POLLIN on the product's descriptor.
  void show_queued(bool queued);

 private:
  Pin(Level level, UniqueFd writing_side, ino_t inode)
      : level_(level), writing_side_(std::move(writing_side)), inode_(inode) {}

  Level level_;
  UniqueFd writing_side_;
  ino_t inode_;
  bool shown_ = false;
};

}  // namespace dlmfs
