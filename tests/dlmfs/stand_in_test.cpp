#include "tests/dlmfs/stand_in.hpp"

#include <poll.h>
#include <unistd.h>

#include "tests/catch.hpp"

using dlmfs::DomainName;
using dlmfs::Level;
using dlmfs::LockName;
using dlmfs::Lvb;
using dlmfs::MountCall;
using dlmfs::StandInCluster;
using dlmfs::Uuid;
using dlmfs::would_sleep;

// tests/conformance tests the kernel's behaviour. This file tests what only the stand-in has.

namespace {

const DomainName vms = *DomainName::parse("vms");
const LockName name(*Uuid::parse("d0c3b7a4-1111-4222-8333-4444555566ff"));

struct TwoHosts {
  TwoHosts() {
    REQUIRE(one.join(vms));
    REQUIRE(two.join(vms));
  }
  StandInCluster cluster;
  dlmfs::StandInHost& one = cluster.host(1);
  dlmfs::StandInHost& two = cluster.host(2);
};

bool polls_in(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, 0) == 1 && (entry.revents & POLLIN) != 0;
}

}  // namespace

TEST_CASE_METHOD(TwoHosts,
                 "an open that sleeps returns an error and continues until it is granted") {
  auto held = one.trylock(vms, name, Level::exclusive);
  REQUIRE(held);
  auto asked = two.queue(vms, name, Level::exclusive);
  REQUIRE_FALSE(asked);
  CHECK(would_sleep(asked.error()));
  CHECK(cluster.queued(vms, name) == std::vector{2});
  CHECK_FALSE(two.finished(vms, name));
  CHECK(polls_in(held->fd.get()));
  held->fd.reset();
  CHECK(cluster.level(2, vms, name) == Level::exclusive);
  CHECK_FALSE(cluster.level(1, vms, name));
  CHECK(two.unlink(vms, name).error().code == EBUSY);  // open in the process that slept
  auto granted = two.finished(vms, name);
  REQUIRE(granted);
  CHECK((*granted)->level == Level::exclusive);
  CHECK_FALSE(two.finished(vms, name));
}

TEST_CASE_METHOD(TwoHosts,
                 "a holder that reacts in time prevents that the other host's request sleeps") {
  auto held = one.trylock(vms, name, Level::exclusive);
  one.on_queued(vms, name, [&] {
    auto lowered = one.queue(vms, name, Level::protected_read);
    REQUIRE(lowered);
    held = std::move(lowered);
  });
  auto asked = two.queue(vms, name, Level::protected_read);
  REQUIRE(asked);
  CHECK(cluster.level(1, vms, name) == Level::protected_read);
  CHECK(cluster.level(2, vms, name) == Level::protected_read);
  CHECK_FALSE(polls_in(held->fd.get()));
}

TEST_CASE_METHOD(TwoHosts, "a lock stays open until its last copy is closed") {
  auto held = one.trylock(vms, name, Level::exclusive);
  guard::UniqueFd copy(::dup(held->fd.get()));
  held->fd.reset();
  CHECK(one.unlink(vms, name).error().code == EBUSY);
  copy.reset();
  CHECK(one.unlink(vms, name));
}

TEST_CASE_METHOD(TwoHosts, "fail_next makes only the next call of that kind fail") {
  one.fail_next(MountCall::trylock, EIO);
  auto failed = one.trylock(vms, name, Level::exclusive);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == EIO);
  CHECK_FALSE(*one.exists(vms, name));
  CHECK(one.trylock(vms, name, Level::exclusive));
}

TEST_CASE_METHOD(TwoHosts,
                 "a trylock of a lock that a dead host masters sleeps until the eviction") {
  REQUIRE(one.trylock(vms, name, Level::exclusive));
  cluster.kill(1);
  auto asked = two.trylock(vms, name, Level::exclusive);
  REQUIRE_FALSE(asked);
  CHECK(would_sleep(asked.error()));
  cluster.evict(1);
  auto granted = two.finished(vms, name);
  REQUIRE(granted);
  CHECK(*granted);
}

TEST_CASE_METHOD(TwoHosts,
                 "a trylock of a lock that a living host masters is denied until the eviction") {
  cluster.set_master(vms, name, 2);
  REQUIRE(one.trylock(vms, name, Level::exclusive));
  cluster.kill(1);
  CHECK(two.trylock(vms, name, Level::exclusive).error().code == ETXTBSY);
  cluster.evict(1);
  CHECK(two.trylock(vms, name, Level::exclusive));
}

