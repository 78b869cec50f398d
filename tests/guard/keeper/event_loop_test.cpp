#include "guard/keeper/event_loop.hpp"

#include <csignal>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/catch.hpp"

using namespace guard;
using namespace std::chrono_literals;
using guard::UniqueFd;

namespace {

/// Ends a loop in the way its service ends.
void end() {
  ::kill(::getpid(), SIGTERM);
}

}  // namespace

TEST_CASE("work is done beside the loop, and what follows in it") {
  auto loop = EventLoop::make();
  REQUIRE(loop);
  auto loops_thread = std::this_thread::get_id();
  std::thread::id works_thread;
  std::thread::id followers_thread;
  (*loop)->run_async(
      Loop::WorkerPool::cluster, [&] { works_thread = std::this_thread::get_id(); },
      [&] {
        followers_thread = std::this_thread::get_id();
        end();
      });
  REQUIRE((*loop)->run());
  CHECK(followers_thread == loops_thread);
  CHECK(works_thread != loops_thread);
  CHECK(works_thread != std::thread::id());
}

TEST_CASE("a crew that sleeps does not hold up the other one, nor the loop") {
  auto loop = EventLoop::make();
  REQUIRE(loop);
  // The members outlive the loop, and this test.
  auto asleep = std::make_shared<std::mutex>();
  std::unique_lock keep_asleep(*asleep);
  for (int member = 0; member < 100; ++member)
    (*loop)->run_async(
        Loop::WorkerPool::cluster, [asleep] { std::lock_guard wait(*asleep); }, [] {});
  (*loop)->run_async(
      Loop::WorkerPool::libvirt, [] {}, end);
  REQUIRE((*loop)->run());
  keep_asleep.unlock();
}

TEST_CASE("what is readable is told once, until more comes; the handle's end is the end of it") {
  auto loop = EventLoop::make();
  REQUIRE(loop);
  UniqueFd counter(::eventfd(1, EFD_CLOEXEC));
  int told = 0;
  Loop::Handle watch;
  Loop::Handle first;
  Loop::Handle second;
  Loop::Handle third;
  watch = (*loop)->when_readable(counter.get(), [&] {
    if (++told == 1) {
      first = (*loop)->after(20ms, [&] {
        CHECK(told == 1);
        ::eventfd_write(counter.get(), 1);
      });
      return;
    }
    second = (*loop)->after(20ms, [&] {
      watch.reset();
      ::eventfd_write(counter.get(), 1);
      third = (*loop)->after(20ms, end);
    });
  });
  REQUIRE((*loop)->run());
  CHECK(told == 2);
}

TEST_CASE("a callback may do away with its own handle") {
  auto loop = EventLoop::make();
  REQUIRE(loop);
  Loop::Handle timer;
  std::string text = "still there, and long enough to be on the heap";
  std::string seen;
  timer = (*loop)->after(1ms, [&timer, &seen, text] {
    timer.reset();
    seen = text;
    end();
  });
  REQUIRE((*loop)->run());
  CHECK(seen == text);
}
