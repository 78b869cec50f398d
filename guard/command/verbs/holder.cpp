#include "guard/command/verbs/holder.hpp"

#include "conf/escape.hpp"
#include "guard/command/holder_query.hpp"
#include "guard/command/lock_inventory.hpp"
#include "guard/command/output/json.hpp"
#include "guard/command/resolve_vm.hpp"
#include "guard/command/verbs/all.hpp"
#include "guard/system/time_text.hpp"

namespace guard::command {
namespace {

/// Returns this host as the holder if it holds the lock, otherwise nullopt. Relies on the level
/// that the kernel reports or, if it reports none, on the record.
std::optional<Holder> held_here(const VerbContext& context, const Vm& vm) {
  for (const InventoryEntry& each : take_inventory(context).vms) {
    if (each.vm.uuid != vm.uuid || !each.file) continue;
    if (each.level_known ? !each.level : !each.record) return std::nullopt;
    auto since = each.record ? each.record->since : std::chrono::sys_seconds();
    bool shared = each.level == dlmfs::Level::protected_read;
    return Holder{context.base.cluster.host_name, since, now_in_seconds(),
                  shared ? Holder::State::accepted : Holder::State::running};
  }
  return std::nullopt;
}

/// Returns whether the time of acquisition is known. It is unknown for a lock of this host without
/// a record.
bool dated(const Holder& holder) {
  return holder.since != std::chrono::sys_seconds();
}

std::string sentence(const Vm& vm, const HolderReply& heard) {
  if (!heard.holder) {
    return fmt::format("{}: no host says that it holds its lock", display_name(vm.name));
  }
  std::string text =
      fmt::format("{}: {}{}", display_name(vm.name), heard.holder->host,
                  dated(*heard.holder) ? " since " + time_text(heard.holder->since) : "");
  std::string migration = migration_text(*heard.holder);
  return migration.empty() ? text : text + ", " + migration;
}

Json to_json(const Vm& vm, const HolderReply& heard) {
  const auto& holder = heard.holder;
  return {{"vm", vm.name},
          {"uuid", vm.uuid.text()},
          {"lock", dlmfs::LockName(vm.uuid).text()},
          {"host", holder ? Json(holder->host) : Json()},
          {"since", holder && dated(*holder) ? Json(iso_time(holder->since)) : Json()},
          {"migrating", holder && !migration_text(*holder).empty()}};
}

}  // namespace

Outcome holder(const VerbContext& context, const std::string& text, bool json) {
  auto vm = resolve_vm(context, text);
  if (!vm) return vm.error();
  HolderReply heard{held_here(context, *vm)};
  if (!heard.holder) heard = ask_bells(context, {*vm}, [](auto) {}).front();
  if (!heard.trouble.empty()) {
    return failure(
        ExitStatus::unavailable,
        fmt::format("VM '{}': {}", conf::escape(vm->name, conf::any_length), heard.trouble));
  }
  auto status = heard.holder ? ExitStatus::ok : ExitStatus::failed;
  return {static_cast<int>(status),
          json ? to_text(to_json(*vm, heard)) : sentence(*vm, heard) + "\n", ""};
}

void add_holder(CommandLine& command_line) {
  auto vm = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  auto* verb = command_line.add_with_context(
      "holder", "Show which host holds a VM's lock, and since when",
      [vm, json](const VerbContext& context) { return holder(context, *vm, *json); });
  add_vm_argument(*verb, *vm);
  verb->add_flag("--json", *json, "for programs");
}

}  // namespace guard::command
