#pragma once

namespace hook {

/// What the hook tells libvirt. Any status but 0 refuses.
enum class ExitStatus { pass = 0, refuse = 1 };

}  // namespace hook
