#include <fcntl.h>
#include <poll.h>
#include <sstream>
#include <stdexcept>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

#include "tests/conformance/connection.hpp"

namespace conformance {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

[[noreturn]] void throw_errno(const std::string& doing) {
  throw std::system_error(errno, std::generic_category(), doing);
}

struct Pipe {
  Pipe() {
    int sides[2];
    if (::pipe2(sides, O_CLOEXEC) != 0) throw_errno("making a pipe");
    reading = guard::UniqueFd(sides[0]);
    writing = guard::UniqueFd(sides[1]);
  }
  guard::UniqueFd reading, writing;
};

/// Runs an agent by a shell command. Commands and replies are lines that begin with a number.
class AgentConnection final : public Connection {
 public:
  explicit AgentConnection(const std::string& command) : command_(command) {
    Pipe there;
    Pipe back;
    shell_ = ::fork();
    if (shell_ < 0) throw_errno("forking");
    if (shell_ == 0) {
      ::dup2(there.reading.get(), STDIN_FILENO);
      ::dup2(back.writing.get(), STDOUT_FILENO);
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    to_agent_ = std::move(there.writing);
    from_agent_ = std::move(back.reading);
  }

  ~AgentConnection() override {
    to_agent_.reset();  // the agent exits at the end of its input
    ::waitpid(shell_, nullptr, 0);
  }

  int send(const std::string& command) override {
    int number = ++last_;
    std::string line = fmt::format("{} {}\n", number, command);
    ssize_t count = ::write(to_agent_.get(), line.data(), line.size());
    if (count != static_cast<ssize_t>(line.size())) throw_errno("writing to: " + command_);
    return number;
  }

  std::optional<Reply> reply(int number, std::chrono::milliseconds patience) override {
    auto end = Clock::now() + patience;
    while (!replies_.contains(number)) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
      if (left <= 0ms || !read_for(left)) return std::nullopt;
    }
    return replies_[number];
  }

 private:
  bool read_for(std::chrono::milliseconds patience) {
    pollfd entry{from_agent_.get(), POLLIN, 0};
    if (::poll(&entry, 1, static_cast<int>(patience.count())) <= 0) return false;
    char chunk[4096];
    ssize_t count = ::read(from_agent_.get(), chunk, sizeof chunk);
    if (count <= 0) throw std::runtime_error("the agent has gone: " + command_);
    read_.append(chunk, static_cast<std::size_t>(count));
    for (std::size_t end; (end = read_.find('\n')) != read_.npos; read_.erase(0, end + 1)) {
      take(read_.substr(0, end));
    }
    return true;
  }

  void take(const std::string& line) {
    std::istringstream words(line);
    int number = 0;
    Reply reply;
    if (!(words >> number >> reply.code)) throw std::runtime_error("no answer: " + line);
    std::getline(words >> std::ws, reply.data);
    replies_[number] = reply;
  }

  std::string command_;
  pid_t shell_ = -1;
  guard::UniqueFd to_agent_;
  guard::UniqueFd from_agent_;
  int last_ = 0;
  std::string read_;
  std::map<int, Reply> replies_;
};

}  // namespace

Connections connect_agents(const std::string& commands) {
  Connections connections;
  connections.patience = {500ms, 20s};
  std::istringstream parts(commands);
  for (std::string command; std::getline(parts, command, ';');) {
    connections.hosts.push_back(std::make_unique<AgentConnection>(command));
  }
  return connections;
}

}  // namespace conformance
