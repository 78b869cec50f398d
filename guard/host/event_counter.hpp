#pragma once

#include <cstdint>
#include <string>

#include "guard/host/state_directory.hpp"

namespace guard {

/// How often something has happened since this host's boot: a file in the state directory, as many
/// bytes long. To append one needs no lock, and the count outlives whoever did it.
class EventCounter {
 public:
  enum class Of { denied, hand_overs, alarms, log_lines_lost };

  EventCounter(const StateDirectory& directory, Of what);

  /// Counts one more; where the state directory is full or read-only it goes uncounted.
  void add() const;
  [[nodiscard]] std::uint64_t count() const;

 private:
  const StateDirectory& directory_;
  std::string file_;
};

}  // namespace guard
