// The service as it is run, and the hook's end of its socket.

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "guard/host/flock.hpp"
#include "guard/ipc/keeper_client.hpp"
#include "tests/catch.hpp"
#include "tests/guard/fake_host.hpp"

using namespace guard;
using namespace std::chrono_literals;

namespace {

/// `start-guard keep` with a state directory of its own, without libvirt.
class Service {
 public:
  Service() {
    std::ofstream(configuration()) << "keeper.libvirt_uri = \"test:///default\"\npaths.state = \""
                                   << state().string() << "\"\n";
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

  /// Its status, as waitpid(2) has it.
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

/// A pipe's reading side, to be kept, and its writing side, which shows that it is still open.
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

TEST_CASE("the service keeps what a hook hands over, until it is to let go") {
  Service service;
  KeptLockInfo lock;
  REQUIRE(service.line.keep(web, lock.pins()));
  CHECK(lock.open());
  auto told = service.line.level(web);
  CHECK(told.keeper);
  CHECK(told.level == dlmfs::Level::protected_read);  // by how the descriptor was opened
  CHECK(service.line.close(web) == KeeperClient::Closed::yes);
  CHECK_FALSE(lock.open());
  CHECK(service.line.level(web).level == std::nullopt);
}

TEST_CASE("what the service was killed with is closed, and the next one begins") {
  KeptLockInfo lock;
  Service service;
  REQUIRE(service.line.keep(web, lock.pins()));
  service.stop(SIGKILL);
  CHECK_FALSE(lock.open());
  CHECK(service.line.close(web) == KeeperClient::Closed::no_keeper);
  CHECK_FALSE(service.line.level(web).keeper);
}

TEST_CASE("the service ends when it is asked to") {
  Service service;
  int status = service.stop(SIGTERM);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK_FALSE(std::filesystem::exists(service.state() / "keeper.sock"));
}

TEST_CASE("a service whose socket was taken away ends, to be started anew") {
  Service service;
  std::filesystem::remove_all(service.state());
  int status = service.wait();
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
}

TEST_CASE("a second service of one host ends at once") {
  Service service;
  int status = 0;
  pid_t second = service.run();
  REQUIRE(::waitpid(second, &status, 0) == second);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
  CHECK(service.line.level(web).keeper);
}

TEST_CASE("what is left of a killed one does not keep a service from beginning") {
  Service service;
  service.stop(SIGTERM);
  // A thread of it that sleeps in the kernel has the flock still.
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

TEST_CASE("a mistake in the configuration ends the service with a status of its own") {
  Service service;
  service.stop(SIGTERM);
  std::ofstream(service.configuration()) << "keeper.recon = 1\n";
  int status = 0;
  pid_t broken = service.run();
  REQUIRE(::waitpid(broken, &status, 0) == broken);
  CHECK(WEXITSTATUS(status) == 78);
}

TEST_CASE("a request's text tells which VM it is about, whatever its name") {
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

TEST_CASE("what is no request is none") {
  auto uuid = web.uuid.text();
  auto text =
      GENERATE_COPY(as<std::string>{}, "", "1", "2 close " + uuid + " qemu web",
                    "1 steal " + uuid + " qemu web", "1 close xyz qemu web", "1 close " + uuid,
                    "1 close " + uuid + " qemu", "1 close " + uuid + "  web");
  CHECK_FALSE(keeper_protocol::message_from_text(text));
}
