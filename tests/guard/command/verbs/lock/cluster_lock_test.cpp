#include "guard/command/verbs/lock/cluster_lock.hpp"

#include "tests/catch.hpp"
#include "tests/guard/fake_host.hpp"

using namespace guard;
using guard::command::ClusterLock;

namespace {

const dlmfs::DomainName jobs = *dlmfs::DomainName::parse("jobs");
const dlmfs::Name nightly = *dlmfs::Name::parse("nightly");

struct TwoHosts {
  dlmfs::StandInCluster cluster;
  FakeHost one{cluster, 1};
  FakeHost two{cluster, 2};
  ClusterLock first{one.context.cluster.open_checked_mount, jobs, nightly};
  ClusterLock second{two.context.cluster.open_checked_mount, jobs, nightly};
};

}  // namespace

TEST_CASE_METHOD(TwoHosts, "try_once joins the domain and acquires the lock for one host") {
  CHECK(*first.try_once());
  CHECK(cluster.level(1, jobs, nightly) == dlmfs::Level::exclusive);
  CHECK_FALSE(*second.try_once());
}

TEST_CASE_METHOD(TwoHosts, "a denied attempt leaves no lock file") {
  REQUIRE(*first.try_once());
  REQUIRE_FALSE(*second.try_once());
  CHECK_FALSE(two.has_file(jobs, nightly));
}

TEST_CASE_METHOD(TwoHosts, "an unlocked lock is granted to the next host") {
  REQUIRE(*first.try_once());
  REQUIRE(first.unlock());
  CHECK_FALSE(one.has_file(jobs, nightly));
  CHECK(*second.try_once());
}

TEST_CASE_METHOD(TwoHosts, "an open on another host does not acquire the lock") {
  REQUIRE(*first.try_once());
  REQUIRE(two.mount.join(jobs));
  auto other = two.mount.queue(jobs, nightly, dlmfs::Level::exclusive);
  REQUIRE_FALSE(other);
  CHECK(dlmfs::would_sleep(other.error()));
  CHECK(cluster.level(1, jobs, nightly) == dlmfs::Level::exclusive);
}

TEST_CASE_METHOD(TwoHosts, "unlock fails with EBUSY while a process here has the lock file open") {
  REQUIRE(*first.try_once());
  auto other = one.mount.trylock(jobs, nightly, dlmfs::Level::protected_read);
  auto busy = first.unlock();
  REQUIRE_FALSE(busy);
  CHECK(busy.error().code == EBUSY);
  other->fd.reset();
  CHECK(first.unlock());
  CHECK_FALSE(cluster.level(1, jobs, nightly));
}

TEST_CASE_METHOD(TwoHosts, "without a cluster try_once fails with the reason") {
  one.break_cluster("the cluster stack is 'pcmk', not o2cb");
  auto tried = first.try_once();
  REQUIRE_FALSE(tried);
  CHECK(tried.error().what == "the cluster stack is 'pcmk', not o2cb");
}

TEST_CASE_METHOD(TwoHosts, "an error other than a denial fails try_once and leaves no file") {
  one.mount.fail_next(dlmfs::MountCall::trylock, EIO);
  auto tried = first.try_once();
  REQUIRE_FALSE(tried);
  CHECK(tried.error().code == EIO);
  CHECK_FALSE(one.has_file(jobs, nightly));
}

TEST_CASE_METHOD(TwoHosts, "a domain that cannot be joined is an error with a hint") {
  one.mount.fail_next(dlmfs::MountCall::join, EINVAL);
  auto tried = first.try_once();
  REQUIRE_FALSE(tried);
  CHECK(tried.error().what.find("joining the DLM domain jobs") == 0);
  CHECK(tried.error().what.find("o2cb cluster-status") != std::string::npos);
}
