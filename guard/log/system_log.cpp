#include "guard/log/system_log.hpp"

#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <tuple>
#include <unistd.h>

#include <fmt/format.h>

#include "guard/log/log_line.hpp"
#include "guard/system/file.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard {
namespace {

/// How much of lost_file and alarms_file has been reported. This is the content of reported_file.
struct Reported {
  std::uint64_t lost = 0;    ///< lines
  std::uint64_t alarms = 0;  ///< bytes
};

/// The maximum size in bytes of the alarms that wait for the daemon. Further alarms are only
/// counted.
constexpr std::uint64_t most_alarms = 65536;

/// Returns a message in the format of glibc's syslog(3) without its optional time: every log daemon
/// then notes when it has received the message (RFC 3164, 4.3.2). The local time would cost as much
/// as several of the hook's other file operations, because libc reads the time zone for it.
std::string message_for(int priority, std::string_view line) {
  return fmt::format("<{}>start-guard[{}]: {}", LOG_DAEMON | priority, ::getpid(), line);
}

/// Returns the time for a line that is sent later.
std::string now_with_zone() {
  std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char text[64] = {};
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S%z", &local)};
}

Reported read_reported(int fd) {
  Reported reported;
  std::ignore = ::pread(fd, &reported, sizeof reported, 0);
  return reported;
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::size_t length = std::min(path.size(), sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path.c_str(), length);
  return address;
}

}  // namespace

void SystemLog::operator()(int priority, const std::string& line) const {
  SendResult sent = send(message_for(priority, line));
  if (sent == SendResult::yes) {
    report_lost();
  } else {
    keep(priority, line, sent);
  }
}

SystemLog::SendResult SystemLog::send(const std::string& message) const {
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return SendResult::no;
  sockaddr_un address = address_of(socket_);
  ssize_t size = ::sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                          reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (size == static_cast<ssize_t>(message.size())) return SendResult::yes;
  if (errno == EPROTOTYPE) return send_as_stream(message);
  return errno == ENOENT ? SendResult::no_daemon : SendResult::no;
}

/// Sends to a daemon that listens on a stream socket. There a NUL ends each message, as in glibc.
SystemLog::SendResult SystemLog::send_as_stream(const std::string& message) const {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address = address_of(socket_);
  std::size_t size = message.size() + 1;
  bool sent =
      fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(fd.get(), message.c_str(), size, MSG_NOSIGNAL | MSG_DONTWAIT) ==
          static_cast<ssize_t>(size);
  return sent ? SendResult::yes : SendResult::no;
}

/// Keeps an alarm for later, or counts any other line as lost. If there is no log daemon, counts
/// nothing, because there is no log that could miss a line. It keeps an alarm even then, because a
/// daemon that restarts may remove its socket for a moment.
void SystemLog::keep(int priority, const std::string& line, SendResult result) const {
  UniqueFd file(::open(path_of(reported_file).c_str(), O_RDONLY | O_CLOEXEC));
  std::uint64_t waiting = size_of(alarms_file) - read_reported(file.get()).alarms;
  if (priority <= LOG_CRIT && waiting < most_alarms) {
    return append(alarms_file,
                  message_for(priority, line) + log_fields({{"written", now_with_zone()}}) + "\n");
  }
  if (result != SendResult::no_daemon) append(lost_file, ".");
}

bool SystemLog::report_lost() const {
  std::uint64_t lost = size_of(lost_file);
  if (lost == 0 && size_of(alarms_file) == 0) return false;
  UniqueFd file(::open(path_of(reported_file).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  // If another process holds the flock, that process reports.
  if (!file || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return true;
  Reported reported = read_reported(file.get());
  Reported now = reported;
  now.alarms = report_alarms(reported.alarms);
  if (lost > reported.lost &&
      send(message_for(
          events.log_lines_lost.priority,
          log_line(events.log_lines_lost, {{"count", std::to_string(lost - reported.lost)}}))) ==
          SendResult::yes) {
    now.lost = lost;
  }
  if (now.lost != reported.lost || now.alarms != reported.alarms) {
    std::ignore = ::pwrite(file.get(), &now, sizeof now, 0);
  }
  return now.lost < lost || now.alarms < size_of(alarms_file);
}

std::uint64_t SystemLog::report_alarms(std::uint64_t reported) const {
  if (size_of(alarms_file) <= reported) return reported;
  auto text = read_file(path_of(alarms_file));
  if (!text || text->size() < reported) return reported;
  for (;;) {
    std::size_t end = text->find('\n', reported);
    if (end == std::string::npos) return reported;  // another process still writes the last line
    if (send(text->substr(reported, end - reported)) != SendResult::yes) return reported;
    reported = end + 1;
  }
}

std::uint64_t SystemLog::size_of(const char* file) const {
  struct stat found = {};
  bool there = ::stat(path_of(file).c_str(), &found) == 0;
  return there ? static_cast<std::uint64_t>(found.st_size) : 0;
}

void SystemLog::append(const char* file, std::string_view text) const {
  constexpr int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
  UniqueFd fd(::open(path_of(file).c_str(), flags, 0600));
  if (fd) std::ignore = ::write(fd.get(), text.data(), text.size());
}

}  // namespace guard
