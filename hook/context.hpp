#pragma once

#include <memory>
#include <optional>
#include <string>

#include "guard/ipc/keeper_client.hpp"
#include "guard/lock/context.hpp"
#include "guard/state/incoming_migration.hpp"
#include "guard/system/abandonable_call.hpp"
#include "guard/system/deadline.hpp"

namespace hook {

/// Dependencies of a handler. Tests inject fakes.
struct HookContext : guard::Context {
  std::unique_ptr<guard::CallRunner> runner;
  std::unique_ptr<guard::KeeperClient> keeper;
  guard::Caller caller;      ///< libvirt's daemon
  guard::Deadline deadline;  ///< acquire_timeout after the start of this process
  std::optional<std::string> reason = std::nullopt;  ///< see Invocation::reason
};

}  // namespace hook
