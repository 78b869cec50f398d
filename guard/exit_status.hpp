#pragma once

#include <array>
#include <string_view>
#include <utility>

namespace guard {

/// Exit statuses of `start-guard VERB`; those above 1 are of sysexits(3).
enum class ExitStatus {
  ok = 0,
  failed = 1,          ///< the answer is no, or the request was denied
  usage = 64,          ///< the arguments are wrong
  unavailable = 69,    ///< the cluster or libvirt did not answer
  no_permission = 77,  ///< this needs root
  configuration = 78,  ///< start-guard.toml has a mistake
};

/// All of them, as `start-guard --help` lists them; start-guard(8) documents the same.
inline constexpr std::array<std::pair<ExitStatus, std::string_view>, 6> all_exit_statuses = {
    {{ExitStatus::ok, "success"},
     {ExitStatus::failed, "the answer is no, or the request was denied"},
     {ExitStatus::usage, "the arguments are wrong"},
     {ExitStatus::unavailable, "the cluster or libvirt did not answer"},
     {ExitStatus::no_permission, "this needs root"},
     {ExitStatus::configuration, "start-guard.toml has a mistake"}}};

/// Exit statuses of `start-guard check`, as monitoring systems expect them of a plugin.
enum class CheckStatus { ok = 0, warnings = 1, failures = 2, not_run = 3 };

/// Exit statuses of the hook. Any other than 0 is an error to libvirt (src/util/virhook.c).
enum class HookStatus { pass = 0, deny = 1 };

}  // namespace guard
