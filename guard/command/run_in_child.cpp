#include "guard/command/run_in_child.hpp"

#include <array>
#include <csignal>
#include <exception>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard/system/child_process.hpp"
#include "guard/system/deadline.hpp"
#include "guard/system/parse_text.hpp"

namespace guard::command {
namespace {

Outcome outcome_of(const std::function<Outcome()>& work) {
  try {
    return work();
  } catch (const std::exception& bug) {
    return failure(ExitStatus::failed, std::string("unexpected error: ") + bug.what());
  }
}

/// The status and the sizes of the two texts, then the texts, which may contain any byte. JSON's
/// binary forms would be read byte by byte, and a list of 10,000 locks has a megabyte.
std::string encode(const Outcome& outcome) {
  return fmt::format("{} {} {}\n{}{}", outcome.status, outcome.out.size(), outcome.err.size(),
                     outcome.out, outcome.err);
}

/// Returns nullopt if the message is not complete.
std::optional<Outcome> decode(std::string_view message) {
  std::string_view head = take_until('\n', message);
  auto status = whole_number<int>(take_until(' ', head));
  auto out_size = whole_number<std::size_t>(take_until(' ', head));
  auto err_size = whole_number<std::size_t>(head);
  if (!status || !out_size || !err_size || message.size() != *out_size + *err_size) {
    return std::nullopt;
  }
  return Outcome{*status, std::string(message.substr(0, *out_size)),
                 std::string(message.substr(*out_size))};
}

void send_all(const UniqueFd& socket, std::string_view message) {
  while (!message.empty()) {
    ssize_t count = ::send(socket.get(), message.data(), message.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    message.remove_prefix(static_cast<std::size_t>(count));
  }
}

/// Reads until the child closes its end. Returns nullopt at the deadline.
std::optional<std::string> read_until(const Deadline& deadline, const UniqueFd& socket) {
  std::string message;
  for (std::array<char, 65536> part;;) {
    pollfd ready{socket.get(), POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(deadline.left().count())) == 0) return std::nullopt;
    ssize_t size = ::read(socket.get(), part.data(), part.size());
    if (size <= 0) return message;
    message.append(part.data(), static_cast<std::size_t>(size));
  }
}

}  // namespace

Result<std::optional<Outcome>> run_in_child(std::chrono::milliseconds limit,
                                            const std::function<Outcome()>& work) {
  Deadline deadline(limit);
  auto child = fork_child(SOCK_STREAM, [&](const UniqueFd& to_parent) {
    redirect_to_null({STDIN_FILENO, STDOUT_FILENO});
    if (::isatty(STDERR_FILENO) == 0) redirect_to_null({STDERR_FILENO});
    send_all(to_parent, encode(outcome_of(work)));
    ::shutdown(to_parent.get(), SHUT_WR);  // a process that `work` abandoned has a copy of it
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
