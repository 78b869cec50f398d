#include "guard/command/checks/all.hpp"
#include "hook/handlers.hpp"
#include "tests/guard/command/checks/fake_system_paths.hpp"
#include "tests/guard/command/verb_context.hpp"

using namespace guard;
using namespace guard::command;
using namespace std::chrono_literals;
using std::chrono::sys_seconds;

namespace {

using namespace hook;

const sys_seconds noon{12h};
const AskedBetween asked{noon, noon + 1s};

HolderReply told(const std::string& host, sys_seconds time,
                 Holder::State state = Holder::State::no_migration) {
  return {Holder{host, {}, time, state}};
}

}  // namespace

TEST_CASE("clocks that differ by up to 5 s are ok") {
  auto finding = compare_clocks({told("node2", noon - 5s), told("node3", noon + 6s)}, asked);
  CHECK(is(finding, Health::ok));
  CHECK(finding.found == "within 5 s: node2, node3");
}

TEST_CASE("a wrong clock is reported with its host and its offset") {
  auto ahead = compare_clocks({told("node2", noon + 1h), told("node3", noon)}, asked);
  CHECK(is(ahead, Health::warn));
  CHECK(says(ahead.found, "node2 by 3599 s ahead"));
  auto behind = compare_clocks({told("node2", noon - 6s)}, asked);
  CHECK(is(behind, Health::warn));
  CHECK(says(behind.found, "node2 by 6 s behind"));
}

TEST_CASE("only the time in a fresh answer of a keeper is compared") {
  auto state =
      GENERATE(Holder::State::running, Holder::State::accepted, Holder::State::runs_here_too);
  auto finding = compare_clocks({told("node2", noon - 24h, state), HolderReply{}}, asked);
  CHECK(is(finding, Health::ok));
  CHECK(says(finding.found, "not compared"));
}

TEST_CASE("a host that does not answer is a warning") {
  auto finding = compare_clocks({HolderReply{std::nullopt, "the cluster did not answer"}}, asked);
  CHECK(is(finding, Health::warn));
  CHECK(says(finding.found, "did not answer"));
}

TEST_CASE("a VM on which another process works hides no other host's clock") {
  HolderReply busy{std::nullopt, "another operation is still running", true};
  auto finding = compare_clocks({busy, told("node2", noon)}, asked);
  CHECK(finding.found == "within 5 s: node2");
  finding = compare_clocks({busy}, asked);
  CHECK(is(finding, Health::ok));
  CHECK(finding.found == "not compared: another operation is still running");
}

TEST_CASE("check_clocks asks the hosts that hold the VMs defined here") {
  dlmfs::StandInCluster cluster;
  KeptHost here(cluster, 1);
  KeptHost there(cluster, 2);
  REQUIRE_FALSE(prepare(there.context, web).denied);
  there.libvirt.states[web.uuid] = {.active = true};
  here.libvirt.states[web.uuid] = {};
  auto finding = check_clocks(context_of(here));
  CHECK(is(finding, Health::ok));
  CHECK(finding.found == "within 5 s: node2");
}

TEST_CASE("check_clocks warns if libvirt does not answer") {
  dlmfs::StandInCluster cluster;
  KeptHost here(cluster, 1);
  here.libvirt.broken = true;
  FakeSystemPaths host;
  FakeSystemPaths::write(host.paths.daemons / "virtqemud", "");
  auto finding = check_clocks(context_of(here), host.paths);
  CHECK(is(finding, Health::warn));
  CHECK(finding.remedy == "systemctl start virtqemud");
}
