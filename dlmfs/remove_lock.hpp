#pragma once

#include <chrono>
#include <functional>

#include "dlmfs/mount.hpp"

namespace dlmfs {

/// What this host knows about the lock whose file it removes.
enum class Standing {
  exclusive,  ///< this host had EX open until now, and no other host had queued a request
  granted,    ///< this host was granted the lock; the kernel may have lowered it since
  unknown,    ///< another host may hold the lock: a denied trylock also leaves a file
};

/// The result of `remove_lock`.
enum class Removal {
  done,         ///< the file is removed, and this host holds no level
  open_here,    ///< the file stays: a process of this host has it open
  waited_for,   ///< the file stays: a request of this host is queued, so an unlink would hang
  cannot_tell,  ///< the file stays: it is unknown whether a request of this host is queued
};

using Pause = std::function<void(std::chrono::milliseconds)>;

/// Removes a lock's file and with it this host's level. Does not unlink while a request of this
/// host is queued (see OwnRequest), but cannot see a process that queues one between the check and
/// the unlink. Retries for about one second; with Standing::unknown only if the file is open.
///
/// With Standing::exclusive, no process of this host can have a queued request. Otherwise the
/// kernel lowers the level as soon as this host closes the file, and then a process that opened the
/// file meanwhile queues its request. So with Standing::granted this checks twice. If the kernel
/// does not show requests, it tries to lock once more instead: that open sleeps while a request of
/// this host is queued, but does not hold the lock of the directory.
[[nodiscard]] Result<Removal> remove_lock(Mount& mount, const DomainName& domain, const Name& name,
                                          Standing standing, const Pause& pause);

}  // namespace dlmfs
