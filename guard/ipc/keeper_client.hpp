#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dlmfs/mount.hpp"
#include "guard/host/record.hpp"
#include "guard/host/vm.hpp"
#include "guard/system/deadline.hpp"

namespace guard {

/// A VM's lock and bell, held open: what is open here no other host can take away.
struct Pins {
  std::optional<dlmfs::OpenLock> lock = std::nullopt;
  std::optional<dlmfs::OpenLock> bell = std::nullopt;

  /// EX is open, and no other host has queued a request for it.
  [[nodiscard]] bool quiet() const;
};

/// The hook's line to this host's keeper, start-guard.service. The locks are the kernel's: without
/// a keeper every rule goes on, only less well guarded.
class KeeperClient {
 public:
  virtual ~KeeperClient() = default;

  /// Hands over what is open. False: no keeper took it, and it is closed.
  virtual bool keep(const Vm& vm, Pins pins) = 0;

  enum class Closed {
    yes,        ///< nothing of the VM is open in the keeper any more
    quiet,      ///< the same; until then it had EX open, and no other host had queued a request
    no_keeper,  ///< nobody is there to have it open
    no_answer,  ///< within a second; the keeper closes it later
  };
  /// Has the keeper let go of a VM's lock, which is about to be given back.
  virtual Closed close(const Vm& vm) = 0;

  struct LevelReply {
    bool keeper = false;                               ///< whether one answered
    std::optional<dlmfs::Level> level = std::nullopt;  ///< which it has open of this VM's lock
  };
  [[nodiscard]] virtual LevelReply level(const Vm& vm) = 0;

  /// A VM's lock that the keeper has open.
  struct KeptLockInfo {
    Vm vm;
    dlmfs::Level level;
    std::chrono::sys_seconds since;  ///< as its record says; 1970: no record does
    Origin origin;
  };
  /// All of them, sorted by UUID; nothing: no keeper answered.
  [[nodiscard]] virtual std::optional<std::vector<KeptLockInfo>> kept() = 0;

  /// Has the keeper compare locks with VMs now; false: no keeper took it up. Does not wait for it.
  virtual bool reconcile() = 0;

  /// Has the keeper look at the VM's record again: its lock is to go back, and it could not yet.
  virtual void look(const Vm& vm) = 0;
};

/// Where no keeper is wanted, or this process is one.
class NoKeeper : public KeeperClient {
 public:
  bool keep(const Vm&, Pins) override { return false; }
  Closed close(const Vm&) override { return Closed::no_keeper; }
  [[nodiscard]] LevelReply level(const Vm&) override { return {}; }
  [[nodiscard]] std::optional<std::vector<KeptLockInfo>> kept() override { return std::nullopt; }
  bool reconcile() override { return false; }
  void look(const Vm&) override {}
};

/// The keeper's socket: one request a connection, SOCK_SEQPACKET, root only. A request is a line
/// of text, "1 REQUEST UUID DRIVER NAME", with REQUEST's descriptors beside it (SCM_RIGHTS); so is
/// the answer, "1 ok", "1 ok ex", "1 ok pr", "1 ok quiet", or "1 error: …". The answer to `list`
/// has a descriptor, too: a file of lines "UUID LEVEL SINCE HOW DRIVER NAME". `list` and
/// `reconcile` are of no VM, and name `nobody`.
namespace keeper_protocol {

inline constexpr const char* file = "keeper.sock";
inline constexpr std::size_t max_size = 1024;

enum class Request { keep, close, level, look, list, reconcile };

struct Message {
  Request request;
  Vm vm;
};

[[nodiscard]] std::string to_text(const Message& message);
/// Nothing: it is no request this version knows.
[[nodiscard]] std::optional<Message> message_from_text(std::string_view text);

[[nodiscard]] const Vm& nobody();

[[nodiscard]] std::string level_answer(std::optional<dlmfs::Level> level);
[[nodiscard]] std::string to_text(const std::vector<KeeperClient::KeptLockInfo>& kept);
/// What is no line of that form is left out.
[[nodiscard]] std::vector<KeeperClient::KeptLockInfo> kept_from_text(std::string_view text);
inline constexpr std::string_view ok = "1 ok";
inline constexpr std::string_view ok_quiet = "1 ok quiet";  ///< to `close`

}  // namespace keeper_protocol

/// The keeper's process: the one that listens at the socket. Nothing: none does.
[[nodiscard]] std::optional<pid_t> keeper_process(const std::filesystem::path& state_directory);

/// The real line: the socket in the state directory. Each call ends within a second. With a
/// deadline it ends a quarter of a second after that at the latest: libvirt waits for the hook, and
/// at most two such calls follow the hook's deadline.
class SocketKeeperClient final : public KeeperClient {
 public:
  explicit SocketKeeperClient(const std::filesystem::path& state_directory,
                              std::optional<Deadline> deadline = std::nullopt)
      : path_(state_directory / keeper_protocol::file), deadline_(deadline) {}

  bool keep(const Vm& vm, Pins pins) override;
  Closed close(const Vm& vm) override;
  [[nodiscard]] LevelReply level(const Vm& vm) override;
  [[nodiscard]] std::optional<std::vector<KeptLockInfo>> kept() override;
  bool reconcile() override;
  void look(const Vm& vm) override;

 private:
  [[nodiscard]] std::chrono::milliseconds patience() const;

  std::filesystem::path path_;
  std::optional<Deadline> deadline_;
};

}  // namespace guard
