#include "guard/system/socket_message.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <sys/socket.h>

namespace guard {
namespace {

constexpr std::size_t max_descriptors = 4;

using Control = std::array<char, CMSG_SPACE(max_descriptors * sizeof(int))>;

std::vector<UniqueFd> descriptors_in(msghdr& message) {
  std::vector<UniqueFd> descriptors;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
      descriptors.emplace_back(fd);
    }
  }
  return descriptors;
}

}  // namespace

bool send_message(const UniqueFd& socket, std::string_view text,
                  const std::vector<int>& descriptors, int flags) {
  iovec part{const_cast<char*>(text.data()), text.size()};  // sendmsg(2) only reads it
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) Control control{};
  if (!descriptors.empty()) {
    std::size_t size = descriptors.size() * sizeof(int);
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(rights), descriptors.data(), size);
  }
  ssize_t sent = ::sendmsg(socket.get(), &message, MSG_NOSIGNAL | flags);
  return sent == static_cast<ssize_t>(text.size());
}

std::optional<SocketMessage> receive_message(const UniqueFd& socket, std::size_t max_size,
                                             int flags) {
  auto buffer = std::make_unique_for_overwrite<char[]>(max_size);
  iovec part{buffer.get(), max_size};
  alignas(cmsghdr) Control control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = 0;
  do {
    size = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC | flags);
  } while (size < 0 && errno == EINTR);
  if (size <= 0) return std::nullopt;
  return SocketMessage{std::string(buffer.get(), static_cast<std::size_t>(size)),
                       descriptors_in(message)};
}

}  // namespace guard
