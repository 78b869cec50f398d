#include "guard/command/verbs/lock/lock.hpp"

#include <csignal>
#include <sys/wait.h>

#include "tests/guard/command/verbs/lock/pipe.hpp"
#include "tests/guard/fake_host.hpp"

using namespace guard;
using namespace std::chrono_literals;
using guard::command::Ended;
using guard::command::LockRequest;

namespace {

/// Each call has a copy of the fake cluster as it is at that time.
struct TwoHosts {
  dlmfs::StandInCluster cluster;
  FakeHost one{cluster, 1};
  FakeHost two{cluster, 2};
  LockRequest request{.domain = *dlmfs::DomainName::parse("jobs"),
                      .name = *dlmfs::Name::parse("nightly"),
                      .command = {"true"}};
  std::vector<std::string> said;

  Ended lock() {
    return command::run_locked(one.context, request,
                               [this](const std::string& what) { said.push_back(what); });
  }
  Ended lock(const std::string& script) {
    request.command = {"sh", "-c", script};
    return lock();
  }
  void lock_on_two() {
    REQUIRE(two.mount.join(request.domain));
    REQUIRE(two.mount.trylock(request.domain, request.name, dlmfs::Level::exclusive));
  }
};

}  // namespace

TEST_CASE_METHOD(TwoHosts, "lock returns the command's status") {
  CHECK(lock("exit 0").status == 0);
  CHECK(lock("exit 7").status == 7);
  CHECK(lock("kill -9 $$").status == 128 + 9);
  CHECK(said.empty());
}

TEST_CASE_METHOD(TwoHosts, "after lock returns the lock is free and no file is left") {
  request.patience = 0ms;
  CHECK(lock("exit 3").status == 3);
  CHECK(lock("exit 4").status == 4);
  CHECK_FALSE(std::filesystem::exists(one.context.host.directory.path_of("lock.jobs nightly")));
}

TEST_CASE_METHOD(TwoHosts, "without waiting a conflict ends lock silently after one attempt") {
  lock_on_two();
  request.patience = 0ms;
  Deadline before_a_second_try_is_given_up(4s);
  CHECK(lock("exit 3").status == 1);
  CHECK(before_a_second_try_is_given_up.left() > 0ms);
  request.conflict_status = 9;
  CHECK(lock("exit 3").status == 9);
  CHECK(said.empty());
}

TEST_CASE_METHOD(TwoHosts, "lock waits for another host's lock until the deadline") {
  lock_on_two();
  request.patience = 20ms;
  Deadline before(20ms);
  CHECK(lock("exit 3").status == 1);
  CHECK(before.left() == 0ms);
}

TEST_CASE_METHOD(TwoHosts, "two calls on one host exclude each other only for the same lock") {
  request.patience = 0ms;
  Pipe inside, end;
  pid_t other = ::fork();
  if (other == 0) {
    end.in.reset();
    request.command = {"sh", "-c",
                       fmt::format("echo >/proc/self/fd/{}; read x </proc/self/fd/{}",
                                   inside.in.get(), end.out.get())};
    ::fcntl(inside.in.get(), F_SETFD, 0);
    ::fcntl(end.out.get(), F_SETFD, 0);
    ::_exit(lock().status);
  }
  REQUIRE(inside.next() == '\n');
  CHECK(lock("exit 3").status == 1);
  request.patience = 20ms;
  CHECK(lock("exit 3").status == 1);
  request.patience.reset();
  request.name = *dlmfs::Name::parse("weekly");
  CHECK(lock("exit 3").status == 3);
  end.in.reset();
  ::waitpid(other, nullptr, 0);
  request.name = *dlmfs::Name::parse("nightly");
  CHECK(lock("exit 3").status == 3);
}

TEST_CASE_METHOD(TwoHosts, "lock exits with 69 and the reason if there is no cluster") {
  one.break_cluster("dlmfs is not mounted: mount it");
  CHECK(lock().status == 69);
  CHECK(said == std::vector<std::string>{"lock nightly: dlmfs is not mounted: mount it"});
}

TEST_CASE_METHOD(TwoHosts, "a cluster that does not answer in time is a conflict with a message") {
  Pipe wake;
  one.context.cluster.open_checked_mount = [&]() -> Result<std::unique_ptr<dlmfs::Mount>> {
    wake.in.reset();
    std::ignore = wake.next();
    return fail(Error{EIO, "woken"});
  };
  request.patience = 20ms;
  request.conflict_status = 9;
  CHECK(lock().status == 9);
  REQUIRE(said.size() == 1);
  CHECK(said[0].find("the cluster did not answer in time") != std::string::npos);
}

TEST_CASE_METHOD(TwoHosts, "a signal is sent to the command and lock waits for its end") {
  int number = GENERATE(SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2);
  auto script =
      fmt::format("trap 'exit 5' {0}; kill -{0} $PPID; while :; do sleep 0.01; done", number);
  Ended ended = lock(script);
  CHECK(ended.status == 5);
  CHECK(ended.signal == 0);
}

TEST_CASE_METHOD(TwoHosts, "a signal ends a wait for the lock and is returned") {
  lock_on_two();
  pid_t waiting = ::getpid();
  one.context.cluster.open_checked_mount = [&, open = one.context.cluster.open_checked_mount,
                                            sent = false]() mutable {
    if (!std::exchange(sent, true)) ::kill(waiting, SIGTERM);
    return open();
  };
  Ended ended = lock("exit 3");
  CHECK(ended.signal == SIGTERM);
  CHECK(ended.status == 128 + SIGTERM);
}

TEST_CASE_METHOD(TwoHosts, "the command has the original signal settings") {
  CHECK(lock("kill -TERM $$; exit 3").status == 128 + SIGTERM);
}

TEST_CASE_METHOD(TwoHosts, "a failed unlock is reported but the command's status is returned") {
  one.mount.fail_next(dlmfs::MountCall::unlink, EIO);
  CHECK(lock("exit 7").status == 7);
  REQUIRE(said.size() == 1);
  CHECK(said[0].find("lock nightly: not unlocked: ") == 0);
}
