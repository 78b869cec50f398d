#pragma once

#include <cerrno>
#include <fcntl.h>

#include "dlmfs/kernel_mount.hpp"
#include "guard/keeper/fd_store.hpp"

namespace guard {

/// Fake of the service manager's file descriptor store, which outlives the keeper.
class FdStoreStandIn final : public FdStore {
 public:
  void store(const dlmfs::LockName& name, const dlmfs::OpenLock& lock) override {
    if (!working) return;
    auto [entry, added] = stored_.try_emplace(name);
    if (!added && opened(entry->second)->level == lock.level) return;
    entry->second = copy(lock.fd);
  }
  [[nodiscard]] guard::Result<void> remove(const dlmfs::LockName& name) override {
    if (stuck) return guard::fail(guard::system_error("the store", ETIMEDOUT));
    stored_.erase(name);
    return {};
  }
  [[nodiscard]] std::map<dlmfs::LockName, dlmfs::OpenLock> take_stored() override {
    std::map<dlmfs::LockName, dlmfs::OpenLock> taken;
    for (const auto& [name, fd] : stored_)
      taken.emplace(name, dlmfs::opened_before(copy(fd)));
    return taken;
  }

  [[nodiscard]] std::optional<dlmfs::Level> level(const dlmfs::LockName& name) const {
    auto found = stored_.find(name);
    if (found == stored_.end()) return std::nullopt;
    return opened(found->second)->level;
  }

  bool working = true;
  bool stuck = false;  ///< `remove` fails with ETIMEDOUT

 private:
  [[nodiscard]] static guard::UniqueFd copy(const guard::UniqueFd& fd) {
    return guard::UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  }
  [[nodiscard]] static std::optional<dlmfs::OpenLock> opened(const guard::UniqueFd& fd) {
    return dlmfs::opened_before(copy(fd));
  }

  std::map<dlmfs::LockName, guard::UniqueFd> stored_;
};

}  // namespace guard
