#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace guard {

/// Sends lines to the log daemon: facility daemon, tag start-guard. Never waits for the daemon.
///
/// syslog(3) blocks for ever while the daemon does not read /dev/log, and the hook with it, which
/// holds libvirt's lock on the VM. sd_journal_send(3) blocks in the same way: journal-send.c calls
/// sendmsg(2) without MSG_DONTWAIT, on a blocking socket.
///
/// Each line has a socket of its own. So there is no connection to renew when the daemon was
/// restarted, no descriptor for a child to inherit, and threads need no mutex.
///
/// A line that the daemon did not take is counted, in a file of the state directory that only
/// grows. One of priority crit is written to another file instead, and sent later. The next process
/// of this host that can send a line again, or the keeper within a second, makes up for both.
class SystemLog {
 public:
  /// The files in the state directory.
  static constexpr const char* lost_file = "count.log-lines-lost";  ///< a byte for each line
  static constexpr const char* alarms_file = "log.alarms";          ///< lines of priority crit
  static constexpr const char* reported_file = "log.reported";  ///< how much of both was reported

  /// `state` is the path of the state directory. Where there is none, nothing is counted.
  explicit SystemLog(std::filesystem::path state, std::filesystem::path socket = "/dev/log")
      : state_(std::move(state)), socket_(std::move(socket)) {}

  /// Sends one line; the priority is syslog(3)'s.
  void operator()(int priority, const std::string& line) const;

  /// Sends what could not be sent before, if the daemon takes it now: each line of priority crit,
  /// with the time when it was written, and for all other lines their count. A process that is
  /// killed in the middle of it leaves them to be reported again.
  void report_lost() const;

 private:
  enum class Sent {
    yes,
    no_daemon,  ///< there is no socket: ENOENT
    no,
  };
  [[nodiscard]] Sent send(const std::string& message) const;
  [[nodiscard]] Sent send_as_stream(const std::string& message) const;
  void keep(int priority, const std::string& line, Sent sent) const;
  /// Returns how many bytes of the file have been reported then.
  [[nodiscard]] std::uint64_t report_alarms(std::uint64_t reported) const;
  [[nodiscard]] std::uint64_t size_of(const char* file) const;
  void append(const char* file, std::string_view text) const;

  std::filesystem::path state_, socket_;
};

}  // namespace guard
