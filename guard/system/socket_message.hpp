#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guard/system/unique_fd.hpp"

namespace guard {

/// A message received from a Unix socket of type SOCK_SEQPACKET, with the descriptors passed along
/// (SCM_RIGHTS, see unix(7)).
struct SocketMessage {
  std::string text;
  std::vector<UniqueFd> descriptors = {};
};

/// Sends `text` as one message, and duplicates of up to four descriptors with it. Returns false on
/// any error, for example if the other end is closed. Blocks while the socket's buffer is full,
/// unless `flags` contain MSG_DONTWAIT.
[[nodiscard]] bool send_message(const UniqueFd& socket, std::string_view text,
                                const std::vector<int>& descriptors = {}, int flags = 0);

/// Receives one message of at most `max_size` bytes; a longer one is truncated. Returns nullopt at
/// the end of the connection and on any error. Blocks until there is a message, unless `flags`
/// contain MSG_DONTWAIT.
[[nodiscard]] std::optional<SocketMessage> receive_message(const UniqueFd& socket,
                                                           std::size_t max_size, int flags = 0);

}  // namespace guard