TEST_CASE_METHOD(TwoHosts, "the value block is zeroed after a host with EX is evicted") {
  auto held = one.trylock(vms, name, Level::exclusive);
  REQUIRE(one.write_lvb(*held, Lvb{'x'}));
  held->fd.reset();
  auto taken = two.queue(vms, name, Level::exclusive);
  REQUIRE(two.write_lvb(*taken, Lvb{'y'}));
  cluster.kill(2);
  cluster.evict(2);
  auto granted = one.trylock(vms, name, Level::protected_read);
  REQUIRE(granted);
  CHECK(*one.read_lvb(*granted) == Lvb{});
}

TEST_CASE_METHOD(TwoHosts,
                 "an unlink of a lock that a dead host masters sleeps until the eviction") {
  REQUIRE(one.trylock(vms, name, Level::protected_read));
  REQUIRE(two.trylock(vms, name, Level::protected_read));
  cluster.kill(1);
  CHECK(would_sleep(two.unlink(vms, name).error()));
  CHECK(*two.exists(vms, name));
  cluster.evict(1);
  CHECK_FALSE(*two.exists(vms, name));
}

TEST_CASE_METHOD(TwoHosts,
                 "an unlink after a denied trylock succeeds at once even if the master is dead") {
  REQUIRE(one.trylock(vms, name, Level::exclusive));
  CHECK(dlmfs::denied(two.trylock(vms, name, Level::exclusive).error()));
  cluster.kill(1);
  CHECK(two.unlink(vms, name));
}

TEST_CASE_METHOD(TwoHosts, "the request of a host that died still blocks the holder's host") {
  auto held = one.trylock(vms, name, Level::exclusive);
  REQUIRE(would_sleep(two.queue(vms, name, Level::exclusive).error()));
  cluster.kill(2);
  cluster.evict(2);
  CHECK(polls_in(held->fd.get()));
  CHECK(would_sleep(one.trylock(vms, name, Level::protected_read).error()));
  held->fd.reset();
  auto again = one.finished(vms, name);
  REQUIRE(again);
  REQUIRE(*again);
  CHECK_FALSE(polls_in((*again)->fd.get()));
}

TEST_CASE_METHOD(TwoHosts, "a conversion is granted before a new host's request") {
  auto& three = cluster.host(3);
  REQUIRE(three.join(vms));
  REQUIRE(two.trylock(vms, name, Level::exclusive));
  auto held = one.queue(vms, name, Level::exclusive);  // host 2 keeps only the file
  REQUIRE(held);
  CHECK(would_sleep(three.queue(vms, name, Level::exclusive).error()));
  CHECK(would_sleep(two.queue(vms, name, Level::exclusive).error()));
  held->fd.reset();
  auto first = two.finished(vms, name);
  CHECK(first);
  CHECK_FALSE(three.finished(vms, name));
}

TEST_CASE_METHOD(TwoHosts, "an unlink while an open sleeps blocks the whole directory") {
  LockName other(*Uuid::parse("00000000-0000-0000-0000-000000000000"));
  auto held = one.trylock(vms, name, Level::exclusive);
  REQUIRE(would_sleep(two.queue(vms, name, Level::exclusive).error()));
  CHECK(would_sleep(two.unlink(vms, name).error()));
  CHECK(would_sleep(two.trylock(vms, other, Level::exclusive).error()));
  held->fd.reset();
  auto created = two.finished(vms, other);
  REQUIRE(created);
  CHECK(*created);
}

TEST_CASE_METHOD(TwoHosts, "a booted host answers again and has no locks") {
  REQUIRE(one.trylock(vms, name, Level::exclusive));
  cluster.kill(1);
  CHECK(one.exists(vms, name).error().code == EHOSTDOWN);
  cluster.evict(1);
  cluster.boot(1);
  CHECK_FALSE(*one.exists(vms, name));
  REQUIRE(one.join(vms));
  CHECK(one.trylock(vms, name, Level::exclusive));
}

TEST_CASE_METHOD(TwoHosts, "purge forgets an unused lock with its value block") {
  auto held = one.trylock(vms, name, Level::exclusive);
  REQUIRE(one.write_lvb(*held, Lvb{'x'}));
  cluster.purge();
  CHECK(*one.read_lvb(*held) == Lvb{'x'});
  held->fd.reset();
  REQUIRE(one.unlink(vms, name));
  cluster.purge();
  auto read = two.trylock(vms, name, Level::protected_read);
  CHECK(*two.read_lvb(*read) == Lvb{});
}
