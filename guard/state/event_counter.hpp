#pragma once

#include <cstdint>
#include <string>

#include "guard/state/state_directory.hpp"

namespace guard {

/// Counts events since this host's boot. The counter is a file in the state directory, and its size
/// in bytes is the count. Appending a byte needs no lock, and the count outlives the process.
class EventCounter {
 public:
  enum class Of { denied, hand_overs, alarms, log_lines_lost };

  EventCounter(const StateDirectory& directory, Of what);

  /// Adds one. Does nothing if the state directory is full or read-only.
  void add() const;
  [[nodiscard]] std::uint64_t count() const;

 private:
  const StateDirectory& directory_;
  std::string file_;
};

}  // namespace guard
