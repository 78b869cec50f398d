#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guard/system/unique_fd.hpp"

namespace guard {

/// A message received from a Unix socket of type SOCK_SEQPACKET, with the descriptors passed with
/// it (SCM_RIGHTS, see unix(7)).
struct SocketMessage {
  std::string text;
  std::vector<UniqueFd> descriptors = {};
};

/// Sends `text` as one message, with duplicates of up to four descriptors. Returns false on any
/// error, for example if the other end is closed. Blocks while the socket's buffer is full, unless
/// `flags` contains MSG_DONTWAIT.
[[nodiscard]] bool send_message(const UniqueFd& socket, std::string_view text,
                                const std::vector<int>& descriptors = {}, int flags = 0);

/// Receives one message and truncates it to `max_size` bytes. Returns nullopt at the end of the
/// connection and on any error. Blocks until there is a message, unless `flags` contains
/// MSG_DONTWAIT.
[[nodiscard]] std::optional<SocketMessage> receive_message(const UniqueFd& socket,
                                                           std::size_t max_size, int flags = 0);

}  // namespace guard
