#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dlmfs/mount.hpp"
#include "guard/host/vm.hpp"
#include "guard/state/record.hpp"
#include "guard/system/deadline.hpp"

namespace guard {

/// A VM's lock and bell, held open. While they are open, no other host can get their levels.
struct Pins {
  std::optional<dlmfs::OpenLock> lock = std::nullopt;
  std::optional<dlmfs::OpenLock> bell = std::nullopt;

  /// Returns true if EX is open and no other host has queued a request for the lock.
  [[nodiscard]] bool quiet() const;
};

/// A client of this host's keeper, start-guard.service. The kernel holds the locks, so the hook
/// works without a keeper, but then a VM is less well protected.
class KeeperClient {
 public:
  virtual ~KeeperClient() = default;

  /// Passes the open lock and bell to the keeper. Returns false if no keeper accepted them; then
  /// they are closed.
  virtual bool keep(const Vm& vm, Pins pins) = 0;

  enum class Closed {
    yes,        ///< the keeper has closed the VM's lock and bell
    quiet,      ///< as `yes`; it had EX open, and no other host had queued a request
    no_keeper,  ///< there is no keeper that could have them open
    no_answer,  ///< no reply within a second; the keeper closes them later
  };
  /// Asks the keeper to close a VM's lock and bell, because the caller is about to unlock.
  virtual Closed close(const Vm& vm) = 0;

  struct LevelReply {
    bool keeper = false;                               ///< true: a keeper replied
    std::optional<dlmfs::Level> level = std::nullopt;  ///< nullopt: the lock is not open there
  };
  /// Returns the level at which the keeper has the VM's lock open.
  [[nodiscard]] virtual LevelReply level(const Vm& vm) = 0;

  /// A VM's lock that the keeper has open.
  struct KeptLockInfo {
    Vm vm;
    dlmfs::Level level;
    std::chrono::sys_seconds since;  ///< from the record; 1970: there is no record
    Origin origin;
  };
  /// Returns all locks that the keeper has open, sorted by UUID, or nullopt if no keeper replied.
  [[nodiscard]] virtual std::optional<std::vector<KeptLockInfo>> kept() = 0;

  /// Asks the keeper to compare locks with VMs now. Returns false if no keeper accepted. Does not
  /// wait for the comparison.
  virtual bool reconcile() = 0;

  /// Asks the keeper to check the VM's record again, because its lock could not be unlocked yet.
  virtual void look(const Vm& vm) = 0;
};

/// The protocol of the keeper's socket: SOCK_SEQPACKET, root only, one request per connection. A
/// request is a line of text, "1 REQUEST UUID DRIVER NAME", passed with the descriptors of the
/// request (SCM_RIGHTS). The reply is "1 ok", "1 ok ex", "1 ok pr", "1 ok quiet", or "1 error: …".
/// The reply to `list` also has a descriptor: a file of lines "UUID LEVEL SINCE HOW DRIVER NAME".
/// `list` and `reconcile` are not about one VM, so they name `nobody`.
namespace keeper_protocol {

inline constexpr const char* file = "keeper.sock";
inline constexpr std::size_t max_size = 1024;

enum class Request { keep, close, level, look, list, reconcile };

struct Message {
  Request request;
  Vm vm;
};

[[nodiscard]] std::string to_text(const Message& message);
/// Returns nullopt if this version does not know the request.
[[nodiscard]] std::optional<Message> message_from_text(std::string_view text);

[[nodiscard]] const Vm& nobody();

[[nodiscard]] std::string level_answer(std::optional<dlmfs::Level> level);
[[nodiscard]] std::string to_text(const std::vector<KeeperClient::KeptLockInfo>& kept);
/// Skips lines of another form.
[[nodiscard]] std::vector<KeeperClient::KeptLockInfo> kept_from_text(std::string_view text);
inline constexpr std::string_view ok = "1 ok";
inline constexpr std::string_view ok_quiet = "1 ok quiet";  ///< a reply to `close`

}  // namespace keeper_protocol

/// Returns the process that listens on the keeper's socket, or nullopt if there is none. Blocks for
/// at most one second.
[[nodiscard]] std::optional<pid_t> keeper_process(const std::string& state_directory);

/// Talks to the keeper through the socket in the state directory. Each call returns within one
/// second. With a deadline, it returns 250 ms after the deadline at the latest: libvirt waits for
/// the hook, and the hook makes at most two such calls after its deadline.
class SocketKeeperClient final : public KeeperClient {
 public:
  explicit SocketKeeperClient(const std::string& state_directory,
                              std::optional<Deadline> deadline = std::nullopt)
      : path_(state_directory + "/" + keeper_protocol::file), deadline_(deadline) {}

  bool keep(const Vm& vm, Pins pins) override;
  Closed close(const Vm& vm) override;
  [[nodiscard]] LevelReply level(const Vm& vm) override;
  [[nodiscard]] std::optional<std::vector<KeptLockInfo>> kept() override;
  bool reconcile() override;
  void look(const Vm& vm) override;

 private:
  [[nodiscard]] std::chrono::milliseconds patience() const;

  std::string path_;
  std::optional<Deadline> deadline_;
};

}  // namespace guard
