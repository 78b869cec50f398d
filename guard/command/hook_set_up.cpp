#include "guard/command/hook_set_up.hpp"

#include <thread>

#include "guard/command/run_in_child.hpp"
#include "guard/keeper/libvirt.hpp"

namespace guard::command {
namespace {

/// Waits until the QEMU driver's daemon answers a query, up to 20 s, and then calls reload_daemon
/// in any case. Returns false if the daemon had not answered: then it may still have been
/// initializing its drivers, and have ignored SIGHUP (daemonReloadHandler in libvirt's
/// src/remote/remote_daemon.c).
bool reload_initialized_daemon(const Daemon& daemon, const std::string& libvirt_uri) {
  constexpr std::chrono::seconds limit{20};
  constexpr std::chrono::milliseconds between{100};
  auto answered = run_in_child(limit, [&]() -> Outcome {
    Libvirt libvirt(libvirt_uri);
    while (!libvirt.active())
      std::this_thread::sleep_for(between);
    return {};
  });
  bool told = reload_daemon(daemon);
  return told && answered && *answered && (*answered)->status == 0;
}

}  // namespace

HookSetUp hook_set_up_of_this_host() {
  auto settings = conf::load(conf::path()).value_or(conf::Settings{});
  HookSetUp set_up;
  set_up.state = settings.paths.state;
  set_up.tell = [uri = settings.keeper.libvirt_uri](const Daemon& daemon,
                                                    const std::string& driver) {
    // The daemons of other drivers answer at other URIs.
    return driver == "qemu" ? reload_initialized_daemon(daemon, uri) : reload_daemon(daemon);
  };
  return set_up;
}

}  // namespace guard::command
