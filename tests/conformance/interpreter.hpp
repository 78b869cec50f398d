#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "dlmfs/mount.hpp"

namespace conformance {

/// The reply to a command: an errno value (0 for success) and the requested data.
struct Reply {
  int code = 0;
  std::string data;
};

/// Executes commands, one for each line, on one host's dlmfs: on the stand-in and, in the agent, on
/// the kernel's.
///
///     join DOMAIN | leave DOMAIN | list DOMAIN
///     trylock DOMAIN NAME PR|EX | queue DOMAIN NAME PR|EX       the command's number is the handle
///     exists DOMAIN NAME | unlink DOMAIN NAME
///     close HANDLE | read HANDLE | write HANDLE HEX | poll HANDLE MILLISECONDS
///     forget            closes every handle, and every lock that an open still sleeps for, when
///                       it is granted
///
/// Several threads may call `run` at the same time.
class Interpreter {
 public:
  explicit Interpreter(dlmfs::Mount& mount) : mount_(mount) {}

  Reply run(int number, const std::string& command);
  /// Stores the lock that the open of command `number` returned. `generation`: the value of
  /// `generation` when that command started; after a `forget` the lock is closed instead.
  Reply opened(int number, int generation, guard::Result<dlmfs::OpenLock> lock);
  [[nodiscard]] int generation();

 private:
  using Words = std::istringstream;
  Reply on_domain(const std::string& verb, Words& words);
  Reply on_lock(int number, const std::string& verb, Words& words);
  Reply on_handle(const std::string& verb, Words& words);
  Reply write(const dlmfs::OpenLock& lock, Words& words);
  Reply close(int handle);
  Reply forget();
  [[nodiscard]] std::shared_ptr<dlmfs::OpenLock> find(int handle);

  dlmfs::Mount& mount_;
  std::mutex mutex_;
  int generation_ = 0;
  std::map<int, std::shared_ptr<dlmfs::OpenLock>> handles_;
};

/// Convert a lock value block to and from its form in a command.
[[nodiscard]] std::string in_hex(const dlmfs::Lvb& value);
[[nodiscard]] dlmfs::Lvb out_of_hex(const std::string& text);

}  // namespace conformance
