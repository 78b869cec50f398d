#include "guard/command/verbs/list.hpp"

#include "guard/command/output/json.hpp"
#include "hook/handlers.hpp"
#include "tests/catch.hpp"
#include "tests/guard/command/verb_context.hpp"

using namespace guard;
using namespace guard::command;
using dlmfs::StandInCluster;

namespace {

using namespace hook;

/// Two hosts that know the VM; it runs on the first.
struct Two {
  StandInCluster cluster;
  KeptHost node1{cluster, 1};
  KeptHost node2{cluster, 2};

  Two() {
    REQUIRE_FALSE(prepare(node1.context, web).denied);
    node1.libvirt.states[web.uuid] = {.active = true};
    node2.libvirt.states[web.uuid] = {};
  }
};

}  // namespace

TEST_CASE("a lock is one line with VM and UUID and level and kept and since and how") {
  Two hosts;
  auto outcome = list(context_of(hosts.node1), {});
  CHECK(outcome.status == 0);
  CHECK(outcome.err.empty());
  CHECK(outcome.out.starts_with("VM   UUID "));
  CHECK(contains(outcome.out, "web  " + web.uuid.text() + "  EX     yes   20"));
  CHECK(outcome.out.ends_with("  start\n"));
}

TEST_CASE("list shows VMs of other hosts only on request") {
  Two hosts;
  CHECK_FALSE(contains(list(context_of(hosts.node2), {}).out, "web"));
  auto outcome = list(context_of(hosts.node2), {.cluster = true});
  CHECK(contains(outcome.out, "web  " + web.uuid.text() + "  node1  -      -     20"));
}

TEST_CASE("a VM without a holder has no host") {
  Two hosts;
  hosts.node2.libvirt.states.clear();
  auto other = *dlmfs::Uuid::parse("11111111-2222-4333-8444-555555555555");
  hosts.node2.libvirt.states[other] = {};
  hosts.node2.libvirt.names[other] = "idle";
  auto outcome = list(context_of(hosts.node2), {.cluster = true});
  CHECK(contains(outcome.out, "idle  " + other.text() + "  -     -      -     -      -\n"));
}

TEST_CASE("list --json has the same content for programs") {
  Two hosts;
  auto outcome = list(context_of(hosts.node1), {.json = true});
  auto json = Json::parse(outcome.out);
  CHECK(json["host"] == "node1");
  CHECK(json["keeper"] == true);
  auto lock = json["locks"][0];
  CHECK(lock["vm"] == "web");
  CHECK(lock["uuid"] == web.uuid.text());
  CHECK(lock["lock"] == web_lock.text());
  CHECK(lock["level"] == "EX");
  CHECK(lock["kept"] == true);
  CHECK(lock["runs"] == true);
  CHECK(lock["how"] == "start");
  CHECK(lock["anomalies"].empty());
  CHECK(lock["since"].get<std::string>().ends_with("Z"));
  CHECK_FALSE(json.contains("elsewhere"));
}

TEST_CASE("an anomaly is a text in the table and a kind in JSON") {
  Two hosts;
  hosts.node1.libvirt.states.clear();
  CHECK(contains(list(context_of(hosts.node1), {}).out,
                 "\n  lock left over: no such VM runs here\n"));
  auto json = Json::parse(list(context_of(hosts.node1), {.json = true}).out);
  CHECK(json["locks"][0]["anomalies"][0]["kind"] == "left-over");
  CHECK(json["locks"][0]["anomalies"][0]["alarm"] == true);
}

TEST_CASE("a name with a newline is escaped and a name that is not UTF-8 gives valid JSON") {
  Two hosts;
  hosts.node2.libvirt.names[web.uuid] = "a\nb \xff";
  auto context = context_of(hosts.node2);
  CHECK(contains(list(context, {.cluster = true}).out, "\"a\\u000ab "));
  CHECK(Json::accept(list(context, {.json = true, .cluster = true}).out));
}

TEST_CASE("list without a cluster fails with the reason") {
  Two hosts;
  hosts.node1.break_cluster("no dlmfs");
  auto outcome = list(context_of(hosts.node1), {});
  CHECK(outcome.status == static_cast<int>(ExitStatus::unavailable));
  CHECK(outcome.err == "start-guard: no locks: no dlmfs\n");
}

TEST_CASE("list without libvirt still shows the locks") {
  Two hosts;
  hosts.node1.libvirt.broken = true;
  auto outcome = list(context_of(hosts.node1), {});
  CHECK(outcome.status == 0);
  CHECK(contains(outcome.out, "web"));
  CHECK(contains(outcome.err, "libvirt is not there"));
}

TEST_CASE("control characters in a name are escaped") {
  Two hosts;
  hosts.node1.libvirt.names[web.uuid] = "w\u00e9b \u009b31m\x7f";
  auto table = list(context_of(hosts.node1), {}).out;
  CHECK(contains(table, "\"w\u00e9b \\u009b31m\\u007f\"  " + web.uuid.text()));
  auto json = list(context_of(hosts.node1), {.json = true}).out;
  CHECK(contains(json, "\"vm\": \"w\u00e9b \\u009b31m\\u007f\""));
  CHECK(Json::parse(json)["locks"][0]["vm"] == "w\u00e9b \u009b31m\x7f");
}
