#include "guard/keeper/change_watch.hpp"

#include <csignal>
#include <fstream>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tests/catch.hpp"
#include "tests/guard/temporary_directory.hpp"

using namespace guard;
using namespace std::chrono_literals;

namespace {

/// A directory whose changes call `check`, until the check has been called `last` times.
struct Watched {
  explicit Watched(int last_call) : last(last_call) {}

  /// Runs the loop. The check calls `act`, in which `calls` is the number of earlier calls.
  void run(const std::function<void()>& act) {
    ChangeWatch watch(*loop, directory.path(), 1ms, [&] {
      act();
      if (++calls == last) ::pthread_kill(::pthread_self(), SIGTERM);
      return again;
    });
    REQUIRE(loop->run());
  }
  void write(const char* file) const { std::ofstream(directory.path() / file) << "x"; }

  TemporaryDirectory directory;
  std::unique_ptr<EventLoop> loop = std::move(EventLoop::make().value());
  int calls = 0, last;
  bool again = false;
};

/// Gives this process its own mounts, if it is root: then no other process changes them.
void unshare_mounts() {
  if (::unshare(CLONE_NEWNS) == 0) ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
}

}  // namespace

TEST_CASE("a check is called once at first and again after each kind of change of a file") {
  Watched watched(6);
  auto& path = watched.directory.path();
  watched.run([&] {
    if (watched.calls == 0) watched.write("a");
    if (watched.calls == 1) std::ofstream(path / "a", std::ios::app) << "x";
    if (watched.calls == 2) std::filesystem::rename(path / "a", path / "b");
    if (watched.calls == 3) std::filesystem::remove(path / "b");
    if (watched.calls == 4) std::filesystem::remove(path);
  });
  CHECK(watched.calls == 6);
}

TEST_CASE("a check is not called while nothing changes or only the times of a file change") {
  unshare_mounts();
  Watched watched(3);
  watched.write("stamp");
  Loop::Handle later;
  bool passed = false;
  watched.run([&] {
    if (watched.calls != 0) {
      CHECK(passed);
      return;
    }
    ::utimensat(AT_FDCWD, (watched.directory.path() / "stamp").c_str(), nullptr, 0);
    later = watched.loop->after(30ms, [&] {
      CHECK(watched.calls == 1);
      passed = true;
      watched.last = 2;
      watched.write("other");
    });
  });
  CHECK(watched.calls == 2);
}

TEST_CASE("a check that asks for it is called again without a change") {
  Watched watched(5);
  watched.again = true;
  watched.run([] {});
  CHECK(watched.calls == 5);
}

TEST_CASE("a check is called again and again if the changes cannot be watched") {
  Watched watched(5);
  std::filesystem::remove(watched.directory.path());
  watched.run([] {});
  CHECK(watched.calls == 5);
}

TEST_CASE("a check is called after a file system is mounted and after it is unmounted") {
  unshare_mounts();
  Watched watched(3);
  TemporaryDirectory place;
  watched.run([&] {
    if (watched.calls == 0)
      REQUIRE(::mount("tmpfs", place.path().c_str(), "tmpfs", 0, "size=4k") == 0);
    if (watched.calls == 1) REQUIRE(::umount2(place.path().c_str(), MNT_DETACH) == 0);
  });
  CHECK(watched.calls == 3);
}
