// The checks of configuration, state directory, service and processes.

#include "guard/command/checks/all.hpp"
#include "tests/guard/command/checks/fake_system_paths.hpp"
#include "tests/guard/fake_proc.hpp"
#include "tests/guard/keeper/kept_host.hpp"

using namespace guard;
using namespace guard::command;

TEST_CASE("an invalid configuration is reported with the loader's message") {
  TemporaryDirectory folder;
  auto file = folder.path() / "start-guard.toml";
  FakeSystemPaths::write(file, "[guard]\nacquire_timout = '10s'\n");
  std::filesystem::permissions(file, std::filesystem::perms{0600});
  auto finding = check_configuration(file, conf::load(file));
  CHECK(is(finding, Health::fail));
  CHECK(says(finding.found, "start-guard.toml:2:1"));
}

TEST_CASE("a missing configuration means the defaults") {
  auto finding = check_configuration("/nowhere/start-guard.toml", conf::Settings{});
  CHECK(is(finding, Health::ok));
  CHECK(says(finding.found, "defaults"));
}

TEST_CASE("on_cluster_down = allow is a warning") {
  conf::Settings settings;
  settings.guard.on_cluster_down = conf::OnClusterDown::allow;
  CHECK(is(check_configuration("start-guard.toml", settings), Health::warn));
}

TEST_CASE("a state directory that cannot be created is a failure") {
  TemporaryDirectory folder;
  CHECK(is(check_state(folder.path() / "state"), Health::ok));
  FakeSystemPaths::write(folder.path() / "file", "");
  CHECK(is(check_state(folder.path() / "file"), Health::fail));
}

TEST_CASE("a service that answers is ok and one that does not is a failure") {
  dlmfs::StandInCluster cluster;
  KeptHost host(cluster, 1);
  CHECK(is(check_service(*host.context.keeper), Health::ok));
  CHECK(check_service(*host.context.keeper).found == "start-guard.service keeps 0 locks");
  host.kill_keeper();
  CHECK(is(check_service(*host.context.keeper), Health::fail));
}

TEST_CASE("processes hidden from this program or from the service are a failure") {
  FakeProc proc;
  SystemPaths paths{.processes = proc.path()};
  std::filesystem::create_directories(proc.path() / "4711");
  auto in_service = proc.path() / "4711" / "mountinfo";
  std::filesystem::copy(proc.path() / "self" / "mountinfo", in_service);
  CHECK(is(check_processes(paths, 4711), Health::ok));
  CHECK(is(check_processes(paths, std::nullopt), Health::ok));
  proc.hide();
  auto here = check_processes(paths, 4711);
  CHECK(is(here, Health::fail));
  CHECK(says(here.found, "hidden from this program"));
  std::filesystem::copy(proc.path() / "self" / "mountinfo", in_service,
                        std::filesystem::copy_options::overwrite_existing);
  proc.allow(0, "4711");
  proc.show();
  auto there = check_processes(paths, 4711);
  CHECK(is(there, Health::fail));
  CHECK(says(there.found, "hidden from start-guard.service"));
  CHECK(says(there.remedy, "CAP_SYS_PTRACE"));
}
