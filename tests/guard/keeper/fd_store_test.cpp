// The locks that the service manager keeps open while the keeper is restarted.

#include "guard/keeper/fd_store.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "hook/handlers.hpp"
#include "tests/guard/keeper/migration.hpp"

using namespace guard;
using namespace std::chrono_literals;
using dlmfs::Level;
using dlmfs::StandInCluster;
using Job = VmState::Job;

namespace {

using namespace hook;

/// The VM runs on node1, and a process on node2 has queued a request for its lock.
struct Queued {
  StandInCluster cluster;
  KeptHost node1{cluster, 1};
  FakeHost node2{cluster, 2};

  Queued() {
    REQUIRE_FALSE(prepare(node1.context, web).denied);
    node1.libvirt.states[web.uuid] = {.active = true};
    REQUIRE_FALSE(node2.mount.queue(locks, web_lock, Level::exclusive));
    node1.loop.settle();
  }
};

/// Receives the messages to the socket that NOTIFY_SOCKET names, as systemd does.
class MadeUpSystemd {
 public:
  MadeUpSystemd() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
    ::setenv("NOTIFY_SOCKET", path().c_str(), 1);
  }
  ~MadeUpSystemd() { ::unsetenv("NOTIFY_SOCKET"); }
  MadeUpSystemd(const MadeUpSystemd&) = delete;
  MadeUpSystemd& operator=(const MadeUpSystemd&) = delete;

  struct Message {
    std::string text;
    guard::UniqueFd fd;
  };
  /// Returns the next message, or an empty one if there is none. The caller closes a barrier's
  /// descriptor.
  [[nodiscard]] Message read(int flags = MSG_DONTWAIT) const {
    char text[1024];
    alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(ucred))];
    iovec part{text, sizeof text};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = space;
    message.msg_controllen = sizeof space;
    ssize_t size = ::recvmsg(socket_.get(), &message, flags | MSG_CMSG_CLOEXEC);
    Message read;
    if (size < 0) return read;
    read.text.assign(text, static_cast<std::size_t>(size));
    for (cmsghdr* part_of = CMSG_FIRSTHDR(&message); part_of != nullptr;
         part_of = CMSG_NXTHDR(&message, part_of)) {
      if (part_of->cmsg_type != SCM_RIGHTS) continue;
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part_of), sizeof fd);
      read.fd = guard::UniqueFd(fd);
    }
    return read;
  }

 private:
  [[nodiscard]] std::string path() const { return directory_.path() / "notify"; }

  TemporaryDirectory directory_;
  guard::UniqueFd socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

dlmfs::OpenLock open_lock(Level level) {
  int flags = level == Level::exclusive ? O_RDWR : O_RDONLY;
  return {guard::UniqueFd(::open("/dev/null", flags | O_CLOEXEC)), level};
}

}  // namespace

