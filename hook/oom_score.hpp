#pragma once

namespace hook {

/// Tells the kernel not to kill this process when memory runs out: libvirt kills a running VM if
/// its `reconnect` hook is killed. An abandoned child process inherits this; it needs little
/// memory, and it ends. Does nothing if the kernel refuses. Tests pass another file.
void refuse_oom_kill(const char* score_file = "/proc/self/oom_score_adj");

}  // namespace hook
