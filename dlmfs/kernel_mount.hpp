#pragma once

#include <string>

#include "dlmfs/mount.hpp"

namespace dlmfs {

/// Returns true if the descriptor refers to a file in dlmfs.
[[nodiscard]] bool is_dlmfs(int fd);

/// Returns the open lock of a descriptor. The descriptor's access mode determines the level.
[[nodiscard]] OpenLock opened_before(UniqueFd fd);

/// The kernel's dlmfs. All paths are relative to a descriptor whose file system type was checked.
/// So a later mount or unmount cannot turn a lock into a plain file.
class KernelMount final : public Mount {
 public:
  /// Opens the directory `path` and checks by f_type that it is dlmfs. In a plain directory every
  /// host would be granted every lock. ENOTTY: it is not dlmfs.
  [[nodiscard]] static Result<KernelMount> open(const std::string& path);

  [[nodiscard]] Result<void> join(const DomainName& domain) override;
  [[nodiscard]] Result<void> leave(const DomainName& domain) override;
  [[nodiscard]] Result<bool> exists(const DomainName& domain, const Name& name) override;
  [[nodiscard]] Result<OpenLock> trylock(const DomainName& domain, const Name& name,
                                         Level level) override;
  [[nodiscard]] Result<OpenLock> queue(const DomainName& domain, const Name& name,
                                       Level level) override;
  [[nodiscard]] OwnRequest own_request(const DomainName& domain, const Name& name) override;
  [[nodiscard]] Result<void> unlink(const DomainName& domain, const Name& name) override;
  [[nodiscard]] Result<Lvb> read_lvb(const OpenLock& lock) override;
  [[nodiscard]] Result<void> write_lvb(const OpenLock& lock, const Lvb& value) override;
  [[nodiscard]] Result<std::vector<LockName>> list(const DomainName& domain) override;

 private:
  KernelMount(std::string path, UniqueFd directory)
      : path_(std::move(path)), directory_(std::move(directory)) {}
  [[nodiscard]] Result<OpenLock> open_lock(const DomainName& domain, const Name& name, Level level,
                                           int flags);
  [[nodiscard]] std::string full_path(const DomainName& domain, const Name& name) const;

  std::string path_;  // for messages only
  UniqueFd directory_;
};

}  // namespace dlmfs
