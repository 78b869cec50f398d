#include "guard/command/hook_set_up.hpp"

#include "guard/command/run_in_child.hpp"
#include "guard/keeper/libvirt.hpp"

namespace guard::command {

bool reload_initialized_daemon(const Daemon& daemon, const std::string& libvirt_uri) {
  constexpr std::chrono::seconds limit{10};
  // The daemons of other drivers answer at other URIs.
  bool has_qemu = daemon.name == "libvirtd" || daemon.name == "virtqemud";
  if (has_qemu) {
    auto answered = run_in_child(limit, [&]() -> Outcome {
      bool answers = Libvirt(libvirt_uri).active().has_value();
      return {answers ? 0 : static_cast<int>(ExitStatus::unavailable), "", ""};
    });
    if (!answered || !*answered || (*answered)->status != 0) return false;
  }
  return reload_daemon(daemon);
}

HookSetUp hook_set_up_of_this_host() {
  auto settings = conf::load(conf::path()).value_or(conf::Settings{});
  HookSetUp set_up;
  set_up.state = settings.paths.state;
  set_up.tell = [uri = settings.keeper.libvirt_uri](const Daemon& daemon) {
    return reload_initialized_daemon(daemon, uri);
  };
  return set_up;
}

}  // namespace guard::command
