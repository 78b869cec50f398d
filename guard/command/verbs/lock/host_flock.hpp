#pragma once

#include "dlmfs/mount.hpp"
#include "guard/host/state_directory.hpp"

namespace guard::command {

/// What keeps apart those who take one lock on one host: dlmfs excludes hosts, not processes. Taken
/// before the cluster's lock, and kept until that has been given back.
class HostFlock {
 public:
  /// EWOULDBLOCK: another one has it.
  [[nodiscard]] static Result<HostFlock> try_acquire(const StateDirectory& directory,
                                                     const dlmfs::DomainName& domain,
                                                     const dlmfs::Name& name);

  /// Removes the file: from then on it excludes nobody, though other processes have a copy of it.
  void dissolve() const;

 private:
  HostFlock(const StateDirectory& directory, std::string file, UniqueFd fd)
      : directory_(&directory), file_(std::move(file)), fd_(std::move(fd)) {}

  const StateDirectory* directory_;
  std::string file_;
  UniqueFd fd_;
};

}  // namespace guard::command
