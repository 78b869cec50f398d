#include "guard/command/resolve_vm.hpp"

#include "hook/handlers.hpp"
#include "tests/catch.hpp"
#include "tests/guard/command/verb_context.hpp"

using namespace guard;
using namespace hook;
using namespace guard::command;
using dlmfs::StandInCluster;

TEST_CASE("a VM is meant by its name, its UUID, or its lock's name") {
  StandInCluster cluster;
  KeptHost host(cluster, 1);
  host.libvirt.states[web.uuid] = {};
  auto text = GENERATE(std::string("web"), web.uuid.text(), web_lock.text());
  auto vm = resolve_vm(context_of(host), text);
  REQUIRE(vm);
  CHECK(vm->uuid == web.uuid);
  CHECK(vm->name == "web");
}

TEST_CASE("one that is recorded is known by its name without libvirt") {
  StandInCluster cluster;
  KeptHost host(cluster, 1);
  REQUIRE_FALSE(prepare(host.context, web).denied);
  host.libvirt.broken = true;
  auto vm = resolve_vm(context_of(host), "web");
  REQUIRE(vm);
  CHECK(vm->uuid == web.uuid);
}

TEST_CASE("a UUID nobody here knows is a VM's all the same; a name is not") {
  StandInCluster cluster;
  KeptHost host(cluster, 1);
  auto vm = resolve_vm(context_of(host), web.uuid.text());
  REQUIRE(vm);
  CHECK(vm->name == web.uuid.text());
  auto unknown = resolve_vm(context_of(host), "web");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().what.find("no VM 'web' is known on this host") == 0);
}

TEST_CASE("where libvirt does not answer, the error says so") {
  StandInCluster cluster;
  KeptHost host(cluster, 1);
  host.libvirt.broken = true;
  auto unknown = resolve_vm(context_of(host), "web");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().what.find("libvirt is not there") != std::string::npos);
}
