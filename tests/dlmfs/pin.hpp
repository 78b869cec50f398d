#pragma once

#include <sys/types.h>
#include <utility>

#include "dlmfs/mount.hpp"

namespace dlmfs {

/// What the stand-in keeps of one open lock. The descriptor the product has must be a real one: it
/// is polled, closed, duplicated and passed between processes. It is the reading side of a pipe of
/// which this is the writing side, so the product's close is seen here however it came about, and
/// POLLIN can be given and taken back.
class Pin {
 public:
  /// The pin and the product's descriptor. An exclusive one's is open for writing as well.
  [[nodiscard]] static std::pair<Pin, UniqueFd> make(Level level);

  [[nodiscard]] Level level() const { return level_; }
  /// Whether the last copy of the product's descriptor, in whatever process, is closed.
  [[nodiscard]] bool closed() const;
  /// Whether `fd` is the product's descriptor or a copy of it.
  [[nodiscard]] bool opened_as(int fd) const;
  /// Gives the product POLLIN, or takes it back.
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
