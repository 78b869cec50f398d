#include "guard/command/resolve_vm.hpp"

#include <algorithm>

namespace guard::command {
namespace {

template <typename Is>
std::optional<Vm> first_of(const Result<std::vector<Vm>>& vms, Is is) {
  if (!vms) return std::nullopt;
  auto found = std::find_if(vms->begin(), vms->end(), is);
  return found == vms->end() ? std::nullopt : std::optional(*found);
}

Vm of_uuid(const VerbContext& context, const dlmfs::Uuid& uuid) {
  if (auto record = context.base.host.records().find(uuid); record && *record) return (*record)->vm;
  auto defined = first_of(context.libvirt.defined(), [&](const Vm& vm) { return vm.uuid == uuid; });
  return defined.value_or(Vm{uuid.text(), uuid});
}

}  // namespace

tl::expected<Vm, Outcome> resolve_vm(const VerbContext& context, const std::string& text) {
  if (auto uuid = dlmfs::Uuid::parse(text)) return of_uuid(context, *uuid);
  if (auto name = dlmfs::LockName::parse(text)) return of_uuid(context, name->uuid());
  auto defined = context.libvirt.defined();
  if (auto vm = first_of(defined, [&](const Vm& each) { return each.name == text; })) return *vm;
  for (const char* driver : {"qemu", "lxc", "libxl"}) {
    if (auto record = context.base.host.records().find_by_name(driver, text)) return record->vm;
  }
  constexpr const char* remedy = "; by its UUID it can be asked for on any host";
  if (!defined) {
    return tl::make_unexpected(failure(
        ExitStatus::unavailable, fmt::format("libvirt does not tell whether it knows VM '{}': {}{}",
                                             text, defined.error().what, remedy)));
  }
  return tl::make_unexpected(failure(
      ExitStatus::no_such_vm, fmt::format("no VM '{}' is known on this host{}", text, remedy)));
}

void add_vm_argument(CLI::App& verb, std::string& text) {
  verb.add_option("VM", text, "its name, its UUID, or its lock's name")->required();
}

}  // namespace guard::command
