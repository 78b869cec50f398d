#pragma once

#include <chrono>
#include <functional>

#include "dlmfs/mount.hpp"

namespace dlmfs {

/// What this host knows of a lock whose file is to be removed.
enum class Standing {
  exclusive,  ///< it had EX open until now, and no other host had queued a request
  granted,    ///< it was granted the lock once; the kernel may have given the level away since
  unknown,    ///< the lock may be another host's: a denied trylock leaves a file as well
};

/// What became of the file.
enum class Removal {
  done,         ///< it is gone, and this host's level with it
  open_here,    ///< it stays: a process of this host has it open
  waited_for,   ///< it stays: a request of this host waits, and an unlink would hang the host
  cannot_tell,  ///< it stays: whether a request of this host waits is not to be seen
};

using Pause = std::function<void(std::chrono::milliseconds)>;

/// Removes a lock's file, and with it this host's level. Never beside a request of this host that
/// waits (see OwnRequest): a process that begins to wait in the instant between this look and the
/// unlink is not seen. Tries for a second.
///
/// With EX, and no other host's request queued, no process of this host can wait. Otherwise the
/// kernel gives the level away as soon as the file is closed here, and a process that had opened it
/// meanwhile then makes its request: so it is looked for twice. Where the kernel does not tell, a
/// lock that was granted is opened once more instead: that open sleeps beside a request of this
/// host, but it does not hold the directory.
[[nodiscard]] Result<Removal> remove_lock(Mount& mount, const DomainName& domain, const Name& name,
                                          Standing standing, const Pause& pause);

}  // namespace dlmfs
