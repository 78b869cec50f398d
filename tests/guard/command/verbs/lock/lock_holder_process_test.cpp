#include "guard/command/verbs/lock/lock_holder_process.hpp"

#include <csignal>
#include <sys/wait.h>

#include "tests/guard/command/verbs/lock/pipe.hpp"
#include "tests/guard/fake_host.hpp"

using namespace guard;
using guard::command::ClusterLock;
using guard::command::HolderMessage;
using guard::command::HostFlock;
using guard::command::LockHolderProcess;
using Kind = HolderMessage::Kind;

namespace {

const dlmfs::DomainName jobs = *dlmfs::DomainName::parse("jobs");
const dlmfs::Name nightly = *dlmfs::Name::parse("nightly");

/// The minder has a copy of the made-up cluster as it was when it was started.
struct TwoHosts {
  dlmfs::StandInCluster cluster;
  FakeHost one{cluster, 1};
  FakeHost two{cluster, 2};

  std::optional<HostFlock> turn = take_turn().value();
  [[nodiscard]] Result<HostFlock> take_turn() const {
    return HostFlock::try_acquire(one.world.state, jobs, nightly);
  }
  [[nodiscard]] LockHolderProcess start() const {
    return LockHolderProcess::start(ClusterLock(one.world.open_checked_mount, jobs, nightly), *turn)
        .value();
  }
  void lock_on_two() {
    REQUIRE(two.mount.join(jobs));
    REQUIRE(two.mount.trylock(jobs, nightly, dlmfs::Level::exclusive));
  }
};

/// A process that is given into a minder's care, and ends when it is told to.
class Cared {
 public:
  explicit Cared(const LockHolderProcess& holder_process) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    end.in.reset();
    bool cared_for = holder_process.care_for_this_process().has_value();
    ready.put(cared_for ? 'y' : 'n');
    ::_exit(end.next());
  }
  ~Cared() { finish(); }
  Cared(const Cared&) = delete;
  Cared& operator=(const Cared&) = delete;
  void finish() {
    end.in.reset();
    if (pid_ != 0) ::waitpid(std::exchange(pid_, 0), nullptr, 0);
  }
  Pipe ready, end;

 private:
  pid_t pid_ = 0;
};

bool silent(const LockHolderProcess& holder_process) {
  constexpr int some_milliseconds = 20;
  pollfd word{holder_process.fd(), POLLIN, 0};
  return ::poll(&word, 1, some_milliseconds) == 0;
}

/// Until nothing is heard any more: the minder has ended.
std::vector<Kind> all_words(const LockHolderProcess& holder_process) {
  std::vector<Kind> kinds;
  while (auto word = holder_process.hear())
    kinds.push_back(word->kind);
  return kinds;
}

}  // namespace

TEST_CASE_METHOD(TwoHosts, "a lock is kept until the process it is kept for has ended") {
  LockHolderProcess holder_process = start();
  REQUIRE(holder_process.hear()->kind == Kind::granted);
  Cared program(holder_process);
  CHECK(program.ready.next() == 'y');
  CHECK(silent(holder_process));
  program.finish();
  CHECK(holder_process.hear()->kind == Kind::unlocked);
}

TEST_CASE_METHOD(TwoHosts,
                 "whoever has started it may end: its process is waited for all the same") {
  std::optional<LockHolderProcess> holder_process = start();
  REQUIRE(holder_process->hear()->kind == Kind::granted);
  Cared program(*holder_process);
  CHECK(program.ready.next() == 'y');
  holder_process.reset();
  turn.reset();
  CHECK_FALSE(take_turn());
  program.finish();
  for (int tries = 0; tries < 1000 && !turn; ++tries) {
    ::usleep(1000);
    if (auto taken = take_turn()) turn = std::move(*taken);
  }
  CHECK(turn);
}

TEST_CASE_METHOD(TwoHosts, "the host's flock is free by the time of the last word") {
  LockHolderProcess holder_process = start();
  REQUIRE(holder_process.hear()->kind == Kind::granted);
  Cared(holder_process).finish();
  REQUIRE(holder_process.hear()->kind == Kind::unlocked);
  CHECK(take_turn());
}

