#include "guard/command/verbs/metrics.hpp"

#include <algorithm>

#include "guard/command/lock_inventory.hpp"
#include "guard/command/verbs/all.hpp"
#include "guard/keeper/reconciler.hpp"
#include "guard/state/event_counter.hpp"
#include "guard/system/time_text.hpp"

namespace guard::command {
namespace {

std::string metric(std::string_view name, std::string_view type, std::string_view help,
                   std::uint64_t value) {
  return fmt::format(
      "# HELP start_guard_{0} {1}\n# TYPE start_guard_{0} {2}\nstart_guard_{0} {3}\n", name, help,
      type, value);
}

std::string gauge(std::string_view name, std::string_view help, std::uint64_t value) {
  return metric(name, "gauge", help, value);
}

std::string counter(const StateDirectory& directory, std::string_view name, std::string_view help,
                    EventCounter::Of what) {
  return metric(name, "counter", help, EventCounter(directory, what).count());
}

std::uint64_t count_of(const LockInventory& seen, AnomalyKind kind) {
  return static_cast<std::uint64_t>(
      std::count_if(seen.vms.begin(), seen.vms.end(), [&](const InventoryEntry& vm) {
        auto anomalies = anomalies_of(vm, seen.keeper_runs);
        return std::any_of(anomalies.begin(), anomalies.end(),
                           [&](const Anomaly& anomaly) { return anomaly.kind == kind; });
      }));
}

std::string of_reconciliation(const StateDirectory& directory) {
  auto stamp = directory.stamp(Reconciler::stamp_file);
  if (!stamp) return "";
  auto age = now_in_seconds().time_since_epoch().count() - stamp->seconds;
  return gauge("reconciliation_age_seconds", "Since the service last compared locks with VMs.",
               static_cast<std::uint64_t>(std::max<std::int64_t>(age, 0)));
}

}  // namespace

Outcome metrics(const VerbContext& context) {
  LockInventory seen = take_inventory(context);
  auto held = static_cast<std::uint64_t>(
      std::count_if(seen.vms.begin(), seen.vms.end(),
                    [](const InventoryEntry& vm) { return vm.file && vm.level; }));
  auto kept = static_cast<std::uint64_t>(std::count_if(
      seen.vms.begin(), seen.vms.end(), [](const InventoryEntry& vm) { return vm.kept; }));
  Outcome outcome;
  if (!seen.cluster_trouble.empty()) outcome.err = "start-guard: " + seen.cluster_trouble + "\n";
  outcome.out =
      gauge("cluster_up", "Whether this host's locks can be seen.",
            seen.cluster_trouble.empty() ? 1 : 0) +
      gauge("keeper_up", "Whether start-guard.service answers.", seen.keeper_runs ? 1 : 0) +
      gauge("libvirt_up", "Whether libvirt answers.", seen.libvirt_trouble.empty() ? 1 : 0) +
      gauge("locks_held", "VMs whose lock this host holds.", held) +
      gauge("locks_kept", "Those of them that start-guard.service keeps open.", kept);
  if (seen.libvirt_trouble.empty() && seen.cluster_trouble.empty()) {
    outcome.out += gauge("vms_without_lock", "VMs that run here without their lock.",
                         count_of(seen, AnomalyKind::runs_without_lock)) +
                   gauge("locks_left_over", "Locks held here for VMs that do not run here.",
                         count_of(seen, AnomalyKind::left_over));
  }
  outcome.out +=
      counter(context.base.host.directory, "starts_denied_total", "Starts denied since boot.",
              EventCounter::Of::denied) +
      counter(context.base.host.directory, "hand_overs_total",
              "Locks handed over to migrations since boot.", EventCounter::Of::hand_overs) +
      counter(context.base.host.directory, "alarms_total", "Log lines of priority crit since boot.",
              EventCounter::Of::alarms) +
      counter(context.base.host.directory, "log_lines_lost_total",
              "Log lines that the log daemon did not take.", EventCounter::Of::log_lines_lost) +
      of_reconciliation(context.base.host.directory);
  return outcome;
}

void add_metrics(CommandLine& command_line) {
  command_line.add_with_context("metrics", "Print metrics for Prometheus", metrics);
}

}  // namespace guard::command
