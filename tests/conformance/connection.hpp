#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/conformance/interpreter.hpp"

namespace conformance {

/// The connection to one host. Replies can arrive in any order, because a command can sleep for as
/// long as another host keeps a lock.
class Connection {
 public:
  virtual ~Connection() = default;
  /// Returns the command's number.
  [[nodiscard]] virtual int send(const std::string& command) = 0;
  /// Returns the reply, or nullopt if it does not arrive within `patience`.
  [[nodiscard]] virtual std::optional<Reply> reply(int number,
                                                   std::chrono::milliseconds patience) = 0;
};

/// The time without a reply after which a call counts as asleep, and the time to wait for a reply
/// that must arrive.
struct InterruptibleWait {
  std::chrono::milliseconds asleep{0};
  std::chrono::milliseconds awake{0};
};

struct Connections {
  std::vector<std::unique_ptr<Connection>> hosts;
  InterruptibleWait patience;
};

/// Connects to three hosts of a stand-in.
[[nodiscard]] Connections connect_stand_in();
/// Connects to real hosts. `commands`: for each host the command that runs dlmfs_agent there,
/// separated by ';'.
[[nodiscard]] Connections connect_agents(const std::string& commands);

}  // namespace conformance
