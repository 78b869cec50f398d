// Runs the service program, and connects to its socket as a hook does.

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "guard/ipc/keeper_client.hpp"
#include "guard/state/flock.hpp"
#include "tests/catch.hpp"
#include "tests/guard/fake_host.hpp"

using namespace guard;
using namespace std::chrono_literals;

namespace {

/// Runs `start-guard keep` with a temporary state directory and libvirt's test driver.
class Service {
 public:
  Service() {
    std::ofstream(configuration()) << "keeper.libvirt_uri = \"test:///default\"\npaths.state = \""
                                   << state().string() << "\"\n";
    // Whatever the umask is: the service refuses a file that others may write.
    std::filesystem::permissions(configuration(), std::filesystem::perms(0600));
    child_ = run();
    for (int tries = 0; tries < 500 && !line.level(web).keeper; ++tries)
      std::this_thread::sleep_for(10ms);
  }
  ~Service() { stop(SIGKILL); }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  [[nodiscard]] pid_t run() const {
    pid_t child = ::fork();
    if (child != 0) return child;
    ::setenv("START_GUARD_CONFIG", configuration().c_str(), 1);
    int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(null, STDERR_FILENO);
    ::execl(START_GUARD, "start-guard", "keep", nullptr);
    ::_exit(127);
  }

  /// Waits for the service to end. Returns its status as waitpid(2) does.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(child_, 0), &status, 0);
    return status;
  }
  int stop(int signal) {
    if (child_ == 0) return 0;
    ::kill(child_, signal);
    return wait();
  }

  [[nodiscard]] std::filesystem::path state() const { return directory_.path() / "state"; }
  [[nodiscard]] std::filesystem::path configuration() const {
    return directory_.path() / "start-guard.toml";
  }

 private:
  TemporaryDirectory directory_;
  pid_t child_ = 0;

 public:
  SocketKeeperClient line{state()};
};

/// A pipe. The keeper keeps its reading side; its writing side shows whether that is still open.
struct KeptLockInfo {
  guard::UniqueFd reading, writing;
  KeptLockInfo() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    reading = guard::UniqueFd(ends[0]);
    writing = guard::UniqueFd(ends[1]);
  }
  [[nodiscard]] bool open() const {
    pollfd ended{writing.get(), 0, 0};
    ::poll(&ended, 1, 0);
    return (ended.revents & POLLERR) == 0;
  }
  Pins pins() { return {dlmfs::OpenLock{std::move(reading), dlmfs::Level::protected_read}}; }
};

}  // namespace

TEST_CASE("the service keeps the locks of a hook until it is asked to close them") {
  Service service;
  KeptLockInfo lock;
  REQUIRE(service.line.keep(web, lock.pins()));
  CHECK(lock.open());
  auto told = service.line.level(web);
  CHECK(told.keeper);
  CHECK(told.level == dlmfs::Level::protected_read);  // from the descriptor's access mode
  CHECK(service.line.close(web) == KeeperClient::Closed::yes);
  CHECK_FALSE(lock.open());
  CHECK(service.line.level(web).level == std::nullopt);
}

TEST_CASE("the locks of a killed service are closed and hooks find no keeper") {
  KeptLockInfo lock;
  Service service;
  REQUIRE(service.line.keep(web, lock.pins()));
  service.stop(SIGKILL);
  CHECK_FALSE(lock.open());
  CHECK(service.line.close(web) == KeeperClient::Closed::no_keeper);
  CHECK_FALSE(service.line.level(web).keeper);
}

TEST_CASE("the service ends with status 0 and removes its socket after SIGTERM") {
  Service service;
  int status = service.stop(SIGTERM);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK_FALSE(std::filesystem::exists(service.state() / "keeper.sock"));
}

TEST_CASE("a service whose socket was removed exits with status 1") {
  Service service;
  std::filesystem::remove_all(service.state());
  int status = service.wait();
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
}

TEST_CASE("a second service on one host exits with status 1 at once") {
  Service service;
  int status = 0;
  pid_t second = service.run();
  REQUIRE(::waitpid(second, &status, 0) == second);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
  CHECK(service.line.level(web).keeper);
}

TEST_CASE("a service starts although a thread of a killed one still holds the flock") {
  Service service;
  service.stop(SIGTERM);
  // A thread of the old service that sleeps in the kernel still holds the flock.
  auto state = StateDirectory::open(service.state()).value();
  auto left = Flock::try_acquire(state, "keeper.flock");
  REQUIRE(left);
  pid_t next = service.run();
  for (int tries = 0; tries < 500 && !service.line.level(web).keeper; ++tries)
    std::this_thread::sleep_for(10ms);
  CHECK(service.line.level(web).keeper);
  ::kill(next, SIGKILL);
  ::waitpid(next, nullptr, 0);
}

TEST_CASE("an invalid configuration ends the service with status 78") {
  Service service;
  service.stop(SIGTERM);
  std::ofstream(service.configuration()) << "keeper.recon = 1\n";
  int status = 0;
  pid_t broken = service.run();
  REQUIRE(::waitpid(broken, &status, 0) == broken);
  CHECK(WEXITSTATUS(status) == 78);
}

TEST_CASE("the text of a request preserves the VM's name and driver and UUID") {
  using keeper_protocol::Request;
  Vm odd = web;
  odd.name = "a VM of \"mine\"";
  odd.driver = "lxc";
  auto read = keeper_protocol::message_from_text(keeper_protocol::to_text({Request::close, odd}));
  REQUIRE(read);
  CHECK(read->request == Request::close);
  CHECK(read->vm.uuid == odd.uuid);
  CHECK(read->vm.name == odd.name);
  CHECK(read->vm.driver == odd.driver);
}

TEST_CASE("an invalid request text is not parsed") {
  auto uuid = web.uuid.text();
  auto text =
      GENERATE_COPY(as<std::string>{}, "", "1", "2 close " + uuid + " qemu web",
                    "1 steal " + uuid + " qemu web", "1 close xyz qemu web", "1 close " + uuid,
                    "1 close " + uuid + " qemu", "1 close " + uuid + "  web");
  CHECK_FALSE(keeper_protocol::message_from_text(text));
}
