#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace guard {

/// Sends lines to the log daemon with facility daemon and tag start-guard. Never waits for the
/// daemon.
///
/// syslog(3) is not suitable: it blocks while the daemon does not read /dev/log. The hook would
/// block too, and libvirt holds its lock on the VM meanwhile. sd_journal_send(3) blocks in the same
/// way: journal-send.c calls sendmsg(2) without MSG_DONTWAIT on a blocking socket.
///
/// Each line uses a new socket. So there is no connection to renew after a restart of the daemon, a
/// child inherits no descriptor, and threads need no mutex.
///
/// If the daemon does not accept a line, the line is counted in a file of the state directory that
/// only grows. A line of priority crit is written to another file instead and sent later. The next
/// process of this host that can send a line, or the keeper within a second, reports both.
class SystemLog {
 public:
  /// The files in the state directory.
  static constexpr const char* lost_file = "count.log-lines-lost";  ///< a byte for each line
  static constexpr const char* alarms_file = "log.alarms";          ///< lines of priority crit
  static constexpr const char* reported_file = "log.reported";  ///< how much of both is reported

  /// `state` is the path of the state directory. If it does not exist, nothing is counted.
  explicit SystemLog(std::string state, std::string socket = "/dev/log")
      : state_(std::move(state)), socket_(std::move(socket)) {}

  /// Sends one line. The priority is that of syslog(3).
  void operator()(int priority, const std::string& line) const;

  /// Sends what could not be sent before, if the daemon accepts it now: each line of priority crit
  /// with the time when it was written, and the count of all other lines. If the process is killed
  /// during this call, the lines are reported again. Returns true if something is still to be sent.
  bool report_lost() const;  // NOLINT(modernize-use-nodiscard): most callers only try

 private:
  enum class SendResult {
    yes,
    no_daemon,  ///< there is no socket: ENOENT
    no,
  };
  [[nodiscard]] SendResult send(const std::string& message) const;
  [[nodiscard]] SendResult send_as_stream(const std::string& message) const;
  void keep(int priority, const std::string& line, SendResult result) const;
  /// Sends the alarms after the first `reported` bytes of alarms_file. Returns how many bytes of
  /// the file have been reported.
  [[nodiscard]] std::uint64_t report_alarms(std::uint64_t reported) const;
  [[nodiscard]] std::uint64_t size_of(const char* file) const;
  void append(const char* file, std::string_view text) const;

  [[nodiscard]] std::string path_of(const char* file) const { return state_ + "/" + file; }

  std::string state_, socket_;
};

}  // namespace guard
