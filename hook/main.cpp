// The program at /etc/libvirt/hooks/qemu. libvirt runs it at every turn of a VM's life and waits;
// only an exit status other than 0 stops what libvirt is about to do.

#include <array>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "guard/build.hpp"
#include "guard/daemon_mark.hpp"
#include "guard/message.hpp"
#include "guard/reconnect.hpp"
#include "guard/release.hpp"
#include "guard/start.hpp"
#include "guard/system_log.hpp"
#include "hook/call.hpp"
#include "hook/domain_xml.hpp"
#include "hook/exit_status.hpp"
#include "hook/oom_score.hpp"

namespace {

using guard::Verdict;
using guard::Vm;
using guard::World;
using hook::Call;
using hook::ExitStatus;

struct Operation {
  std::string_view name;
  Verdict (*rule)(const World&, const Vm&);
  bool starts_vm = false;      // what can't be understood is refused; elsewhere it is only logged
  bool failure_kills = false;  // libvirt kills a VM that runs if the hook fails, or is killed
  bool ends_vm = false;        // goes by the VM's name where the XML does not help
};

constexpr std::array operations = {
    Operation{.name = "prepare", .rule = guard::prepare, .starts_vm = true},
    Operation{.name = "start", .rule = guard::start, .starts_vm = true},
    Operation{.name = "started", .rule = guard::started},
    Operation{.name = "migrate", .rule = guard::migrate},
    Operation{.name = "restore", .rule = guard::restore},
    Operation{.name = "reconnect", .rule = guard::reconnect, .failure_kills = true},
    Operation{.name = "stopped", .rule = guard::stopped, .ends_vm = true},
    Operation{.name = "release", .rule = guard::release, .ends_vm = true},
};

const Operation* operation_named(std::string_view name) {
  for (const Operation& operation : operations) {
    if (operation.name == name) return &operation;
  }
  return nullptr;
}

/// The log before the configuration has been read, or where it can't be.
guard::SystemLog early_log() {
  return guard::SystemLog(conf::Paths{}.state);
}

void log_problem(std::string_view event, const Call& call, const std::string& error) {
  early_log()(LOG_ERR,
              guard::log_line(
                  event, {{"vm", call.vm_name}, {"operation", call.operation}, {"error", error}}));
}

/// What to answer when the call, the configuration or the host is not understood.
Verdict give_up(const Operation& operation, const Call& call, const std::string& error) {
  log_problem("not-understood", call, error);
  if (!operation.starts_vm) return Verdict::pass();
  return Verdict::refuse(guard::refusal(call.vm_name, error));
}

/// A configuration with an error in it starts nothing, but what runs is still let go.
tl::expected<conf::Settings, conf::Error> settings_for(const Operation& operation,
                                                       const Call& call) {
  const char* other = std::getenv("START_GUARD_CONFIG");  // for tests; libvirt passes on no such
  auto settings = conf::load(other != nullptr ? other : conf::default_path);
  if (settings || operation.starts_vm) return settings;
  log_problem("configuration-refused", call, settings.error().what);
  return conf::Settings{};
}

std::optional<Vm> vm_by_name(const World& world, const Call& call) {
  auto record = world.records().find_by_name(call.driver, call.vm_name);
  if (!record) return std::nullopt;
  record->vm.io_uring_disks.reset();  // what it was started with; more may have been attached
  return record->vm;
}

Verdict handle(const Operation& operation, const Call& call) {
  if (operation.failure_kills) hook::refuse_oom_kill();
  auto settings = settings_for(operation, call);
  if (!settings) return give_up(operation, call, settings.error().what);
  auto world = guard::real_world(std::move(*settings));
  if (!world) return give_up(operation, call, world.error().what);
  world->keeper = std::make_unique<guard::SocketLine>(world->settings.paths.state, world->deadline);
  guard::DaemonMark::note(world->state, guard::hook_called, world->caller.daemon);

  auto xml = hook::read_xml(STDIN_FILENO);
  if (!xml) return give_up(operation, call, xml.error().what);
  auto domain = hook::parse_domain(std::move(*xml));
  if (domain) {
    return operation.rule(
        *world, Vm{call.vm_name, domain->uuid, call.driver, std::move(domain->io_uring_disks)});
  }
  if (!operation.ends_vm) return give_up(operation, call, domain.error().what);
  auto vm = vm_by_name(*world, call);
  return vm ? operation.rule(*world, *vm) : Verdict::pass();
}

Verdict answer(const std::vector<std::string>& arguments) {
  auto call = hook::parse_call(arguments);
  const Operation* operation = arguments.size() > 2 ? operation_named(arguments[2]) : nullptr;
  if (!call) {
    if (operation != nullptr && !operation->starts_vm) return Verdict::pass();
    return Verdict::refuse("start-guard: " + call.error().what);
  }
  if (operation == nullptr) {
    early_log()(LOG_DEBUG, guard::log_line(
                               "ignored", {{"vm", call->vm_name}, {"operation", call->operation}}));
    return Verdict::pass();
  }
  try {
    return handle(*operation, *call);
  } catch (const std::exception& bug) {  // a full memory, or a mistake in this program
    return give_up(*operation, *call, std::string("unexpected error: ") + bug.what());
  }
}

/// For people alone: libvirt always gives four arguments.
ExitStatus tell_version() {
  std::string version("start-guard " START_GUARD_VERSION " (build ");
  version.append(guard::this_build()).append(")\n");
  std::ignore = ::write(STDOUT_FILENO, version.data(), version.size());
  return ExitStatus::pass;
}

}  // namespace

int main(int argc, char* argv[]) {
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    return static_cast<int>(tell_version());
  }
  // qemu:///session runs the same hook as the user: no cluster locks there.
  if (::getuid() != 0) return static_cast<int>(ExitStatus::pass);
  ::umask(077);
  std::signal(SIGPIPE, SIG_IGN);  // libvirt's daemon may die while the hook runs
  Verdict verdict = answer(std::vector<std::string>(argv, argv + argc));
  if (!verdict.refused) return static_cast<int>(ExitStatus::pass);
  verdict.message += '\n';
  std::ignore = ::write(STDERR_FILENO, verdict.message.data(), verdict.message.size());
  return static_cast<int>(ExitStatus::refuse);
}
