#include "guard/lock/denial.hpp"

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>

#include "guard/system/time_text.hpp"
#include "tests/catch.hpp"

using namespace guard;
using namespace std::chrono_literals;
using Kind = AcquireResult::Kind;

namespace {

const Vm web{"web", *dlmfs::Uuid::parse("d0c3b7a4-1111-4222-8333-4444555566ff")};

AcquireResult held_by_node1() {
  std::chrono::sys_seconds since(1763846400s);
  return {.kind = Kind::denied, .holder = Holder{"node1", since, since}};
}

}  // namespace

TEST_CASE("times are in the host's time zone and name it") {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  CHECK(time_text(std::chrono::sys_seconds(1763846400s)) == "2025-11-22 21:20:00 UTC");
}

TEST_CASE("a denial names the VM and the holder and since when and the remedy") {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  CHECK(denial(web, denial_reason(web, held_by_node1(), 10s)) ==
        "start-guard: VM 'web' (d0c3b7a4-1111-4222-8333-4444555566ff) is not started: host node1 "
        "holds its lock since 2025-11-22 21:20:00 UTC; shut it down there (virsh -c "
        "qemu+ssh://node1/system shutdown web), or leave it running there");
}

TEST_CASE("the remedy's URI depends on the VM's driver") {
  Vm other = web;
  other.driver = "lxc";
  CHECK(denial_reason(other, held_by_node1(), 10s).find("lxc+ssh://node1/") != std::string::npos);
  other.driver = "libxl";
  CHECK(denial_reason(other, held_by_node1(), 10s).find("xen+ssh://node1/") != std::string::npos);
}

TEST_CASE("a VM's name is quoted for the shell in a command") {
  Vm odd = web;
  odd.name = "it's a VM";
  CHECK(denial_reason(odd, held_by_node1(), 10s).find(R"(shutdown 'it'\''s a VM')") !=
        std::string::npos);
}

TEST_CASE("control characters in a VM's name are escaped in a denial") {
  Vm odd = web;
  odd.name = "it's \u009b31m \u00e4\x9b";
  CHECK(denial(odd, "X").find("VM 'it's \\u009b31m \u00e4\\x9b'") != std::string::npos);
  CHECK(denial(odd.name, "X").find("VM 'it's \\u009b31m \u00e4\\x9b'") != std::string::npos);
  // The command still names exactly this VM.
  CHECK(denial_reason(odd, held_by_node1(), 10s)
            .find(R"(shutdown $'it\'s \xc2\x9b31m )"
                  "\u00e4"
                  R"(\x9b')") != std::string::npos);
}

TEST_CASE("each reason for a denial contains a remedy") {
  CHECK(denial_reason(web, {Kind::no_answer}, 10s).find("try again") != std::string::npos);
  CHECK(denial_reason(web, {Kind::asking_holder}, 1500ms).find("within 1500 ms") !=
        std::string::npos);
  CHECK(denial_reason(web, {Kind::denied}, 10s).find("start-guard list") != std::string::npos);
  CHECK(
      denial_reason(web, {Kind::denied, "asking the bell: X"}, 10s).find("(asking the bell: X)") !=
      std::string::npos);
  CHECK(denial_reason(web,
                      {.kind = Kind::last_run,
                       .last_run = LastRun{.kind = LastRun::Kind::qemu_alive, .qemu = {77, 1}}},
                      10s)
            .find("ps -fp 77") != std::string::npos);
  CHECK(denial_reason(web, {Kind::cluster_down, "X: do Y"}, 10s).find("X: do Y") !=
        std::string::npos);
}

TEST_CASE("start-guard-hook(8) lists every reason why a hand-over is denied") {
  std::ifstream file(HOOK_PAGE);
  std::string page(std::istreambuf_iterator<char>(file), {});
  ClusterAccess cluster = cluster_access(conf::Settings{});
  using State = Holder::State;
  std::vector<AcquireResult> denials;
  for (int state = 0; state <= static_cast<int>(State::runs_here_too); ++state) {
    denials.push_back(held_by_node1());
    denials.back().holder->state = static_cast<State>(state);
  }
  denials.push_back(held_by_node1());
  denials.back().kind = Kind::announced_before;
  for (const AcquireResult& denied : denials) {
    std::string reason = migration_denial_reason(cluster, web, denied, 10s);
    std::string holder = "host node1 holds its lock since " + time_text(denied.holder->since);
    REQUIRE(reason.starts_with(holder));
    reason.erase(0, holder.size());
    if (reason.starts_with("; ")) reason = reason.substr(2, reason.find(" node1") - 2);
    CHECK(contains(page, reason.substr(0, reason.find_first_of(";:,", 1))));
  }
}
