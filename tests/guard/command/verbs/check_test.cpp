// Runs the whole verb on the host that runs the tests.

#include "guard/command/verbs/check.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include "guard/command/output/json.hpp"
#include "tests/guard/command/checks/fake_system_paths.hpp"

using namespace guard::command;
using guard::CheckStatus;

namespace {

/// libvirt's test driver, and a temporary state directory.
struct Configured {
  guard::TemporaryDirectory folder;
  CheckOptions options{.configuration = folder.path() / "start-guard.toml", .json = true};

  Configured() { configure(""); }
  void configure(const std::string& more) const {
    FakeSystemPaths::write(options.configuration,
                           "keeper.libvirt_uri = 'test:///default'\n"
                           "dlmfs.mount = '" +
                               folder.path().string() +
                               "'\n"
                               "paths.state = '" +
                               (folder.path() / "state").string() + "'\n" + more);
    std::filesystem::permissions(options.configuration, std::filesystem::perms{0600});
  }
};

}  // namespace

TEST_CASE_METHOD(Configured, "check runs every check under its documented name") {
  if (::getuid() != 0) return;
  auto outcome = check(options);
  auto json = Json::parse(outcome.out);
  std::string names;
  for (const auto& each : json["checks"])
    names += (names.empty() ? "" : " ") + each["check"].get<std::string>();
  CHECK(names ==
        "configuration kernel module stack node heartbeat peers fencing timeouts hook order "
        "hook-loaded state mount domains service processes vms left-over disks clocks");
  CHECK(json["status"] == "fail");  // dlmfs is not mounted
  CHECK(outcome.status == static_cast<int>(CheckStatus::failures));
}

TEST_CASE("check by a user other than root exits as not run") {
  pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t nobody = 65534;
    if (::getuid() == 0 && ::setuid(nobody) != 0) ::_exit(99);
    ::_exit(check({}).status);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == static_cast<int>(CheckStatus::not_run));
}
