#pragma once

#include <array>
#include <string_view>
#include <utility>

namespace guard {

/// Exit statuses of `start-guard VERB`. The statuses above 1 are from sysexits(3).
enum class ExitStatus {
  ok = 0,
  failed = 1,          ///< the answer is no, or the request was denied
  usage = 64,          ///< the arguments are wrong
  no_such_vm = 66,     ///< libvirt on this host does not know a VM with this name
  unavailable = 69,    ///< the cluster or libvirt did not answer
  not_ended = 75,      ///< a VM has not ended: it may still write to a disk
  no_permission = 77,  ///< this needs root
  configuration = 78,  ///< start-guard.toml has a mistake
};

/// All exit statuses with their texts, in the order of `start-guard --help`. start-guard(8)
/// documents them too.
inline constexpr std::array<std::pair<ExitStatus, std::string_view>, 8> all_exit_statuses = {
    {{ExitStatus::ok, "success"},
     {ExitStatus::failed, "the answer is no, or the request was denied"},
     {ExitStatus::usage, "the arguments are wrong"},
     {ExitStatus::no_such_vm, "no VM with this name is known on this host"},
     {ExitStatus::unavailable, "the cluster or libvirt did not answer"},
     {ExitStatus::not_ended, "a VM has not ended"},
     {ExitStatus::no_permission, "this needs root"},
     {ExitStatus::configuration, "start-guard.toml has a mistake"}}};

/// Exit statuses of `start-guard check`: the convention of monitoring plugins.
enum class CheckStatus { ok = 0, warnings = 1, failures = 2, not_run = 3 };

/// Exit statuses of the hook. libvirt treats every status other than 0 as an error
/// (src/util/virhook.c).
enum class HookStatus { pass = 0, deny = 1 };

}  // namespace guard
