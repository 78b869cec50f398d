#include "guard/process.hpp"

#include <charconv>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>

#include "dlmfs/unique_fd.hpp"
#include "dlmfs/whole_file.hpp"

namespace guard {
namespace {

/// As far as it can be read: a process may end meanwhile.
std::string whole_file(const std::string& path) {
  dlmfs::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return dlmfs::read_to_end(file.get()).value_or(std::string());
}

std::optional<pid_t> parse_pid(std::string_view text) {
  pid_t pid = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || pid <= 0) return std::nullopt;
  return pid;
}

bool started_with(const std::string& command_line, const std::string& option,
                  const std::string& value) {
  std::string wanted = '\0' + option + '\0' + value + '\0';
  return command_line.find(wanted) != std::string::npos;
}

}  // namespace

std::optional<Process> process_of(pid_t pid, const std::filesystem::path& proc) {
  std::string stat = whole_file(fmt::format("{}/{}/stat", proc.native(), pid));
  // The second field is the command's name in parentheses, and may hold anything.
  std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  constexpr int spaces = 22 - 2;  // from the name to the start time, field 22
  std::size_t place = name_end;
  for (int space = 0; space < spaces && place != std::string::npos; ++space)
    place = stat.find(' ', place + 1);
  if (place == std::string::npos) return std::nullopt;
  Process process{pid, 0};
  const char* end = stat.data() + stat.size();
  auto [behind, error] = std::from_chars(stat.data() + place + 1, end, process.start_time);
  if (error != std::errc()) return std::nullopt;
  return process;
}

bool has_option(const Process& process, const std::string& option) {
  std::string command_line = whole_file(fmt::format("/proc/{}/cmdline", process.pid));
  return command_line.find('\0' + option + '\0') != std::string::npos;
}

bool lives(const Process& process, std::chrono::milliseconds patience) {
  dlmfs::UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!pidfd) return errno != ESRCH;
  auto now = process_of(process.pid);
  if (!now || now->start_time != process.start_time) return false;
  // Readable once the last thread has ended, a zombie without threads included.
  pollfd ended{pidfd.get(), POLLIN, 0};
  return ::poll(&ended, 1, static_cast<int>(patience.count())) != 1;
}

std::optional<Process> process_in_pid_file(const Vm& vm, const std::filesystem::path& directory) {
  if (vm.name.find('/') != std::string::npos) return std::nullopt;
  auto pid = parse_pid(whole_file(directory / vm.driver / (vm.name + ".pid")));
  return pid ? process_of(*pid) : std::nullopt;
}

std::optional<Process> find_qemu(const dlmfs::Uuid& uuid) {
  std::unique_ptr<DIR, int (*)(DIR*)> processes(::opendir("/proc"), ::closedir);
  while (const dirent* entry = processes ? ::readdir(processes.get()) : nullptr) {
    auto pid = parse_pid(entry->d_name);
    if (!pid) continue;
    std::string command_line = whole_file(fmt::format("/proc/{}/cmdline", *pid));
    if (!started_with(command_line, "-uuid", uuid.text())) continue;
    auto process = process_of(*pid);
    if (process && lives(*process)) return process;
  }
  return std::nullopt;
}

pid_t thread_that_forked_this() {
  std::string threads_path = fmt::format("/proc/{}/task", ::getppid());
  std::string child = fmt::format(" {} ", ::getpid());
  std::unique_ptr<DIR, int (*)(DIR*)> threads(::opendir(threads_path.c_str()), ::closedir);
  while (const dirent* entry = threads ? ::readdir(threads.get()) : nullptr) {
    auto thread = parse_pid(entry->d_name);
    if (!thread) continue;
    auto children =
        fmt::format(" {}", whole_file(fmt::format("{}/{}/children", threads_path, *thread)));
    if (children.find(child) != std::string::npos) return *thread;
  }
  return 0;
}

}  // namespace guard
