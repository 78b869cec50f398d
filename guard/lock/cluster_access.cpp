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

Result<std::unique_ptr<dlmfs::Mount>> open_any(const std::string& path) {
  auto mount = dlmfs::KernelMount::open(path);
  if (!mount) {
    return fail(Error{mount.error().code, fmt::format("{}: mount -t ocfs2_dlmfs ocfs2_dlmfs {}",
                                                      mount.error().what, path)});
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

Result<void> join(dlmfs::Mount& mount, const dlmfs::DomainName& domain) {
  auto joined = mount.join(domain);
  if (joined) return {};
  Error error = std::move(joined).error().in("joining the DLM domain " + domain.text());
  if (error.code == EINVAL) {
    error.what +=
        " (the heartbeat does not run, this node is not in the cluster's configuration, or hosts "
        "differ in heartbeat mode: see `o2cb cluster-status`)";
  }
  return fail(std::move(error));
}

Result<void> join_domains(dlmfs::Mount& mount, const Domains& domains) {
  if (auto joined = join(mount, domains.locks); !joined) return joined;
  return join(mount, domains.bells);
}

}  // namespace guard
