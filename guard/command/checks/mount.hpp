#pragma once

#include "conf/settings.hpp"
#include "guard/command/checks/finding.hpp"
#include "guard/command/checks/system_paths.hpp"
#include "guard/lock/context.hpp"

namespace guard::command {

/// Checks that dlmfs is mounted at `mount`, and nowhere else. May sleep.
[[nodiscard]] Finding check_mount(const SystemPaths& paths, const std::filesystem::path& mount);

/// Checks that the domains of locks and bells are joined. May sleep. `elsewhere`: records of VMs
/// whose locks are in another domain. If there are any, every start is denied.
[[nodiscard]] Finding check_domains(const std::filesystem::path& mount, const Domains& domains,
                                    const std::vector<Record>& elsewhere = {});

}  // namespace guard::command
