#include "guard/command/run_in_child.hpp"

#include <array>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

#include "guard/system/deadline.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard::command {
namespace {

/// An outcome as it crosses from child to parent; the two texts follow.
struct Head {
  int status;
  std::size_t out, err;
};

void write_all(int fd, const void* data, std::size_t size) {
  const char* from = static_cast<const char*>(data);
  while (size > 0) {
    ssize_t written = ::write(fd, from, size);
    if (written <= 0) ::_exit(1);
    from += written;
    size -= static_cast<std::size_t>(written);
  }
}

[[noreturn]] void be_the_child(int line, const std::function<Outcome()>& work) {
  // Whoever reads what the command prints waits for the end of it: not for that of a child left
  // behind.
  int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(null, STDIN_FILENO);
  ::dup2(null, STDOUT_FILENO);
  Outcome outcome;
  try {
    outcome = work();
  } catch (const std::exception& bug) {
    outcome = failure(ExitStatus::failed, std::string("unexpected error: ") + bug.what());
  }
  Head head{outcome.status, outcome.out.size(), outcome.err.size()};
  write_all(line, &head, sizeof head);
  write_all(line, outcome.out.data(), outcome.out.size());
  write_all(line, outcome.err.data(), outcome.err.size());
  ::_exit(0);
}

std::optional<Outcome> outcome_in(const std::string& crossing) {
  Head head{};
  if (crossing.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, crossing.data(), sizeof head);
  if (crossing.size() != sizeof head + head.out + head.err) return std::nullopt;
  return Outcome{head.status, crossing.substr(sizeof head, head.out),
                 crossing.substr(sizeof head + head.out)};
}

/// False at the deadline.
bool read_until(const Deadline& deadline, int line, std::string& text) {
  std::array<char, 65536> part;
  for (;;) {
    pollfd ready{line, POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(deadline.left().count())) == 0) return false;
    ssize_t size = ::read(line, part.data(), part.size());
    if (size <= 0) return true;
    text.append(part.data(), static_cast<std::size_t>(size));
  }
}

}  // namespace

std::optional<Outcome> run_in_child(std::chrono::milliseconds limit,
                                    const std::function<Outcome()>& work) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe2");
  }
  UniqueFd line(ends[0]);
  UniqueFd childs_end(ends[1]);
  Deadline deadline(limit);
  pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    line.reset();
    be_the_child(childs_end.get(), work);
  }
  childs_end.reset();
  std::string crossing;
  if (!read_until(deadline, line.get(), crossing)) {
    ::kill(child, SIGKILL);  // when it wakes
    return std::nullopt;
  }
  ::waitpid(child, nullptr, 0);
  auto outcome = outcome_in(crossing);
  if (!outcome) throw std::runtime_error("the process that did the work was killed");
  return outcome;
}

}  // namespace guard::command
