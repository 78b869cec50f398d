#include "guard/keeper/fd_store.hpp"

#include <cstdlib>
#include <memory>
#include <systemd/sd-daemon.h>

#include <fmt/format.h>

#include "dlmfs/kernel_mount.hpp"

namespace guard {
namespace {

using dlmfs::LockName;
using dlmfs::OpenLock;

int ask_to_remove(const std::string& name) {
  return sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name.c_str());
}

}  // namespace

void SystemdFdStore::store(const LockName& name, const OpenLock& lock) {
  std::lock_guard guard(mutex_);
  auto [entry, added] = stored_.emplace(name, lock.level);
  if (!added && entry->second == lock.level) return;
  if (!added) ask_to_remove(name.text());
  entry->second = lock.level;
  // FDPOLL=0: otherwise, systemd removes a descriptor that reports POLLERR or POLLHUP.
  std::string state = fmt::format("FDSTORE=1\nFDPOLL=0\nFDNAME={}", name.text());
  int fd = lock.fd.get();
  if (sd_pid_notify_with_fds(0, 0, state.c_str(), &fd, 1) < 0) stored_.erase(entry);
}

Result<void> SystemdFdStore::remove(const LockName& name) {
  constexpr std::uint64_t microseconds = 500'000;
  int removed = 0;
  {
    std::lock_guard guard(mutex_);
    stored_.erase(name);
    removed = ask_to_remove(name.text());
  }
  if (removed > 0) removed = sd_notify_barrier(0, microseconds);
  if (removed >= 0) return {};
  return fail(system_error("having systemd close the lock in its file descriptor store", -removed));
}

std::map<LockName, OpenLock> SystemdFdStore::take_stored() {
  char** texts = nullptr;
  int count = sd_listen_fds_with_names(1, &texts);
  std::map<LockName, OpenLock> found;
  std::lock_guard guard(mutex_);
  for (int i = 0; i < count; ++i) {
    UniqueFd fd(SD_LISTEN_FDS_START + i);
    std::unique_ptr<char, decltype(&std::free)> text(texts[i], &std::free);
    auto name = LockName::parse(text.get());
    if (!name || !dlmfs::is_dlmfs(fd.get())) {
      ask_to_remove(text.get());
      continue;
    }
    OpenLock lock = dlmfs::opened_before(std::move(fd));
    stored_.insert_or_assign(*name, lock.level);
    found.insert_or_assign(*name, std::move(lock));
  }
  std::free(static_cast<void*>(texts));
  return found;
}

}  // namespace guard
