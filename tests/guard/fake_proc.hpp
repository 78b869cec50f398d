#pragma once

#include <fstream>
#include <unistd.h>

#include <fmt/format.h>

#include "tests/guard/temporary_directory.hpp"

namespace guard {

/// A fake /proc without a QEMU.
class FakeProc {
 public:
  FakeProc() {
    std::filesystem::create_directories(path() / "self");
    std::filesystem::create_directories(path() / "1");
    std::ofstream(path() / "1" / "stat") << "1 (init) S 0";
    show();
  }
  [[nodiscard]] const std::filesystem::path& path() const { return directory_.path(); }

  void show() const { mount_with("rw"); }
  void hide() const { mount_with("rw,gid=4,hidepid=invisible"); }
  void mount_with(const std::string& options) const {
    std::ofstream(path() / "self" / "mountinfo")
        << "20 30 0:19 / /sys rw - sysfs sysfs rw\n"
        << "22 30 0:20 / /proc rw,relatime shared:5 - proc proc " << options << '\n';
    allow(0);
  }
  /// Shows this process, which liveness() sees in the kernel, under another name and size.
  void show_this_as(const std::string& name, std::size_t virtual_size) const {
    auto folder = path() / std::to_string(::getpid());
    std::filesystem::create_directories(folder / "task");
    std::ofstream(folder / "cmdline");
    std::ofstream(folder / "stat")
        << fmt::format("{} ({}) D 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4711 {} 0",
                       ::getpid(), name, virtual_size);
  }
  /// Sets the capabilities of the process that reads /proc; it is in the groups 0 and 27.
  void allow(std::uint64_t capabilities, const std::string& process = "self") const {
    std::ofstream(path() / process / "status") << fmt::format(
        "Name:\tx\nGid:\t0\t0\t0\t0\nGroups:\t27 \nCapEff:\t{:016x}\n", capabilities);
  }

 private:
  TemporaryDirectory directory_;
};

}  // namespace guard
