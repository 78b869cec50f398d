#include "tests/guard/fake_host.hpp"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <fcntl.h>
#include <fstream>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace guard {
namespace {

/// A host's dlmfs as an abandonable call uses it: throws Asleep instead of sleeping.
class Sleepless final : public dlmfs::Mount {
 public:
  explicit Sleepless(dlmfs::Mount& mount) : mount_(mount) {}

  Result<void> join(const dlmfs::DomainName& d) override { return awake(mount_.join(d)); }
  Result<void> leave(const dlmfs::DomainName& d) override { return awake(mount_.leave(d)); }
  Result<bool> exists(const dlmfs::DomainName& d, const dlmfs::Name& n) override {
    return awake(mount_.exists(d, n));
  }
  Result<dlmfs::OpenLock> trylock(const dlmfs::DomainName& d, const dlmfs::Name& n,
                                  dlmfs::Level level) override {
    return awake(mount_.trylock(d, n, level));
  }
  Result<dlmfs::OpenLock> queue(const dlmfs::DomainName& d, const dlmfs::Name& n,
                                dlmfs::Level level) override {
    return awake(mount_.queue(d, n, level));
  }
  dlmfs::OwnRequest own_request(const dlmfs::DomainName& d, const dlmfs::Name& n) override {
    return mount_.own_request(d, n);
  }
  Result<void> unlink(const dlmfs::DomainName& d, const dlmfs::Name& n) override {
    return awake(mount_.unlink(d, n));
  }
  Result<dlmfs::Lvb> read_lvb(const dlmfs::OpenLock& lock) override {
    return awake(mount_.read_lvb(lock));
  }
  Result<void> write_lvb(const dlmfs::OpenLock& lock, const dlmfs::Lvb& value) override {
    return awake(mount_.write_lvb(lock, value));
  }
  Result<std::vector<dlmfs::LockName>> list(const dlmfs::DomainName& d) override {
    return awake(mount_.list(d));
  }

 private:
  template <typename T>
  Result<T> awake(Result<T> result) {
    if (!result && dlmfs::would_sleep(result.error())) throw Asleep{};
    return result;
  }
  dlmfs::Mount& mount_;
};

/// Makes a call in place. A call that would sleep counts as one without a result at the deadline.
class CallInPlace final : public PendingCall {
 public:
  explicit CallInPlace(AbandonableCall& call) : call_(call) {}
  ~CallInPlace() override {
    if (!accepted_ && !abandoned_) call_.clean_up();
  }
  Result<std::string> receive(const Deadline&) override {
    if (!std::exchange(made_, true)) make();
    if (messages_.empty()) {
      abandoned_ = true;
      return fail(Error{ETIMEDOUT, "asleep"});
    }
    std::string message = std::move(messages_.front());
    messages_.pop_front();
    return message;
  }
  bool abandoned() const override { return abandoned_; }
  void accept() override { accepted_ = true; }

 private:
  void make() {
    try {
      call_.run([this](const std::string& message) { messages_.push_back(message); });
    } catch (const Asleep&) {
    }
  }

  AbandonableCall& call_;
  std::deque<std::string> messages_;
  bool made_ = false, abandoned_ = false, accepted_ = false;
};

class RunnerInPlace final : public CallRunner {
 public:
  std::unique_ptr<PendingCall> start(AbandonableCall& call) override {
    return std::make_unique<CallInPlace>(call);
  }
};

/// Like /proc, but with only the processes of this test. A QEMU that ends anywhere on this machine
/// could be that of any VM.
class OwnProcesses {
 public:
  OwnProcesses() {
    for (const std::string& each : {std::string("self"), std::to_string(::getpid())})
      std::filesystem::create_symlink("/proc/" + each, path() / each);
  }
  void add(pid_t pid) const {
    std::filesystem::create_symlink(fmt::format("/proc/{}", pid), path() / std::to_string(pid));
  }
  void remove(pid_t pid) const { std::filesystem::remove(path() / std::to_string(pid)); }
  [[nodiscard]] const std::filesystem::path& path() const { return directory_.path(); }

 private:
  TemporaryDirectory directory_;
};

const OwnProcesses& own_processes() {
  static const OwnProcesses processes;
  return processes;
}

}  // namespace

