#include "guard/lock/cluster_access.hpp"

#include <thread>
#include <unistd.h>

#include "dlmfs/kernel_mount.hpp"

namespace guard {
namespace {

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

Result<std::unique_ptr<dlmfs::Mount>> open_any(const std::filesystem::path& path) {
  auto mount = dlmfs::KernelMount::open(path);
  if (!mount) {
    return fail(Error{mount.error().code, fmt::format("{}: mount -t ocfs2_dlmfs ocfs2_dlmfs {}",
                                                      mount.error().what, path.string())});
  }
  return std::make_unique<dlmfs::KernelMount>(std::move(*mount));
}

}  // namespace

Domains Domains::named(const std::string& name) {
  auto locks = dlmfs::DomainName::parse(name);
  auto bells = dlmfs::DomainName::parse(name + "-bell");
  return Domains{locks.value(), bells.value()};
}

ClusterAccess cluster_access(const conf::Settings& settings) {
  const auto& path = settings.dlmfs.mount;
  bool require_global = settings.guard.require_global_heartbeat;
  return {.open_checked_mount = [path, require_global]() -> Result<std::unique_ptr<dlmfs::Mount>> {
            auto mount = open_any(path);
            if (!mount) return mount;
            if (auto checked = dlmfs::check_cluster({}, require_global); !checked) {
              return fail(std::move(checked).error());
            }
            return mount;
          },
          .open_any_mount = [path] { return open_any(path); },
          .mount = path,
          .domain = settings.dlmfs.domain,
          .host_name = host_name(),
          .pause = [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }};
}

}  // namespace guard
