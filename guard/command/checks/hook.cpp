#include <unistd.h>

#include <fmt/format.h>

#include "guard/build.hpp"
#include "guard/command/checks/all.hpp"

namespace guard::command {
namespace {

constexpr const char* install = "start-guard install-hook";

Finding no_hook(const std::vector<HookFile>& files, const SystemPaths& paths) {
  if (files.empty()) {
    return {"hook", Health::fail,
            fmt::format("there is none in {}: every start is unguarded", paths.hooks.string()),
            install};
  }
  return {
      "hook", Health::fail,
      fmt::format("{} is not start-guard's: every start is unguarded", files.front().path.string()),
      install};
}

bool others_may_write(const struct stat& status) {
  return (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/// Returns whether the owner is root or, in tests, the user who runs them.
bool trusted(uid_t owner) {
  return owner == 0 || owner == ::geteuid();
}

/// Returns the first fault of the hook's file. Later faults do not matter until it is repaired.
std::optional<Finding> fault_of(const HookFile& hook) {
  std::string path = hook.path;
  auto fault = [&](const std::string& what, const std::string& remedy) {
    return Finding{"hook", Health::fail, fmt::format("{} {}", path, what), remedy};
  };
  if (hook.symlink) {
    return fault("is a symlink: AppArmor lets libvirt's daemon follow none out of there", install);
  }
  if (!hook.executable()) {
    return fault("can't be executed: every start is unguarded", install);
  }
  if (!trusted(hook.status.st_uid)) {
    return fault(fmt::format("belongs to uid {}, not to root", hook.status.st_uid),
                 fmt::format("chown root:root {}", path));
  }
  if (others_may_write(hook.status)) {
    return fault("may be written by others than root", fmt::format("chmod go-w {}", path));
  }
  return std::nullopt;
}

std::string names_of(const std::vector<HookFile>& files) {
  std::string names;
  for (const HookFile& file : files)
    names += (names.empty() ? "" : ", ") + file.path.string();
  return names;
}

struct Others {
  std::vector<HookFile> before, after, again;
};

/// Returns the hooks other than `hook` that libvirt runs.
Others others_than(const HookFile& hook, const std::vector<HookFile>& files) {
  Others others;
  bool before = true;
  for (const HookFile& file : files) {
    if (file.path == hook.path) {
      before = false;
    } else if (file.executable()) {
      auto& those = before ? others.before : file.build.empty() ? others.after : others.again;
      those.push_back(file);
    }
  }
  return others;
}

}  // namespace

Finding check_hook(const std::vector<HookFile>& files, const SystemPaths& paths) {
  auto hook = guards_hook(files);
  if (!hook) return no_hook(files, paths);
  if (auto fault = fault_of(*hook)) return *fault;
  if (hook->build == this_build()) {
    return {"hook", Health::ok, fmt::format("{}, build {}", hook->path.string(), hook->build)};
  }
  return {"hook", Health::warn,
          fmt::format("{} is of build {}, this command of build {}", hook->path.string(),
                      hook->build, this_build()),
          install};
}

Finding check_order(const std::vector<HookFile>& files, const SystemPaths& paths) {
  auto hook = guards_hook(files);
  if (!hook) return {"order", Health::warn, "not looked at: there is no hook", install};
  auto others = others_than(*hook, files);
  if (!others.before.empty()) {
    return {"order", Health::warn,
            fmt::format("libvirt runs before the hook: {}", names_of(others.before)),
            fmt::format("move the hook to {}, and the script there to qemu.d",
                        (paths.hooks / "qemu").string())};
  }
  if (!others.again.empty()) {
    return {"order", Health::warn,
            fmt::format("the hook is installed more than once: {}", names_of(others.again)),
            fmt::format("rm {}", others.again.front().path.string())};
  }
  std::string after = others.after.empty() ? "" : "; after it: " + names_of(others.after);
  return {"order", Health::ok, "nothing runs before the hook" + after};
}

Finding check_hook_loaded(const std::vector<HookFile>& files, const SystemPaths& paths,
                          const HookSeenByDaemon& marks) {
  auto hook = guards_hook(files);
  if (!hook) return {"hook-loaded", Health::warn, "not looked at: there is no hook", install};
  auto daemons = libvirt_daemons(paths.processes);
  if (!daemons) {
    return {"hook-loaded", Health::warn,
            fmt::format("not known, because processes cannot be listed: {}", daemons.error().what),
            "mount -t proc proc /proc"};
  }
  if (daemons->empty()) {
    return {"hook-loaded", Health::ok,
            "no libvirt daemon runs; it looks for the hook when it starts"};
  }
  std::string found;
  for (const Daemon& daemon : *daemons) {
    std::string text = fmt::format("{} (process {})", daemon.name, daemon.pid);
    std::string why = why_hook_loaded(daemon, *hook, marks);
    if (why.empty()) {
      return {
          "hook-loaded", Health::fail,
          fmt::format("{} was running before the hook was installed, and has not called it since: "
                      "starts may be unguarded",
                      text),
          fmt::format("{} (makes it look for hooks, as a reload does)", install)};
    }
    found += fmt::format("{}{} {}", found.empty() ? "" : "; ", text, why);
  }
  return {"hook-loaded", Health::ok, found};
}

}  // namespace guard::command
