#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/conformance/interpreter.hpp"

namespace conformance {

/// The way to one host: commands go there and answers come back, in whatever order, because a
/// command can sleep for as long as another host likes.
class Connection {
 public:
  virtual ~Connection() = default;
  /// Gives the command's number.
  [[nodiscard]] virtual int send(const std::string& command) = 0;
  /// The answer, if it comes within `patience`.
  [[nodiscard]] virtual std::optional<Reply> reply(int number,
                                                   std::chrono::milliseconds patience) = 0;
};

/// How long a call must not have come back to be taken for asleep, and how long one that must come
/// back is waited for.
struct InterruptibleWait {
  std::chrono::milliseconds asleep{0};
  std::chrono::milliseconds awake{0};
};

struct Connections {
  std::vector<std::unique_ptr<Connection>> hosts;
  InterruptibleWait patience;
};

/// Three hosts of a stand-in.
[[nodiscard]] Connections connect_stand_in();
/// Real hosts: for each the command, separated by ';', that runs dlmfs_agent there.
[[nodiscard]] Connections connect_agents(const std::string& commands);

}  // namespace conformance
