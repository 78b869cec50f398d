#include "guard/lock/bell.hpp"

#include <algorithm>

#include "tests/catch.hpp"
#include "tests/guard/fake_host.hpp"

using namespace guard;
using dlmfs::Level;
using dlmfs::Lvb;
using dlmfs::StandInCluster;
using namespace std::chrono_literals;

namespace {

std::chrono::sys_seconds at(std::int64_t seconds) {
  return std::chrono::sys_seconds(std::chrono::seconds(seconds));
}

Lvb lvb_of(const std::string& text) {
  Lvb value{};
  std::copy_n(text.begin(), std::min(text.size(), value.size()), value.begin());
  return value;
}

const Holder node1{"node1", at(1763846400), at(1763846401), Holder::State::running};

}  // namespace

TEST_CASE("the bell's text is printable") {
  Lvb value = to_lvb(node1);
  CHECK(std::string(value.data()) == "1 running 1763846400 1763846401 node1");
}

TEST_CASE("the holder that is read equals the written one") {
  CHECK(holder_from_lvb(to_lvb(node1)) == node1);
  Holder other{"node2.example.org", at(1), at(2), Holder::State::hand_over, {1234ms, 56789}};
  CHECK(holder_from_lvb(to_lvb(other)) == other);
}

TEST_CASE("a host name that is too long is cut and ends in a tilde") {
  Holder holder = node1;
  holder.host = std::string(64, 'x');
  auto heard = holder_from_lvb(to_lvb(holder));
  REQUIRE(heard);
  CHECK(heard->host.back() == '~');
  CHECK(heard->host.starts_with("xxxxxxxx"));
  CHECK(heard->since == holder.since);
}

TEST_CASE("an invalid bell text names no holder") {
  auto text = GENERATE(as<std::string>{}, "", "1", "1 running", "1 running 5 6", "1 running 5 6 ",
                       "2 running 5 6 node1", "1 asleep 5 6 node1", "1 handoff 5 6 node1",
                       "1 handoff+7 5 6 node1", "1 handoff+.8 5 6 node1", "1 running+7.8 5 6 node1",
                       "1 again+7.-8 5 6 node1", "1 handoff+7.8x 5 6 node1", "1 running x 6 node1",
                       "1 running 5 6x node1", "1 running 5 6 node1\n", "1 running 5 6 a b",
                       "1  running 5 6 node1", "1 running 99999999999999999999 6 node1");
  CHECK_FALSE(holder_from_lvb(lvb_of(text)));
}

TEST_CASE("a host name with characters for a shell or a terminal is rejected") {
  for (const std::string name : {"$(reboot)", "a;reboot", "a`b`", "-oProxyCommand", "a~b", "~",
                                 "a/b", "a@b", "a'b", "a\u009b", ".", "n\u00f6de"}) {
    CHECK_FALSE(holder_from_lvb(lvb_of("1 running 5 6 " + name)));
  }
  for (const std::string name : {"node1", "NODE-1.example.org", "1_a", "node1~"})
    CHECK(holder_from_lvb(lvb_of("1 running 5 6 " + name))->host == name);
}

TEST_CASE("announce writes the bell as soon as the asking host has closed it") {
  StandInCluster cluster;
  FakeHost first(cluster, 1);
  FakeHost second(cluster, 2);
  auto asking = second.mount.trylock(bells, web_lock, Level::protected_read);
  REQUIRE(asking);
  int pauses = 0;
  Bell bell(first.mount, bells, web_lock, [&](std::chrono::milliseconds) {
    if (++pauses == 3) REQUIRE(((void)asking->fd.reset(), second.mount.unlink(bells, web_lock)));
  });
  CHECK(bell.arm(node1));
  CHECK(pauses == 3);
}

TEST_CASE("ask waits for an empty bell for at most 250 ms") {
  StandInCluster cluster;
  FakeHost first(cluster, 1);
  std::chrono::milliseconds waited{0};
  Bell bell(first.mount, bells, web_lock,
            [&](std::chrono::milliseconds pause) { waited += pause; });
  auto holder = bell.ask();
  REQUIRE(holder);
  CHECK_FALSE(*holder);
  CHECK(waited > 100ms);
  CHECK(waited <= 250ms);
}

TEST_CASE("announce fails with a denial while another host keeps the bell") {
  StandInCluster cluster;
  FakeHost first(cluster, 1);
  FakeHost second(cluster, 2);
  REQUIRE(second.mount.trylock(bells, web_lock, Level::protected_read));
  auto announced = Bell(first.mount, bells, web_lock, first.context.cluster.pause).arm(node1);
  REQUIRE_FALSE(announced);
  CHECK(dlmfs::denied(announced.error()));
}

TEST_CASE("ask waits for a holder that is about to write the bell") {
  StandInCluster cluster;
  FakeHost first(cluster, 1);
  FakeHost second(cluster, 2);
  Bell holders(first.mount, bells, web_lock, first.context.cluster.pause);
  Bell askers(second.mount, bells, web_lock,
              [&](std::chrono::milliseconds) { REQUIRE(holders.arm(node1)); });
  CHECK(askers.ask().value() == node1);
  CHECK_FALSE(second.has_file(bells, web_lock));
}
