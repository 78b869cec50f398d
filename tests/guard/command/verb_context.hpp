#pragma once

#include "guard/command/verb_context.hpp"
#include "tests/guard/keeper/kept_host.hpp"

namespace guard::command {

/// A verb's desk at a made-up host.
inline VerbContext context_of(KeptHost& host) {
  return {host.world, host.libvirt};
}

}  // namespace guard::command
