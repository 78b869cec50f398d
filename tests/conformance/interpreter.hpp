#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "dlmfs/mount.hpp"

namespace conformance {

/// The answer to a command: an errno value, 0 for success, and what was asked for.
struct Reply {
  int code = 0;
  std::string data;
};

/// Does commands, a line each, on one host's dlmfs. The same on the stand-in and, in the agent, on
/// the kernel's:
///
///     join DOMAIN | leave DOMAIN | list DOMAIN
///     trylock DOMAIN NAME PR|EX | queue DOMAIN NAME PR|EX       the command's number is the handle
///     exists DOMAIN NAME | unlink DOMAIN NAME
///     close HANDLE | read HANDLE | write HANDLE HEX | poll HANDLE MILLISECONDS
///     forget                  closes every handle, and what opens still sleep for once they have
///     it
///
/// `run` may be called by several threads at once.
class Interpreter {
 public:
  explicit Interpreter(dlmfs::Mount& mount) : mount_(mount) {}

  Reply run(int number, const std::string& command);
  /// Takes what an open gave, as the command `number` of the time before or after a `forget`.
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

/// What stands in a command.
[[nodiscard]] std::string in_hex(const dlmfs::Lvb& value);
[[nodiscard]] dlmfs::Lvb out_of_hex(const std::string& text);

}  // namespace conformance
