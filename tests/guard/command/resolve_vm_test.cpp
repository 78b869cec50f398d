#include "guard/command/resolve_vm.hpp"

#include "hook/handlers.hpp"
#include "tests/catch.hpp"
#include "tests/guard/command/verb_context.hpp"

using namespace guard;
using namespace hook;
using namespace guard::command;
using dlmfs::StandInCluster;

TEST_CASE("a VM is found by its name or UUID or lock name") {
  StandInCluster cluster;
  KeptHost host(cluster, 1);
  host.libvirt.states[web.uuid] = {};
  auto text = GENERATE(std::string("web"), web.uuid.text(), web_lock.text());
  auto vm = resolve_vm(context_of(host), text);
  REQUIRE(vm);
  CHECK(vm->uuid == web.uuid);
  CHECK(vm->name == "web");
}

TEST_CASE("a recorded VM is found by its name without libvirt") {
  StandInCluster cluster;
  KeptHost host(cluster, 1);
  REQUIRE_FALSE(prepare(host.context, web).denied);
  host.libvirt.broken = true;
  auto vm = resolve_vm(context_of(host), "web");
  REQUIRE(vm);
  CHECK(vm->uuid == web.uuid);
}

TEST_CASE("an unknown UUID is accepted but an unknown name is an error") {
  StandInCluster cluster;
  KeptHost host(cluster, 1);
  auto vm = resolve_vm(context_of(host), web.uuid.text());
  REQUIRE(vm);
  CHECK(vm->name == web.uuid.text());
  auto unknown = resolve_vm(context_of(host), "web");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().status == static_cast<int>(ExitStatus::no_such_vm));
  CHECK(unknown.error().err.find("no VM 'web' is known on this host") != std::string::npos);
}

TEST_CASE("a name counts as not found only if libvirt answers") {
  StandInCluster cluster;
  KeptHost host(cluster, 1);
  host.libvirt.broken = true;
  auto unknown = resolve_vm(context_of(host), "web");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().status == static_cast<int>(ExitStatus::unavailable));
  CHECK(unknown.error().err.find("libvirt is not there") != std::string::npos);
}
