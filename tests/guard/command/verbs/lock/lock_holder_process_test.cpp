#include "guard/command/verbs/lock/lock_holder_process.hpp"

#include <csignal>
#include <sys/wait.h>

#include "tests/guard/command/verbs/lock/pipe.hpp"
#include "tests/guard/fake_host.hpp"

using namespace guard;
using guard::command::ClusterLock;
using guard::command::HolderMessage;
using guard::command::LockHolderProcess;
using Kind = HolderMessage::Kind;

namespace {

const dlmfs::DomainName jobs = *dlmfs::DomainName::parse("jobs");
const dlmfs::Name nightly = *dlmfs::Name::parse("nightly");

/// The lock-holder process has a copy of the fake cluster as it was at its start.
struct TwoHosts {
  dlmfs::StandInCluster cluster;
  FakeHost one{cluster, 1};
  FakeHost two{cluster, 2};

  std::optional<Flock> flock = acquire_flock().value();
  [[nodiscard]] Result<Flock> acquire_flock() const {
    return Flock::try_acquire(one.context.host.directory, "lock.jobs nightly");
  }
  [[nodiscard]] LockHolderProcess start() const {
    return LockHolderProcess::start(
               ClusterLock(one.context.cluster.open_checked_mount, jobs, nightly), *flock)
        .value();
  }
  void lock_on_two() {
    REQUIRE(two.mount.join(jobs));
    REQUIRE(two.mount.trylock(jobs, nightly, dlmfs::Level::exclusive));
  }
};

/// A process that registers with the lock-holder process, and exits when `end` is closed.
class Program {
 public:
  explicit Program(const LockHolderProcess& holder_process) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    end.in.reset();
    bool handed_over = holder_process.hold_for_this_process().has_value();
    ::close(holder_process.fd());  // as exec does
    ready.put(handed_over ? 'y' : 'n');
    ::_exit(end.next());
  }
  ~Program() { finish(); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
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

/// Returns all messages until the lock-holder process exits.
std::vector<Kind> all_words(const LockHolderProcess& holder_process) {
  std::vector<Kind> kinds;
  while (auto word = holder_process.receive())
    kinds.push_back(word->kind);
  return kinds;
}

}  // namespace

TEST_CASE_METHOD(TwoHosts, "the lock is held until the registered process exits") {
  LockHolderProcess holder_process = start();
  REQUIRE(holder_process.receive()->kind == Kind::granted);
  Program program(holder_process);
  CHECK(program.ready.next() == 'y');
  CHECK(silent(holder_process));
  program.finish();
  CHECK(holder_process.receive()->kind == Kind::unlocked);
}

TEST_CASE_METHOD(TwoHosts,
                 "the lock is held for the registered process after the caller has ended") {
  std::optional<LockHolderProcess> holder_process = start();
  REQUIRE(holder_process->receive()->kind == Kind::granted);
  Program program(*holder_process);
  CHECK(program.ready.next() == 'y');
  holder_process.reset();
  flock.reset();
  for (int looks = 0; looks < 50; ++looks) {
    CHECK_FALSE(acquire_flock());
    ::usleep(1000);
  }
  program.finish();
  for (int tries = 0; tries < 10'000 && !flock; ++tries) {
    ::usleep(1000);
    if (auto taken = acquire_flock()) flock = std::move(*taken);
  }
  CHECK(flock);
}

TEST_CASE_METHOD(TwoHosts, "the flock is free when the unlocked message arrives") {
  LockHolderProcess holder_process = start();
  REQUIRE(holder_process.receive()->kind == Kind::granted);
  Program(holder_process).finish();
  REQUIRE(holder_process.receive()->kind == Kind::unlocked);
  CHECK(acquire_flock());
}

TEST_CASE_METHOD(TwoHosts, "each attempt that another host's lock denies is reported") {
  lock_on_two();
  LockHolderProcess holder_process = start();
  CHECK(holder_process.receive()->kind == Kind::denied);
  CHECK(holder_process.receive()->kind == Kind::denied);
  holder_process.release_and_wait();
  CHECK(all_words(holder_process).empty());
  CHECK(acquire_flock());
}

TEST_CASE_METHOD(TwoHosts, "release waits for a process that is already registered") {
  LockHolderProcess holder_process = start();
  REQUIRE(holder_process.receive()->kind == Kind::granted);
  Program program(holder_process);
  CHECK(program.ready.next() == 'y');
  holder_process.release();
  CHECK(silent(holder_process));
  program.finish();
  CHECK(holder_process.receive()->kind == Kind::unlocked);
}

TEST_CASE_METHOD(TwoHosts, "a lock granted after release was called is unlocked") {
  Pipe wake;
  auto slow = [&]() -> Result<std::unique_ptr<dlmfs::Mount>> {
    wake.in.reset();
    std::ignore = wake.next();
    return one.context.cluster.open_checked_mount();
  };
  LockHolderProcess holder_process =
      LockHolderProcess::start(ClusterLock(slow, jobs, nightly), *flock).value();
  holder_process.release();
  CHECK(silent(holder_process));
  wake.put();
  CHECK(all_words(holder_process) == std::vector{Kind::granted, Kind::unlocked});
}

TEST_CASE_METHOD(TwoHosts, "the last message is the reason why the lock cannot be acquired") {
  one.break_cluster("no o2cb cluster is configured");
  LockHolderProcess holder_process = start();
  auto word = holder_process.receive();
  REQUIRE(word);
  CHECK(word->kind == Kind::failed);
  CHECK(word->why == "no o2cb cluster is configured");
  CHECK_FALSE(holder_process.receive());
}

TEST_CASE_METHOD(TwoHosts, "a busy lock is reported once and unlocked later") {
  one.mount.fail_next(dlmfs::MountCall::unlink, EBUSY);
  one.mount.fail_next(dlmfs::MountCall::unlink, EBUSY);
  LockHolderProcess holder_process = start();
  REQUIRE(holder_process.receive()->kind == Kind::granted);
  Program(holder_process).finish();
  CHECK(all_words(holder_process) == std::vector{Kind::busy, Kind::unlocked});
}

TEST_CASE_METHOD(TwoHosts, "an error while unlocking is the last message") {
  one.mount.fail_next(dlmfs::MountCall::unlink, EIO);
  LockHolderProcess holder_process = start();
  REQUIRE(holder_process.receive()->kind == Kind::granted);
  Program(holder_process).finish();
  CHECK(all_words(holder_process) == std::vector{Kind::failed});
}

TEST_CASE_METHOD(TwoHosts, "hold_for_this_process fails after the lock-holder process has exited") {
  one.break_cluster("gone");
  LockHolderProcess holder_process = start();
  CHECK(all_words(holder_process) == std::vector{Kind::failed});
  Program program(holder_process);
  CHECK(program.ready.next() == 'n');
}

TEST_CASE_METHOD(TwoHosts, "the lock-holder process does not keep inherited descriptors open") {
  Pipe inherited(0);
  LockHolderProcess holder_process = start();
  REQUIRE(holder_process.receive()->kind == Kind::granted);
  inherited.in.reset();
  CHECK(inherited.next() == '\0');
}

TEST_CASE_METHOD(TwoHosts, "the lock-holder process has its own session and survives signals") {
  Pipe told;
  auto telling = [&]() -> Result<std::unique_ptr<dlmfs::Mount>> {
    told.put(::getsid(0) == ::getpid() ? 'y' : 'n');
    for (int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1})
      ::raise(number);
    return one.context.cluster.open_checked_mount();
  };
  LockHolderProcess holder_process =
      LockHolderProcess::start(ClusterLock(telling, jobs, nightly), *flock).value();
  CHECK(told.next() == 'y');
  CHECK(holder_process.receive()->kind == Kind::granted);
}