FakeHost::FakeHost(dlmfs::StandInCluster& cluster, int number,
                   std::shared_ptr<const TemporaryDirectory> directory)
    : directory_(std::move(directory)),
      mount(cluster.host(number)),
      context{{
                  .settings = {},
                  .host = {StateDirectory::open(directory_->path() / "state").value(),
                           [this](int priority, const std::string& line) {
                             lines_.emplace_back(priority, line);
                           }},
                  .cluster = {.open_checked_mount = [this] { return open_mount(); },
                              .open_any_mount = [this] { return open_mount(); },
                              .mount = "/dlm",
                              .domain = "vms",
                              .host_name = fmt::format("node{}", number),
                              .pause = [](std::chrono::milliseconds) {}},
                  .paths = {.pid_files = directory_->path() / "pid-files",
                            .processes = own_processes().path(),
                            .open_files = directory_->path() / "proc"},
              },
              std::make_unique<RunnerInPlace>(),
              std::make_unique<NoKeeper>(),
              {4711, [] { return 4712; }},
              Deadline(std::chrono::milliseconds(0))} {
  std::filesystem::create_directories(context.paths.open_files);
  set_file_locks("");
  std::ignore = mount.join(locks);
  std::ignore = mount.join(bells);
}

Result<std::unique_ptr<dlmfs::Mount>> FakeHost::open_mount() {
  if (broken_) return fail(Error{ENODEV, *broken_});
  return std::make_unique<Sleepless>(mount);
}

std::shared_ptr<const Process> FakeHost::run_qemu(const Vm& vm, const char* option) {
  pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/sh", "qemu", "-c", "read forever < /dev/zero", "-uuid", vm.uuid.text().c_str(),
            option, option != nullptr ? "defer" : nullptr, nullptr);
    ::perror("/bin/sh");
    ::_exit(127);
  }
  // During exec, /proc shows an empty command line for a moment, after the old one: the kernel sets
  // the new one last (fs/binfmt_elf.c, create_elf_tables).
  Process started = process_of(child).value();
  while (!has_option(started, "-uuid")) {
    if (::waitpid(child, nullptr, WNOHANG) != 0) throw std::runtime_error("exec");
    ::usleep(100);
  }
  own_processes().add(child);
  auto end = [](const Process* process) {
    own_processes().remove(process->pid);
    ::kill(process->pid, SIGKILL);
    ::waitpid(process->pid, nullptr, 0);
    delete process;
  };
  return {new Process(started), end};
}

void FakeHost::set_file_locks(const std::string& lines) const {
  std::ofstream(context.paths.open_files + "/locks") << lines;
}

void FakeHost::write_pid_file(const Vm& vm, const Process& process) const {
  std::filesystem::create_directories(context.paths.pid_files + "/" + vm.driver);
  std::ofstream(context.paths.pid_files + "/" + vm.driver + "/" + vm.name + ".pid")
      << process.pid << '\n';
}

void FakeHost::write_libvirt_job(const Vm& vm, const std::string& job,
                                 const std::string& phase) const {
  std::filesystem::create_directories(context.paths.pid_files + "/" + vm.driver);
  std::ofstream(context.paths.pid_files + "/" + vm.driver + "/" + vm.name + ".xml")
      << "<domstatus><job type='none' async='" << job << "' phase='" << phase << "'/><domain><uuid>"
      << vm.uuid.text() << "</uuid></domain></domstatus>\n";
}

bool FakeHost::logged(const std::string& text) const {
  return std::any_of(lines_.begin(), lines_.end(),
                     [&](const auto& line) { return line.second.find(text) != std::string::npos; });
}

bool FakeHost::logged(int priority, const std::string& text) const {
  return std::any_of(lines_.begin(), lines_.end(), [&](const auto& line) {
    return line.first == priority && line.second.find(text) != std::string::npos;
  });
}

int FakeHost::count_logged(const std::string& text) const {
  return static_cast<int>(std::count_if(lines_.begin(), lines_.end(), [&](const auto& line) {
    return line.second.find(text) != std::string::npos;
  }));
}

}  // namespace guard
