// The program at /etc/libvirt/hooks/qemu. libvirt runs it at each operation on a VM and waits for
// it. Only an exit status other than 0 can stop that operation.

#include <array>
#include <csignal>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "guard/build.hpp"
#include "guard/exit_status.hpp"
#include "guard/lock/denial.hpp"
#include "guard/log/system_log.hpp"
#include "guard/state/hook_seen.hpp"
#include "hook/domain_xml.hpp"
#include "hook/handlers.hpp"
#include "hook/invocation.hpp"
#include "hook/oom_score.hpp"

namespace {

using guard::HookStatus;
using guard::Verdict;
using guard::Vm;
using hook::HookContext;
using hook::Invocation;

struct Operation {
  std::string_view name;
  Verdict (*handler)(const HookContext&, const Vm&);
  bool starts_vm = false;  // an error that prevents a decision denies; else it is only logged
  bool protect_from_oom = false;  // libvirt ends the running VM if this hook is killed
  bool ends_vm = false;           // finds the VM by its name if there is no valid XML
};

constexpr std::array operations = {
    Operation{.name = "prepare", .handler = hook::prepare, .starts_vm = true},
    Operation{.name = "start", .handler = hook::start, .starts_vm = true},
    Operation{.name = "started", .handler = hook::started},
    Operation{.name = "migrate", .handler = hook::migrate},
    Operation{.name = "restore", .handler = hook::restore},
    Operation{.name = "reconnect", .handler = hook::reconnect, .protect_from_oom = true},
    Operation{.name = "stopped", .handler = hook::stopped, .ends_vm = true},
    Operation{.name = "release", .handler = hook::release, .ends_vm = true},
};

const Operation* operation_named(std::string_view name) {
  for (const Operation& operation : operations) {
    if (operation.name == name) return &operation;
  }
  return nullptr;
}

/// The log to use before the configuration is read, or if it cannot be read.
guard::SystemLog early_log() {
  return guard::SystemLog(conf::Paths{}.state);
}

void log_problem(const guard::Event& event, const Invocation& invocation,
                 const std::string& error) {
  early_log()(event.priority, guard::log_line(event, {{"vm", invocation.vm_name},
                                                      {"operation", invocation.operation},
                                                      {"error", error}}));
}

/// Logs the error and returns the verdict if the call, the configuration or the host prevents a
/// decision.
Verdict give_up(const Operation& operation, const Invocation& invocation,
                const std::string& error) {
  log_problem(guard::events.call_not_understood, invocation, error);
  if (!operation.starts_vm) return Verdict::pass();
  return Verdict::deny(guard::denial(invocation.vm_name, error));
}

/// Returns the settings. If the configuration is invalid, an operation that starts a VM fails, and
/// all others use the defaults, so that VMs can still be unlocked.
guard::Result<conf::Settings> settings_for(const Operation& operation,
                                           const Invocation& invocation) {
  auto settings = conf::load(conf::path());
  if (settings || operation.starts_vm) return settings;
  log_problem(guard::events.configuration_refused, invocation, settings.error().what);
  return conf::Settings{};
}

std::optional<Vm> vm_by_name(const HookContext& context, const Invocation& invocation) {
  auto record = context.host.records().find_by_name(invocation.driver, invocation.vm_name);
  if (!record) return std::nullopt;
  record->vm.io_uring_disks.reset();  // the disks at its start; more may have been attached
  return record->vm;
}

Verdict handle(const Operation& operation, const Invocation& invocation) {
  if (operation.protect_from_oom) hook::refuse_oom_kill();
  auto settings = settings_for(operation, invocation);
  if (!settings) return give_up(operation, invocation, settings.error().what);
  auto opened = guard::open_context(std::move(*settings));
  if (!opened) return give_up(operation, invocation, opened.error().what);
  guard::Deadline deadline(opened->settings.guard.acquire_timeout);
  auto keeper = std::make_unique<guard::SocketKeeperClient>(opened->settings.paths.state, deadline);
  HookContext context{
      std::move(*opened),
      std::make_unique<guard::ForkingCallRunner>(),
      std::move(keeper),
      {.daemon = ::getppid(), .thread = guard::thread_that_forked_this, .parent = ::getppid},
      deadline,
      invocation.reason};
  // libvirtd looks for the hook of each of its drivers, so another driver's call proves nothing.
  if (invocation.driver == "qemu") {
    guard::HookSeen::note(context.host.directory, guard::hook_called_file, context.caller.daemon);
  }

  auto xml = hook::read_xml(STDIN_FILENO);
  if (!xml) return give_up(operation, invocation, xml.error().what);
  auto domain = hook::parse_domain(std::move(*xml));
  if (domain) {
    return operation.handler(context, Vm{invocation.vm_name, domain->uuid, invocation.driver,
                                         std::move(domain->io_uring_disks)});
  }
  if (!operation.ends_vm) return give_up(operation, invocation, domain.error().what);
  auto vm = vm_by_name(context, invocation);
  return vm ? operation.handler(context, *vm) : Verdict::pass();
}

Verdict answer(const std::vector<std::string>& arguments) {
  auto invocation = hook::parse_invocation(arguments);
  const Operation* operation = arguments.size() > 2 ? operation_named(arguments[2]) : nullptr;
  if (!invocation) {
    if (operation != nullptr && !operation->starts_vm) return Verdict::pass();
    return Verdict::deny("start-guard: " + invocation.error().what);
  }
  if (operation == nullptr) {
    const auto& ignored = guard::events.operation_ignored;
    early_log()(ignored.priority, guard::log_line(ignored, {{"vm", invocation->vm_name},
                                                            {"operation", invocation->operation}}));
    return Verdict::pass();
  }
  try {
    return handle(*operation, *invocation);
  } catch (const std::exception& bug) {  // out of memory, or a bug
    return give_up(*operation, *invocation, std::string("unexpected error: ") + bug.what());
  }
}

/// Prints the version, for users: libvirt always passes four arguments.
HookStatus tell_version() {
  std::string version("start-guard " START_GUARD_VERSION " (build ");
  version.append(guard::this_build()).append(")\n");
  std::ignore = ::write(STDOUT_FILENO, version.data(), version.size());
  return HookStatus::pass;
}

}  // namespace

int main(int argc, char* argv[]) {
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    return static_cast<int>(tell_version());
  }
  // qemu:///session runs the same hook as the user, who has no cluster locks.
  if (::getuid() != 0) return static_cast<int>(HookStatus::pass);
  ::umask(077);
  std::signal(SIGPIPE, SIG_IGN);  // libvirt's daemon may die while the hook runs
  Verdict verdict = answer(std::vector<std::string>(argv, argv + argc));
  if (!verdict.denied) return static_cast<int>(HookStatus::pass);
  verdict.message += '\n';
  std::ignore = ::write(STDERR_FILENO, verdict.message.data(), verdict.message.size());
  return static_cast<int>(HookStatus::deny);
}
