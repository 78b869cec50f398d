#include "guard/host/libvirt_daemons.hpp"

#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>

#include "tests/catch.hpp"
#include "tests/guard/fake_host.hpp"
#include "tests/guard/fake_proc.hpp"
#include "tests/guard/temporary_directory.hpp"

using namespace guard;

namespace {

const Vm starting_vm{"web", *dlmfs::Uuid::parse("d0c3b7a4-1111-4222-8333-4444555566ff")};

/// A libvirt daemon that has started at boot, and a status file of the VM without a pid.
class KilledDuringStart {
 public:
  KilledDuringStart() {
    std::filesystem::create_directory(status_files_.path() / "qemu");
    write_status("0");
    add_process(312, "libvirtd");
  }

  void write_status(const std::string& pid) const {
    std::ofstream(status_file()) << "<domstatus state='paused' reason='starting up' pid='" << pid
                                 << "'><domain type='qemu'><uuid>" << starting_vm.uuid.text()
                                 << "</uuid></domain></domstatus>";
    write_status_at(before_boot);
  }
  void write_status_at(timespec at) const {
    timespec times[2] = {at, at};
    REQUIRE(::utimensat(AT_FDCWD, status_file().c_str(), times, 0) == 0);
  }
  void add_process(int pid, const std::string& name, long start_time = 0) const {
    auto folder = proc.path() / std::to_string(pid);
    std::filesystem::create_directory(folder);
    std::ofstream(folder / "comm") << name << '\n';
    std::ofstream(folder / "cmdline") << name << '\0';
    std::ofstream(folder / "stat")
        << pid << " (" << name << ") S 1 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " << start_time
        << " 0";
  }
  [[nodiscard]] std::filesystem::path status_file() const {
    return status_files_.path() / "qemu" / "web.xml";
  }
  [[nodiscard]] bool abandoned() const {
    return start_abandoned(starting_vm,
                           {.pid_files = status_files_.path(), .processes = proc.path()});
  }

  static constexpr timespec before_boot{1000, 0};
  static constexpr timespec now{0, UTIME_NOW};
  static constexpr long far_in_the_future = 1L << 34;  // clock ticks after boot: years
  FakeProc proc;

 private:
  TemporaryDirectory status_files_;
};

}  // namespace

TEST_CASE_METHOD(KilledDuringStart,
                 "a start is abandoned if its daemon was killed before QEMU ran") {
  CHECK(abandoned());
}

TEST_CASE_METHOD(KilledDuringStart, "a start whose daemon still runs is not abandoned") {
  write_status_at(now);
  CHECK_FALSE(abandoned());
}

TEST_CASE_METHOD(KilledDuringStart,
                 "a start is not abandoned while one daemon of several is older") {
  write_status_at(now);
  add_process(313, "virtqemud", far_in_the_future);
  CHECK_FALSE(abandoned());
  std::filesystem::remove_all(proc.path() / "312");
  CHECK(abandoned());
}

TEST_CASE_METHOD(KilledDuringStart, "a start of which libvirt knows the QEMU is not abandoned") {
  write_status("4711");
  CHECK_FALSE(abandoned());
}

TEST_CASE_METHOD(KilledDuringStart, "a start whose QEMU lives is not abandoned") {
  auto qemu = FakeHost::run_qemu(starting_vm);
  auto name = std::to_string(qemu->pid);
  for (const char* file : {"stat", "cmdline"}) {
    std::filesystem::create_directories(proc.path() / name);
    std::ofstream(proc.path() / name / file) << std::ifstream("/proc/" + name + "/" + file).rdbuf();
  }
  CHECK_FALSE(abandoned());
}

TEST_CASE_METHOD(KilledDuringStart, "a start is not abandoned if this host cannot see that it is") {
  SECTION("/proc may hide its QEMU") {
    proc.hide();
  }
  SECTION("/proc cannot be listed") {
    std::filesystem::remove_all(proc.path());
  }
  SECTION("no daemon runs") {
    std::filesystem::remove_all(proc.path() / "312");
  }
  SECTION("there is no status file") {
    std::filesystem::remove(status_file());
  }
  SECTION("the status file names no pid") {
    std::ofstream(status_file()) << "<domstatus/>";
  }
  CHECK_FALSE(abandoned());
}
