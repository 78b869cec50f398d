#include "guard/command/verbs/check.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include "guard/command/checks/all.hpp"
#include "guard/command/checks/report.hpp"
#include "guard/command/checks/run_with_limit.hpp"
#include "guard/command/verbs/all.hpp"
#include "guard/keeper/libvirt.hpp"

namespace guard::command {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr milliseconds check_limit = 4700ms;  // 5 s with the start of the program and the output

utsname this_system() {
  utsname system{};
  ::uname(&system);
  return system;
}

void append(Findings& findings, Findings more) {
  std::move(more.begin(), more.end(), std::back_inserter(findings));
}

/// Checks the state of this host. None of these checks sleeps in the cluster.
Findings look_at_host(const SystemPaths& paths, const conf::Settings& settings) {
  utsname system = this_system();
  auto state = StateDirectory::open(settings.paths.state);
  auto hooks = hook_files(paths);
  auto marks = state ? HookSeenByDaemon::read(*state) : HookSeenByDaemon{};
  return {check_kernel(system.release, system.version),
          check_module(paths),
          check_stack(paths),
          check_node(paths, system.nodename),
          check_heartbeat(paths, settings.guard.require_global_heartbeat),
          check_peers(paths),
          check_fencing(paths),
          check_timeouts(paths),
          check_hook(hooks, paths),
          check_order(hooks, paths),
          check_hook_loaded(hooks, paths, marks),
          check_state(settings.paths.state)};
}

/// Runs the checks that may sleep as long as the cluster's mount does.
Findings look_at_mount(const SystemPaths& paths, const conf::Settings& settings) {
  const auto& mount = settings.dlmfs.mount;
  auto context = open_context(settings);
  auto elsewhere =
      context ? context->host.records_outside(settings.dlmfs.domain) : std::vector<Record>();
  return {check_mount(paths, mount),
          check_domains(mount, Domains::named(settings.dlmfs.domain), elsewhere)};
}

Findings look_at_service(const VerbContext& context) {
  return {check_service(context.keeper),
          check_processes({}, keeper_process(context.base.settings.paths.state))};
}

/// Looks again if there is an anomaly: it may be a transition between two states. Only the second
/// result counts then.
Findings look_at_vms(const VerbContext& context) {
  constexpr milliseconds between = 300ms;
  Findings findings;
  for (int look = 0; look < 2 && (look == 0 || worst(findings) != Health::ok); ++look) {
    if (look > 0) context.base.cluster.pause(between);
    LockInventory seen = take_inventory(context);
    findings = {check_vms(seen), check_left_over(seen)};
  }
  return findings;
}

Findings look_at_disks(const conf::Settings& settings) {
  Libvirt libvirt(settings.keeper.libvirt_uri);  // here, since its threads do not survive fork
  return {check_disks(libvirt.active_xml())};
}

Findings look_at_clocks(const VerbContext& context) {
  return {check_clocks(context)};
}

/// Runs the checks one after the other. Those that may sleep come last.
class Inspection {
 public:
  explicit Inspection(const CheckOptions& options)
      : configuration_(options.configuration), loaded_(conf::load(configuration_)) {}

  Findings run() {
    findings_.push_back(check_configuration(configuration_, loaded_));
    look({{"kernel", "module", "stack", "node", "heartbeat", "peers", "fencing", "timeouts", "hook",
           "order", "hook-loaded", "state"},
          Health::fail,
          3s},
         [this] { return look_at_host(paths_, settings_); });
    look({{"mount", "domains"}, Health::fail, 1s},
         [this] { return look_at_mount(paths_, settings_); });
    look_in_context({{"service", "processes"}, Health::fail, 1s}, look_at_service);
    look_in_context({{"vms", "left-over"}, Health::warn, 2s}, look_at_vms);
    look({{"disks"}, Health::warn, 2s}, [this] { return look_at_disks(settings_); });
    look_in_context({{"clocks"}, Health::warn, 2s}, look_at_clocks);
    return std::move(findings_);
  }

 private:
  void look(Limits limits, const std::function<Findings()>& make) {
    limits.limit = std::min(limits.limit, deadline_.left());
    append(findings_, run_with_limit(limits, make));
  }

  void look_in_context(const Limits& limits, Findings (*make)(const VerbContext&)) {
    look(limits, [&] {
      auto base = open_context(settings_);
      if (!base) return all_unknown(limits, base.error().what);
      // Ends before this child process is abandoned, and returns what is known by then.
      Deadline deadline(std::min(limits.limit, deadline_.left()) * 4 / 5);
      SocketKeeperClient keeper(settings_.paths.state);
      ForkingCallRunner runner;
      Libvirt libvirt(settings_.keeper.libvirt_uri);  // here, since its threads do not survive fork
      return make(VerbContext{*base, keeper, runner, libvirt, deadline});
    });
  }

  std::filesystem::path configuration_;
  Result<conf::Settings> loaded_;
  conf::Settings settings_ = loaded_.value_or(conf::Settings{});
  SystemPaths paths_;
  Deadline deadline_{check_limit};
  Findings findings_;
};

std::string report(const Findings& findings, const CheckOptions& options) {
  if (!options.json) return as_text(findings, options.terminal);
  return to_text(Json{{"host", this_system().nodename},
                      {"status", word(worst(findings))},
                      {"checks", to_json(findings)}});
}

Outcome not_run(const std::string& why) {
  return {static_cast<int>(CheckStatus::not_run), "", "start-guard: " + why + "\n"};
}

}  // namespace

Outcome check(const CheckOptions& options) {
  if (::getuid() != 0) return not_run("check must be run by root");
  try {
    Findings findings = Inspection(options).run();
    return {static_cast<int>(worst(findings)), report(findings, options), ""};
  } catch (const std::exception& bug) {
    return not_run(std::string("unexpected error: ") + bug.what());
  }
}

void add_check(CommandLine& command_line) {
  auto json = std::make_shared<bool>(false);
  auto run = [json] { return print(check({conf::path(), terminal_of(STDOUT_FILENO), *json})); };
  command_line.add("check", "Check whether this host is safe, and say how to fix what is not", run)
      ->add_flag("--json", *json, "for programs");
}

}  // namespace guard::command