TEST_CASE_METHOD(TwoHosts, "while another host has the lock each try is told") {
  lock_on_two();
  LockHolderProcess holder_process = start();
  CHECK(holder_process.hear()->kind == Kind::denied);
  CHECK(holder_process.hear()->kind == Kind::denied);
  holder_process.dismiss();
  CHECK(all_words(holder_process).empty());
  CHECK(take_turn());
}

TEST_CASE_METHOD(TwoHosts, "a process is waited for though no further one is expected") {
  LockHolderProcess holder_process = start();
  REQUIRE(holder_process.hear()->kind == Kind::granted);
  Cared program(holder_process);
  CHECK(program.ready.next() == 'y');
  holder_process.let_go();
  CHECK(silent(holder_process));
  program.finish();
  CHECK(holder_process.hear()->kind == Kind::unlocked);
}

TEST_CASE_METHOD(TwoHosts, "what is granted when nobody waits any more goes back") {
  Pipe wake;
  auto slow = [&]() -> Result<std::unique_ptr<dlmfs::Mount>> {
    wake.in.reset();
    std::ignore = wake.next();
    return one.world.open_checked_mount();
  };
  LockHolderProcess holder_process =
      LockHolderProcess::start(ClusterLock(slow, jobs, nightly), *turn).value();
  holder_process.let_go();
  CHECK(silent(holder_process));
  wake.put();
  CHECK(all_words(holder_process) == std::vector{Kind::granted, Kind::unlocked});
}

TEST_CASE_METHOD(TwoHosts, "why no lock can be taken is the last word") {
  one.break_cluster("no o2cb cluster is configured");
  LockHolderProcess holder_process = start();
  auto word = holder_process.hear();
  REQUIRE(word);
  CHECK(word->kind == Kind::failed);
  CHECK(word->why == "no o2cb cluster is configured");
  CHECK_FALSE(holder_process.hear());
}

TEST_CASE_METHOD(TwoHosts,
                 "a lock that can't be given back at once is told once, and tried again") {
  one.mount.fail_next(dlmfs::MountCall::unlink, EBUSY);
  one.mount.fail_next(dlmfs::MountCall::unlink, EBUSY);
  LockHolderProcess holder_process = start();
  REQUIRE(holder_process.hear()->kind == Kind::granted);
  Cared(holder_process).finish();
  CHECK(all_words(holder_process) == std::vector{Kind::busy, Kind::unlocked});
}

TEST_CASE_METHOD(TwoHosts, "an error while giving back is the last word") {
  one.mount.fail_next(dlmfs::MountCall::unlink, EIO);
  LockHolderProcess holder_process = start();
  REQUIRE(holder_process.hear()->kind == Kind::granted);
  Cared(holder_process).finish();
  CHECK(all_words(holder_process) == std::vector{Kind::failed});
}

TEST_CASE_METHOD(TwoHosts, "a process can't be given into the care of a minder that has gone") {
  one.break_cluster("gone");
  LockHolderProcess holder_process = start();
  CHECK(all_words(holder_process) == std::vector{Kind::failed});
  Cared program(holder_process);
  CHECK(program.ready.next() == 'n');
}

TEST_CASE_METHOD(TwoHosts, "a minder keeps nothing open of what its program was started with") {
  Pipe inherited(0);
  LockHolderProcess holder_process = start();
  REQUIRE(holder_process.hear()->kind == Kind::granted);
  inherited.in.reset();
  CHECK(inherited.next() == '\0');
}

TEST_CASE_METHOD(TwoHosts, "a minder has a session of its own, and signals don't end it") {
  Pipe told;
  auto telling = [&]() -> Result<std::unique_ptr<dlmfs::Mount>> {
    told.put(::getsid(0) == ::getpid() ? 'y' : 'n');
    for (int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1})
      ::raise(number);
    return one.world.open_checked_mount();
  };
  LockHolderProcess holder_process =
      LockHolderProcess::start(ClusterLock(telling, jobs, nightly), *turn).value();
  CHECK(told.next() == 'y');
  CHECK(holder_process.hear()->kind == Kind::granted);
}
