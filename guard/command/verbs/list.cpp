#include "guard/command/verbs/list.hpp"

#include "guard/command/holder_query.hpp"
#include "guard/command/lock_inventory.hpp"
#include "guard/command/output/json.hpp"
#include "guard/command/output/table.hpp"
#include "guard/command/verbs/all.hpp"
#include "guard/system/time_text.hpp"

namespace guard::command {
namespace {

const char* level_word(const InventoryEntry& vm) {
  if (!vm.level_known) return "?";
  if (!vm.level) return "none";
  return *vm.level == dlmfs::Level::exclusive ? "EX" : "PR";
}

/// A VM that is defined here and that this host does not hold.
struct Elsewhere {
  Vm vm;
  HolderReply heard;
};

struct Everything {
  LockInventory here;
  std::vector<Elsewhere> elsewhere;
};

Everything see(const VerbContext& context, const ListOptions& options) {
  Everything seen{take_inventory(context), {}};
  if (!options.cluster) return seen;
  auto vms = held_by_other_hosts(context, seen.here);
  auto heard =
      ask_bells(context, vms, [&](std::size_t asked) { context.progress(asked, vms.size()); });
  for (std::size_t i = 0; i < vms.size(); ++i)
    seen.elsewhere.push_back({vms[i], heard[i]});
  return seen;
}

std::string troubles(const LockInventory& here) {
  std::string text;
  if (!here.cluster_trouble.empty())
    text += "start-guard: no locks: " + here.cluster_trouble + "\n";
  if (!here.libvirt_trouble.empty()) {
    text += "start-guard: which VMs run is not known: " + here.libvirt_trouble + "\n";
  }
  return text;
}

Row row_of(const InventoryEntry& vm, bool keeper_runs) {
  Row row{{display_name(vm.vm.name), vm.vm.uuid.text(), level_word(vm), vm.kept ? "yes" : "no",
           vm.record ? time_text(vm.record->since) : "-",
           vm.record ? std::string(word(vm.record->origin)) : "-"}};
  for (const Anomaly& anomaly : anomalies_of(vm, keeper_runs)) {
    row.anomalies.push_back(anomaly.text);
    row.alarm = row.alarm || anomaly.alarm();
  }
  return row;
}

/// Inserts the column for the host, which the table has if other hosts are asked.
void name_host(std::vector<std::string>& cells, const std::string& host) {
  cells.insert(cells.begin() + 2, host);
}

Row row_of(const Elsewhere& vm) {
  const auto& holder = vm.heard.holder;
  std::string host = holder ? holder->host : vm.heard.trouble.empty() ? "-" : "?";
  Row row{{display_name(vm.vm.name), vm.vm.uuid.text(), host, "-", "-",
           holder ? time_text(holder->since) : "-", "-"}};
  if (!vm.heard.trouble.empty()) {
    row.anomalies.push_back(vm.heard.trouble);
    row.alarm = true;
  } else if (holder && !migration_text(*holder).empty()) {
    row.anomalies.push_back(migration_text(*holder));
  }
  return row;
}

std::string as_table(const VerbContext& context, const Everything& seen, bool cluster) {
  std::vector<std::string> heading{"VM", "UUID", "LEVEL", "KEPT", "SINCE", "HOW"};
  std::vector<Row> rows;
  rows.reserve(seen.here.vms.size() + seen.elsewhere.size());
  for (const InventoryEntry& vm : seen.here.vms) {
    rows.push_back(row_of(vm, seen.here.keeper_runs));
    if (cluster) name_host(rows.back().cells, vm.file ? context.base.cluster.host_name : "-");
  }
  for (const Elsewhere& vm : seen.elsewhere)
    rows.push_back(row_of(vm));
  if (cluster) name_host(heading, "HOST");
  return table(heading, rows, context.terminal);
}

Json to_json(const InventoryEntry& vm, const LockInventory& here, const std::string& host) {
  Json anomalies = Json::array();
  for (const Anomaly& anomaly : anomalies_of(vm, here.keeper_runs))
    anomalies.push_back(
        {{"kind", info(anomaly.kind).word}, {"text", anomaly.text}, {"alarm", anomaly.alarm()}});
  Json json = {{"vm", vm.vm.name},
               {"uuid", vm.vm.uuid.text()},
               {"lock", dlmfs::LockName(vm.vm.uuid).text()},
               {"driver", vm.vm.driver},
               {"host", vm.file ? Json(host) : Json()},
               {"level", vm.level ? Json(level_word(vm)) : Json()},
               {"kept", vm.kept},
               {"runs", vm.runs ? Json(*vm.runs) : Json()},
               {"since", vm.record ? Json(iso_time(vm.record->since)) : Json()},
               {"how", vm.record ? Json(word(vm.record->origin)) : Json()},
               {"anomalies", anomalies}};
  return json;
}

Json to_json(const Elsewhere& vm) {
  const auto& holder = vm.heard.holder;
  return {{"vm", vm.vm.name},
          {"uuid", vm.vm.uuid.text()},
          {"lock", dlmfs::LockName(vm.vm.uuid).text()},
          {"host", holder ? Json(holder->host) : Json()},
          {"since", holder ? Json(iso_time(holder->since)) : Json()},
          {"migrating", holder && !migration_text(*holder).empty()},
          {"trouble", vm.heard.trouble.empty() ? Json() : Json(vm.heard.trouble)}};
}

std::string as_json(const VerbContext& context, const Everything& seen, bool cluster) {
  Json json = {{"host", context.base.cluster.host_name}, {"keeper", seen.here.keeper_runs}};
  json["locks"] = Json::array();
  for (const InventoryEntry& vm : seen.here.vms)
    json["locks"].push_back(to_json(vm, seen.here, context.base.cluster.host_name));
  if (!cluster) return to_text(json);
  json["elsewhere"] = Json::array();
  for (const Elsewhere& vm : seen.elsewhere)
    json["elsewhere"].push_back(to_json(vm));
  return to_text(json);
}

}  // namespace

Outcome list(const VerbContext& context, const ListOptions& options) {
  Everything seen = see(context, options);
  Outcome outcome;
  outcome.err = troubles(seen.here);
  if (!seen.here.cluster_trouble.empty())
    outcome.status = static_cast<int>(ExitStatus::unavailable);
  outcome.out = options.json ? as_json(context, seen, options.cluster)
                             : as_table(context, seen, options.cluster);
  return outcome;
}

void add_list(CommandLine& command_line) {
  auto options = std::make_shared<ListOptions>();
  auto* verb = command_line.add_with_context(
      "list", "List this host's locks and their anomalies",
      [options](const VerbContext& context) { return list(context, *options); });
  verb->add_flag("--json", options->json, "for programs");
  verb->add_flag("--cluster", options->cluster, "the VMs other hosts hold, too");
}

}  // namespace guard::command
