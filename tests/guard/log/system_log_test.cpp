#include "guard/log/system_log.hpp"

#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <regex>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <vector>

#include "guard/log/log_line.hpp"
#include "guard/system/unique_fd.hpp"
#include "tests/catch.hpp"
#include "tests/guard/temporary_directory.hpp"

using namespace guard;
using guard::UniqueFd;

namespace {

/// A fake log daemon with its own socket, and the state directory with the counters of lost lines.
class FakeLogDaemon {
 public:
  FakeLogDaemon() { listen(SOCK_DGRAM); }

  void listen(int type) {
    end();
    listener_ = UniqueFd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket().c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
    if (type == SOCK_STREAM) REQUIRE(::listen(listener_.get(), 4) == 0);
  }

  /// Leaves the socket's file, as a killed daemon does.
  void die() { listener_.reset(); }

  void end() {
    die();
    std::filesystem::remove(socket());
  }

  /// Returns the messages received since the last call.
  std::vector<std::string> read() {
    std::vector<std::string> messages;
    char text[4096];
    for (ssize_t size; (size = ::recv(listener_.get(), text, sizeof text, MSG_DONTWAIT)) > 0;)
      messages.emplace_back(text, static_cast<std::size_t>(size));
    return messages;
  }

  /// Returns the text received since the last call, from a daemon with a stream socket.
  std::string read_stream() {
    std::string all;
    char text[4096];
    for (;;) {
      UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection) return all;
      for (ssize_t size; (size = ::recv(connection.get(), text, sizeof text, 0)) > 0;)
        all.append(text, static_cast<std::size_t>(size));
    }
  }

  /// Sends lines until the daemon's queue is full. Returns the number of lines in the queue.
  std::size_t fill() {
    std::size_t taken = 0;
    for (auto before = lost(); lost() == before;) {
      log(LOG_INFO, "event=filler");
      ++taken;
    }
    return taken - 1;
  }

  [[nodiscard]] std::uintmax_t lost() const {
    std::error_code none;
    auto size = std::filesystem::file_size(state() / SystemLog::lost_file, none);
    return none ? 0 : size;
  }

  [[nodiscard]] std::filesystem::path socket() const { return directory_.path() / "log"; }
  [[nodiscard]] const std::filesystem::path& state() const { return directory_.path(); }

 private:
  TemporaryDirectory directory_;
  UniqueFd listener_;

 public:
  SystemLog log{directory_.path(), socket()};
};

std::string text_of(const std::string& message) {
  return message.substr(message.find("]: ") + 3);
}

int open_descriptors() {
  int count = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

}  // namespace

TEST_CASE_METHOD(FakeLogDaemon, "a line is sent in the syslog format") {
  log(LOG_WARNING, "event=denied vm=web");
  auto messages = read();
  REQUIRE(messages.size() == 1);
  CHECK(
      std::regex_match(messages[0], std::regex(R"(<28>start-guard\[\d+\]: event=denied vm=web)")));
}

TEST_CASE_METHOD(FakeLogDaemon, "a daemon that does not read does not block the caller") {
  fill();
  log(LOG_INFO, "event=one-more");
  CHECK(lost() == 2);
}

TEST_CASE_METHOD(FakeLogDaemon, "lost lines are reported once with their number") {
  std::size_t taken = fill();
  log(LOG_INFO, "event=one-more");
  CHECK(read().size() == taken);

  log(LOG_INFO, "event=next");
  log(LOG_INFO, "event=last");
  auto messages = read();
  REQUIRE(messages.size() == 3);
  CHECK(text_of(messages[0]) == "event=next");
  CHECK(text_of(messages[1]) == "event=log-lines-lost count=2");
  CHECK(messages[1].starts_with("<28>"));
  CHECK(text_of(messages[2]) == "event=last");

  fill();
  read();
  log.report_lost();
  log.report_lost();
  messages = read();
  REQUIRE(messages.size() == 1);
  CHECK(text_of(messages[0]) == "event=log-lines-lost count=1");
}

