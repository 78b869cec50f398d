#include "guard/command/run_in_child.hpp"

#include <array>
#include <csignal>
#include <exception>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard/system/child_process.hpp"
#include "guard/system/deadline.hpp"

namespace guard::command {
namespace {

Outcome outcome_of(const std::function<Outcome()>& work) {
  try {
    return work();
  } catch (const std::exception& bug) {
    return failure(ExitStatus::failed, std::string("unexpected error: ") + bug.what());
  }
}

/// Encodes as CBOR (RFC 8949), since the texts need not be UTF-8.
std::vector<std::uint8_t> encode(const Outcome& outcome) {
  auto bytes = [](const std::string& text) {
    return nlohmann::json::binary({text.begin(), text.end()});
  };
  return nlohmann::json::to_cbor({outcome.status, bytes(outcome.out), bytes(outcome.err)});
}

std::optional<Outcome> decode(const std::vector<std::uint8_t>& message) {
  auto parts = nlohmann::json::from_cbor(message, true, false);
  if (!parts.is_array() || parts.size() != 3) return std::nullopt;
  auto text = [](const nlohmann::json& part) {
    return std::string(part.get_binary().begin(), part.get_binary().end());
  };
  return Outcome{parts[0].get<int>(), text(parts[1]), text(parts[2])};
}

void send_all(const UniqueFd& socket, const std::vector<std::uint8_t>& message) {
  for (std::size_t sent = 0; sent < message.size();) {
    ssize_t count =
        ::send(socket.get(), message.data() + sent, message.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return;
    sent += static_cast<std::size_t>(count);
  }
}

/// Reads until the child closes its end. Returns nullopt at the deadline.
std::optional<std::vector<std::uint8_t>> read_until(const Deadline& deadline,
                                                    const UniqueFd& socket) {
  std::vector<std::uint8_t> message;
  for (std::array<std::uint8_t, 65536> part;;) {
    pollfd ready{socket.get(), POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(deadline.left().count())) == 0) return std::nullopt;
    ssize_t size = ::read(socket.get(), part.data(), part.size());
    if (size <= 0) return message;
    message.insert(message.end(), part.data(), part.data() + size);
  }
}

}  // namespace

Result<std::optional<Outcome>> run_in_child(std::chrono::milliseconds limit,
                                            const std::function<Outcome()>& work) {
  Deadline deadline(limit);
  auto child = fork_child(SOCK_STREAM, [&](const UniqueFd& to_parent) {
    redirect_to_null({STDIN_FILENO, STDOUT_FILENO});
    send_all(to_parent, encode(outcome_of(work)));
  });
  if (!child) return fail(std::move(child).error());
  auto message = read_until(deadline, child->socket);
  if (!message) {
    ::kill(child->pid, SIGKILL);
    return std::nullopt;
  }
  ::waitpid(child->pid, nullptr, 0);
  auto outcome = decode(*message);
  if (!outcome) return fail(Error{EPIPE, "the process that did the work was killed"});
  return outcome;
}

}  // namespace guard::command