TEST_CASE("a request queued before the keeper died is not granted while the keeper restarts") {
  Queued vm;
  vm.node1.kill_keeper();
  CHECK(vm.cluster.level(1, locks, web_lock) == Level::exclusive);
  vm.node1.start_keeper();
  vm.node1.loop.pass(60s);
  CHECK(vm.node1.keeper->level(web) == Level::exclusive);
  CHECK(vm.cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK_FALSE(vm.node2.mount.finished(locks, web_lock));
  CHECK(vm.node1.logged("event=reopened"));
  CHECK(vm.node1.count_logged("event=conflict") == 0);
}

TEST_CASE("a queued request is granted if the service manager keeps no lock open") {
  Queued vm;
  vm.node1.stop_keeper();
  CHECK(vm.cluster.level(1, locks, web_lock) == std::nullopt);
  CHECK(vm.node2.mount.finished(locks, web_lock));
}

TEST_CASE("a queued request is granted after the VM ends and its host keeps nothing") {
  Queued vm;
  bool restarted = GENERATE(true, false);
  if (restarted) vm.node1.start_keeper();
  REQUIRE_FALSE(release(vm.node1.context, web).denied);
  CHECK_FALSE(vm.node1.fd_store.level(web_lock));
  CHECK_FALSE(vm.node1.has_file(locks, web_lock));
  CHECK_FALSE(vm.node1.context.host.load_record(web));
  CHECK(vm.node2.mount.finished(locks, web_lock));
}

TEST_CASE("the next keeper releases the lock of a VM that ended while no keeper ran") {
  Queued vm;
  vm.node1.kill_keeper();
  vm.node1.libvirt.states.clear();
  REQUIRE_FALSE(release(vm.node1.context, web).denied);
  CHECK(vm.node1.context.host.load_record(web)->released);
  vm.node1.start_keeper();
  CHECK_FALSE(vm.node1.fd_store.level(web_lock));
  CHECK_FALSE(vm.node1.has_file(locks, web_lock));
  CHECK_FALSE(vm.node1.context.host.load_record(web));
}

TEST_CASE("a stored lock without a record is kept only if its VM runs") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE(node1.context.host.records().remove(web.uuid));
  node1.kill_keeper();
  SECTION("the VM runs") {
    auto qemu = FakeHost::run_qemu(web);
    node1.libvirt.states[web.uuid] = {.active = true};
    node1.start_keeper();
    CHECK(node1.keeper->level(web) == Level::exclusive);
    CHECK(node1.context.host.load_record(web)->vm.name == web.name);
  }
  SECTION("the VM does not run") {
    node1.start_keeper();
    CHECK(node1.keeper->count() == 0);
    CHECK_FALSE(node1.fd_store.level(web_lock));
    CHECK_FALSE(node1.has_file(locks, web_lock));
  }
}

TEST_CASE("a VM started again while its old lock is being closed keeps its new lock") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.loop.hold(Loop::WorkerPool::fd_store, true);
  REQUIRE_FALSE(release(node1.context, web).denied);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.libvirt.states[web.uuid] = {.active = true};
  node1.loop.hold(Loop::WorkerPool::fd_store, false);
  node1.loop.pass(60s);
  CHECK(node1.keeper->level(web) == Level::exclusive);
  CHECK(node1.fd_store.level(web_lock) == Level::exclusive);
}

TEST_CASE("the stored lock follows the level during a migration") {
  Migration vm;
  CHECK(vm.node1.fd_store.level(web_lock) == Level::exclusive);
  vm.hand_over();
  CHECK(vm.node1.fd_store.level(web_lock) == Level::protected_read);
  CHECK(vm.node2.fd_store.level(web_lock) == Level::protected_read);
  for (KeptHost* host : {&vm.node1, &vm.node2}) {
    host->start_keeper();
    CHECK(host->keeper->level(web) == Level::protected_read);
  }
  vm.node1.libvirt.states.clear();
  vm.arrive();
  REQUIRE_FALSE(release(vm.node1.context, web).denied);
  vm.pass(10s);
  CHECK_FALSE(vm.node1.fd_store.level(web_lock));
  CHECK(vm.level(1) == std::nullopt);
  CHECK(vm.node2.fd_store.level(web_lock) == Level::exclusive);
  CHECK(vm.level(2) == Level::exclusive);
}

TEST_CASE("no hand-over is granted while the service manager keeps the exclusive lock open") {
  Migration vm;
  vm.node1.fd_store.stuck = true;
  CHECK(vm.announced_start(vm.node2).denied);
  CHECK(vm.level(1) == Level::exclusive);
  CHECK(vm.level(2) == std::nullopt);
  auto record = vm.node1.context.host.load_record(web);
  CHECK_FALSE(record->shared);
  CHECK_FALSE(record->handed_over);
  vm.node1.fd_store.stuck = false;
  vm.node1.loop.pass(2s);
  Verdict verdict = vm.announced_start(vm.node2);
  INFO(verdict.message);
  CHECK_FALSE(verdict.denied);
  CHECK(vm.level(2) == Level::protected_read);
}

TEST_CASE("the lock of an ended VM stays until the service manager has closed it") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.fd_store.stuck = true;
  REQUIRE_FALSE(release(node1.context, web).denied);
  node1.loop.pass(2s);
  CHECK(node1.has_file(locks, web_lock));
  CHECK(node1.context.host.load_record(web)->released);
  node1.fd_store.stuck = false;
  node1.loop.pass(2s);
  CHECK_FALSE(node1.has_file(locks, web_lock));
  CHECK_FALSE(node1.context.host.load_record(web));
}

