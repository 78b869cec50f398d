#include "guard/keeper/event_loop.hpp"

#include <csignal>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/catch.hpp"

using namespace guard;
using namespace std::chrono_literals;
using guard::UniqueFd;

namespace {

/// Ends a loop with the signal that stops the service. Call it in the thread of the loop: threads
/// of earlier tests may not have blocked the signal.
void end() {
  ::pthread_kill(::pthread_self(), SIGTERM);
}

}  // namespace

TEST_CASE("run_async runs the work in another thread and the callback in the loop's thread") {
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

TEST_CASE("another thread can have a callback run in the loop's thread") {
  auto loop = EventLoop::make();
  REQUIRE(loop);
  std::thread::id ran;
  std::thread other([&] {
    (*loop)->post([&] {
      ran = std::this_thread::get_id();
      end();
    });
  });
  REQUIRE((*loop)->run());
  other.join();
  CHECK(ran == std::this_thread::get_id());
}

TEST_CASE("a blocked worker pool blocks neither the other pool nor the loop") {
  auto loop = EventLoop::make();
  REQUIRE(loop);
  // The threads outlive the loop, and this test.
  auto asleep = std::make_shared<std::mutex>();
  std::unique_lock keep_asleep(*asleep);
  for (int member = 0; member < 100; ++member)
    (*loop)->run_async(
        Loop::WorkerPool::cluster, [asleep] { std::lock_guard wait(*asleep); }, [] {});
  auto do_nothing = [] {};
  (*loop)->run_async(Loop::WorkerPool::libvirt, do_nothing, end);
  REQUIRE((*loop)->run());
  keep_asleep.unlock();
}

TEST_CASE("when_readable calls once for each new data until its handle is destroyed") {
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

TEST_CASE("a callback can destroy its own handle") {
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
