// Compares the output for programs with start-guard(8).

#include <unistd.h>

#include "guard/command/lock_inventory.hpp"
#include "guard/command/output/json.hpp"
#include "guard/command/verbs/check.hpp"
#include "guard/command/verbs/holder.hpp"
#include "guard/command/verbs/list.hpp"
#include "guard/command/verbs/metrics.hpp"
#include "guard/exit_status.hpp"
#include "hook/handlers.hpp"
#include "tests/catch.hpp"
#include "tests/guard/command/man_page.hpp"
#include "tests/guard/command/verb_context.hpp"

using namespace guard;
using namespace guard::command;

namespace {

using Names = std::vector<std::string>;

/// Two hosts that know the VM. The first holds its lock, but does not run it.
struct ContractHosts {
  dlmfs::StandInCluster cluster;
  KeptHost node1{cluster, 1};
  KeptHost node2{cluster, 2};
  ManPage page;

  ContractHosts() {
    REQUIRE_FALSE(hook::prepare(node1.context, web).denied);
    node2.libvirt.states[web.uuid] = {};
  }
};

Names keys(const Json& object) {
  Names names;
  for (const auto& [key, value] : object.items())
    names.push_back(key);
  return names;
}

std::string first_line_after(const std::string& text, const std::string& before) {
  std::size_t begin = text.find(before);
  REQUIRE(begin != std::string::npos);
  begin += before.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

Names first_words(const std::string& lines, std::string_view start) {
  Names words;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with(start)) words.push_back(line.substr(start.size()));
  }
  return words;
}

}  // namespace

TEST_CASE_METHOD(ContractHosts, "start-guard(8) describes every key of list --json") {
  auto described = parts(page.section(".Ss list --json"));
  REQUIRE(described.size() == 4);
  auto here = Json::parse(list(context_of(node1), {.json = true, .cluster = true}).out);
  CHECK(keys(here) == ManPage::items(described[0], "Va"));
  REQUIRE_FALSE(here["locks"].empty());
  CHECK(keys(here["locks"][0]) == ManPage::items(described[1], "Va"));
  REQUIRE_FALSE(here["locks"][0]["anomalies"].empty());
  CHECK(keys(here["locks"][0]["anomalies"][0]) == ManPage::items(described[2], "Va"));
  auto there = Json::parse(list(context_of(node2), {.json = true, .cluster = true}).out);
  REQUIRE_FALSE(there["elsewhere"].empty());
  CHECK(keys(there["elsewhere"][0]) == ManPage::items(described[3], "Va"));
}

TEST_CASE_METHOD(ContractHosts, "start-guard(8) describes every key of holder --json") {
  auto outcome = holder(context_of(node2), "web", true);
  CHECK(keys(Json::parse(outcome.out)) == ManPage::items(page.section(".Ss holder --json"), "Va"));
}

TEST_CASE("start-guard(8) describes every key of check --json and lists every check") {
  if (::getuid() != 0) return;
  ManPage page;
  TemporaryDirectory folder;
  auto outcome = check({.configuration = folder.path() / "none.toml", .json = true});
  auto report = Json::parse(outcome.out);
  auto described = parts(page.section(".Ss check --json"));
  REQUIRE(described.size() == 2);
  CHECK(keys(report) == ManPage::items(described[0], "Va"));
  CHECK(keys(report["checks"][0]) == ManPage::items(described[1], "Va"));
  Names checks;
  for (const auto& each : report["checks"])
    checks.push_back(each["check"]);
  CHECK(checks == ManPage::items(page.section(".Ss check"), ""));
}

TEST_CASE_METHOD(ContractHosts, "start-guard(8) lists every metric with gauges before counters") {
  std::ofstream(node1.context.host.directory.path_of("keeper.reconciled")) << "";
  auto listed = page.section(".Sh METRICS");
  auto printed = metrics(context_of(node1)).out;
  Names types;
  for (const std::string& type : first_words(printed, "# TYPE "))
    types.push_back(type);
  std::size_t counters = listed.find("Counters");
  REQUIRE(counters != std::string::npos);
  Names expected;
  for (const std::string& name : ManPage::items(listed.substr(0, counters), "Va"))
    expected.push_back(name + " gauge");
  for (const std::string& name : ManPage::items(listed.substr(counters), "Va"))
    expected.push_back(name + " counter");
  std::sort(types.begin(), types.end());
  std::sort(expected.begin(), expected.end());
  CHECK(types == expected);
}

TEST_CASE("start-guard(8) lists every kind of anomaly with its text") {
  ManPage page;
  auto section = page.section(".Sh ANOMALIES");
  Names words;
  for (const AnomalyInfo& each : all_anomalies) {
    words.emplace_back(each.word);
    CHECK(&each == &info(each.kind));
    std::string item = ".It Cm " + std::string(each.word) + "\n.Dq ";
    std::size_t begin = section.find(item);
    REQUIRE(begin != std::string::npos);
    begin += item.size();
    std::string documented = section.substr(begin, section.find(" .\n", begin) - begin);
    std::string_view text = each.text;  // with "{}" where the page has a word in capitals
    std::size_t detail = text.find("{}");
    CHECK(documented.starts_with(text.substr(0, detail)));
    if (detail == std::string_view::npos) {
      CHECK(documented == text);
    } else {
      CHECK(documented.ends_with(text.substr(detail + 2)));
    }
  }
  CHECK(ManPage::items(section, "Cm") == words);
}

TEST_CASE_METHOD(ContractHosts, "start-guard(8) lists every column of list") {
  auto table = list(context_of(node2), {.cluster = true}).out;
  std::istringstream heading(table.substr(0, table.find('\n')));
  Names columns{std::istream_iterator<std::string>(heading), {}};
  auto listed = page.section(".Ss list");
  listed = listed.substr(listed.find("The columns are"));
  CHECK(ManPage::items(listed.substr(0, listed.find(".El")), "") == columns);
  auto without_host = list(context_of(node2), {}).out;
  std::istringstream shown(first_line_after(page.section(".Sh EXAMPLES"), "# start-guard list\n"));
  std::istringstream printed(without_host.substr(0, without_host.find('\n')));
  CHECK(Names{std::istream_iterator<std::string>(shown), {}} ==
        Names{std::istream_iterator<std::string>(printed), {}});
}

namespace {

/// A new status does not compile here until it is added, and to `all_exit_statuses` with it.
std::size_t count_of_statuses() {
  switch (ExitStatus::ok) {
    case ExitStatus::ok:
    case ExitStatus::failed:
    case ExitStatus::usage:
    case ExitStatus::no_such_vm:
    case ExitStatus::unavailable:
    case ExitStatus::not_ended:
    case ExitStatus::no_permission:
    case ExitStatus::configuration:
      break;
  }
  return 8;
}

}  // namespace

TEST_CASE("start-guard(8) lists every exit status") {
  CHECK(all_exit_statuses.size() == count_of_statuses());
  Names statuses;
  for (const auto& [status, meaning] : all_exit_statuses)
    statuses.push_back(std::to_string(static_cast<int>(status)));
  CHECK(ManPage::items(ManPage().section(".Sh EXIT STATUS"), "") == statuses);
}