TEST_CASE("a new keeper corrects a record written before the hand-over was completed") {
  Migration vm;
  auto record = vm.node1.context.host.load_record(web);
  record->shared = true;
  record->handed_over = std::chrono::floor<std::chrono::milliseconds>(
      std::chrono::system_clock::now() - vm.node1.libvirt.states[web.uuid].job_age);
  REQUIRE(vm.node1.context.host.records().write(*record));
  vm.node1.start_keeper();
  CHECK(vm.node1.keeper->level(web) == Level::exclusive);
  CHECK_FALSE(vm.node1.context.host.load_record(web)->shared);
  CHECK_FALSE(vm.announced_start(vm.node2).denied);
  CHECK(vm.level(2) == Level::protected_read);
}

TEST_CASE("SystemdFdStore stores a lock once for each level under the lock's name") {
  MadeUpSystemd systemd;
  SystemdFdStore store;
  auto exclusive = open_lock(Level::exclusive);
  store.store(web_lock, exclusive);
  auto message = systemd.read();
  CHECK(message.text == "FDSTORE=1\nFDPOLL=0\nFDNAME=" + web_lock.text());
  CHECK(dlmfs::opened_before(std::move(message.fd)).level == Level::exclusive);
  store.store(web_lock, exclusive);
  CHECK(systemd.read().text.empty());

  store.store(web_lock, open_lock(Level::protected_read));
  CHECK(systemd.read().text == "FDSTOREREMOVE=1\nFDNAME=" + web_lock.text());
  CHECK(dlmfs::opened_before(systemd.read().fd).level == Level::protected_read);
}

TEST_CASE("remove returns after systemd has read the message") {
  MadeUpSystemd systemd;
  SystemdFdStore store;
  store.store(web_lock, open_lock(Level::exclusive));
  REQUIRE(systemd.read().fd);
  std::string removal, barrier;
  std::thread answering([&] {
    removal = systemd.read(0).text;
    barrier = systemd.read(0).text;  // and closes its descriptor
  });
  auto removed = store.remove(web_lock);
  answering.join();
  CHECK(removed);
  CHECK(removal == "FDSTOREREMOVE=1\nFDNAME=" + web_lock.text());
  CHECK(barrier == "BARRIER=1");
  // The lock can be stored again.
  store.store(web_lock, open_lock(Level::exclusive));
  CHECK(systemd.read().fd);
}

TEST_CASE("remove fails within 5 s if systemd does not read the message") {
  MadeUpSystemd systemd;
  SystemdFdStore store;
  auto began = std::chrono::steady_clock::now();
  auto removed = store.remove(web_lock);
  REQUIRE_FALSE(removed);
  CHECK(removed.error().code == ETIMEDOUT);
  CHECK(std::chrono::steady_clock::now() - began < 5s);
}

TEST_CASE("without systemd there is no store and no call fails") {
  SystemdFdStore store;
  store.store(web_lock, open_lock(Level::exclusive));
  CHECK(store.remove(web_lock));
  CHECK(store.take_stored().empty());
}

TEST_CASE("take_stored keeps only open locks and removes every other descriptor") {
  MadeUpSystemd systemd;
  pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    constexpr int first = 3;
    int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, first);
    ::dup2(null, first + 1);
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", "2", 1);
    ::setenv("LISTEN_FDNAMES", ("stored:" + web_lock.text()).c_str(), 1);
    bool empty = SystemdFdStore().take_stored().empty();
    bool closed = ::fcntl(first, F_GETFD) < 0 && ::fcntl(first + 1, F_GETFD) < 0;
    ::_exit(empty && closed && ::getenv("LISTEN_FDS") == nullptr ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(systemd.read().text == "FDSTOREREMOVE=1\nFDNAME=stored");
  CHECK(systemd.read().text == "FDSTOREREMOVE=1\nFDNAME=" + web_lock.text());
}