TEST_CASE_METHOD(FakeLogDaemon, "a lost alarm is sent later with the time when it was written") {
  fill();
  log(LOG_CRIT, "event=conflict vm=web");
  log(LOG_CRIT, "event=conflict vm=db");
  CHECK(lost() == 1);
  read();
  log.report_lost();
  log.report_lost();
  auto messages = read();
  REQUIRE(messages.size() == 3);
  CHECK(messages[0].starts_with("<26>"));
  CHECK(std::regex_match(
      text_of(messages[0]),
      std::regex(R"(event=conflict vm=web written=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4})")));
  CHECK(text_of(messages[1]).starts_with("event=conflict vm=db"));
  CHECK(text_of(messages[2]) == "event=log-lines-lost count=1");
}

TEST_CASE_METHOD(FakeLogDaemon, "alarms that still do not fit are sent later") {
  std::size_t room = fill();
  for (std::size_t i = 0; i < room + 2; ++i)
    log(LOG_CRIT, "event=conflict vm=" + std::to_string(i));
  read();
  CHECK(log.report_lost());
  CHECK(read().size() == room);
  CHECK_FALSE(log.report_lost());
  auto messages = read();
  REQUIRE(messages.size() == 3);
  CHECK(text_of(messages[1]).starts_with("event=conflict vm=" + std::to_string(room + 1) + " "));
  CHECK(text_of(messages[2]) == "event=log-lines-lost count=1");
}

TEST_CASE_METHOD(FakeLogDaemon,
                 "waiting alarms have a size limit and alarms above it are counted as lost") {
  fill();
  std::string line(1000, 'x');
  for (int i = 0; i < 100; ++i)
    log(LOG_CRIT, line);
  CHECK(std::filesystem::file_size(state() / SystemLog::alarms_file) < 70'000);
  CHECK(lost() > 20);
}

TEST_CASE_METHOD(FakeLogDaemon, "only one process reports lost lines at a time") {
  fill();
  read();
  UniqueFd other(::open((state() / SystemLog::reported_file).c_str(), O_RDWR | O_CREAT, 0600));
  REQUIRE(::flock(other.get(), LOCK_EX) == 0);
  log.report_lost();
  CHECK(read().empty());
  other.reset();
  log.report_lost();
  CHECK(read().size() == 1);
}

TEST_CASE_METHOD(FakeLogDaemon, "a restarted daemon gets the next line") {
  log(LOG_INFO, "event=before");
  die();
  log(LOG_INFO, "event=meanwhile");
  CHECK(lost() == 1);
  listen(SOCK_DGRAM);
  log(LOG_INFO, "event=after");
  auto messages = read();
  REQUIRE(messages.size() == 2);
  CHECK(text_of(messages[0]) == "event=after");
  CHECK(text_of(messages[1]) == "event=log-lines-lost count=1");
}

TEST_CASE_METHOD(FakeLogDaemon,
                 "without a daemon no line counts as lost and alarms wait for the daemon") {
  end();
  log(LOG_INFO, "event=granted");
  log(LOG_CRIT, "event=conflict");
  CHECK(lost() == 0);
  listen(SOCK_DGRAM);
  log.report_lost();
  auto messages = read();
  REQUIRE(messages.size() == 1);
  CHECK(text_of(messages[0]).starts_with("event=conflict written="));
}

TEST_CASE_METHOD(FakeLogDaemon, "lines to a daemon with a stream socket end in NUL") {
  listen(SOCK_STREAM);
  log(LOG_INFO, "event=first");
  std::string text = read_stream();
  CHECK(text_of(text) == std::string("event=first") + '\0');

  while (lost() == 0)  // until its backlog is full
    log(LOG_INFO, "event=filler");
  read_stream();
  log(LOG_INFO, "event=second");
  text = read_stream();
  CHECK(text.find("event=second") != std::string::npos);
  CHECK(text.find("event=log-lines-lost count=1") != std::string::npos);
}

TEST_CASE_METHOD(FakeLogDaemon, "logging leaves no descriptor open") {
  int before = open_descriptors();
  fill();
  log(LOG_CRIT, "event=conflict");
  read();
  log.report_lost();
  listen(SOCK_STREAM);
  log(LOG_INFO, "event=on-a-stream");
  CHECK(open_descriptors() == before);
}

TEST_CASE("without a state directory nothing is counted and no call fails") {
  SystemLog log("/nonexistent/state", "/nonexistent/log");
  log(LOG_CRIT, "event=conflict");
  log.report_lost();
  CHECK_FALSE(std::filesystem::exists("/nonexistent"));
}
