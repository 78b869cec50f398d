#pragma once

namespace hook {

/// Tells the kernel not to choose this process when memory runs out: libvirt kills a running VM
/// whose `reconnect` hook is killed. A process that is left behind inherits it; each needs little
/// memory, and ends. Another file is for tests. Where it is refused, nothing changes.
void refuse_oom_kill(const char* score_file = "/proc/self/oom_score_adj");

}  // namespace hook
