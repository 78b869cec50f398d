#pragma once

#include "guard/command/verb_context.hpp"
#include "tests/guard/keeper/kept_host.hpp"

namespace guard::command {

/// Returns the dependencies of a verb that runs on a fake host.
inline VerbContext context_of(KeptHost& host) {
  return {host.context, *host.context.keeper, *host.context.runner, host.libvirt,
          host.context.deadline};
}

}  // namespace guard::command
