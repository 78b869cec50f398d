#include "guard/host/qemu_process.hpp"

#include <algorithm>
#include <array>
#include <poll.h>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

#include "guard/system/file.hpp"
#include "guard/system/hidden_processes.hpp"
#include "guard/system/parse_text.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard {
namespace {

/// Returns the file's text, or an empty text on any error: the process may end meanwhile.
std::string whole_file(const std::string& path) {
  return read_file(path).value_or(std::string());
}

std::optional<pid_t> parse_pid(std::string_view text) {
  auto pid = leading_number<pid_t>(text);
  return pid.value_or(0) > 0 ? pid : std::nullopt;
}

/// Returns a number from the text of /proc/PID/stat. `field` is numbered as in proc(5), and is at
/// least 4.
std::optional<std::uint64_t> number_in_stat(const std::string& stat, int field) {
  // The second field is the command's name in parentheses. It may contain any character.
  std::size_t place = stat.rfind(')');
  for (int at = 2; at < field && place != std::string::npos; ++at)
    place = stat.find(' ', place + 1);
  if (place == std::string::npos) return std::nullopt;
  return leading_number<std::uint64_t>(std::string_view(stat).substr(place + 1));
}

/// Returns true if the process is a QEMU without memory of its own: it has begun to exit. Its name
/// is that of its program, or "qemu:VM" with set_process_name in libvirt's qemu.conf.
bool is_ending_qemu(const std::string& process) {
  constexpr int virtual_size = 23;
  auto stat = whole_file(process + "/stat");
  constexpr std::array names = {" (qemu-system", " (qemu-kvm", " (qemu:"};
  bool qemu = std::any_of(names.begin(), names.end(),
                          [&](const char* name) { return stat.find(name) != std::string::npos; });
  return qemu && number_in_stat(stat, virtual_size) == 0;
}

/// Returns true if the process is a kernel thread, as most processes of a host are.
bool is_kernel_thread(const std::string& process) {
  constexpr int flags = 9;
  constexpr std::uint64_t kernel_thread = 0x00200000;  // PF_KTHREAD in the kernel's linux/sched.h
  auto set = number_in_stat(whole_file(process + "/stat"), flags);
  return set && (*set & kernel_thread) != 0;
}

/// Returns the command line of a process. If the first thread has ended, returns the
/// command line of another thread, because a thread that hangs in the kernel may still write to a
/// disk. Returns an empty text for a kernel thread.
Result<std::string> command_line_of(const std::string& process) {
  auto command_line = read_file(process + "/cmdline");
  if (!command_line || !command_line->empty() || is_kernel_thread(process)) return command_line;
  auto threads = list_directory(process + "/task");
  if (!threads) return fail(std::move(threads).error());
  for (const std::string& thread : *threads) {
    auto other = read_file(fmt::format("{}/task/{}/cmdline", process, thread));
    if (other && !other->empty()) return other;
  }
  return command_line;
}

std::optional<pid_t> pid_in_file(const Vm& vm, const std::filesystem::path& directory) {
  if (vm.name.find('/') != std::string::npos) return std::nullopt;
  return parse_pid(whole_file(directory / vm.driver / (vm.name + ".pid")));
}

bool started_with(const std::string& command_line, const std::string& option,
                  const std::string& value) {
  std::string wanted = '\0' + option + '\0' + value + '\0';
  return command_line.find(wanted) != std::string::npos;
}

}  // namespace

std::optional<Process> process_of(pid_t pid, const std::filesystem::path& proc) {
  constexpr int start_time = 22;
  auto started =
      number_in_stat(whole_file(fmt::format("{}/{}/stat", proc.native(), pid)), start_time);
  if (!started) return std::nullopt;
  return Process{pid, *started};
}

bool has_option(const Process& process, const std::string& option,
                const std::filesystem::path& proc) {
  std::string command_line = whole_file(fmt::format("{}/{}/cmdline", proc.native(), process.pid));
  return command_line.find('\0' + option + '\0') != std::string::npos;
}

Liveness liveness(const Process& process, std::chrono::milliseconds patience,
                  const std::filesystem::path& proc) {
  // Open the pidfd first: it refers to one process, even if the pid is reused later.
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!pidfd && errno == ESRCH) return Liveness::dead;
  auto now = process_of(process.pid, proc);
  if (now && now->start_time != process.start_time) return Liveness::dead;
  if (!pidfd) return Liveness::unknown;
  // The pidfd is readable once the last thread has ended. This includes a zombie without threads.
  pollfd ended{pidfd.get(), POLLIN, 0};
  if (::poll(&ended, 1, static_cast<int>(patience.count())) == 1) return Liveness::dead;
  return now ? Liveness::alive : Liveness::unknown;
}

std::optional<Process> process_in_pid_file(const Vm& vm, const std::filesystem::path& directory,
                                           const std::filesystem::path& proc) {
  auto pid = pid_in_file(vm, directory);
  return pid ? process_of(*pid, proc) : std::nullopt;
}

bool has_pid_file(const Vm& vm, const std::filesystem::path& directory) {
  auto pid = pid_in_file(vm, directory);
  if (!pid) return false;
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
  return pidfd || errno != ESRCH;
}

QemuSeen find_qemu(const dlmfs::Uuid& uuid, const std::filesystem::path& proc) {
  QemuSeen unknown{.liveness = Liveness::unknown};
  auto entries = list_directory(proc);
  if (!entries) {
    unknown.why = entries.error().what;
    return unknown;
  }
  for (const std::string& entry : *entries) {
    auto pid = parse_pid(entry);
    if (!pid) continue;
    auto path = fmt::format("{}/{}", proc.native(), *pid);
    auto command_line = command_line_of(path);
    if (!command_line) {
      int code = command_line.error().code;
      bool has_ended = code == ENOENT || code == ESRCH;
      if (!has_ended) unknown.why = system_error("reading " + path, code).what;
      continue;
    }
    if (!started_with(*command_line, "-uuid", uuid.text())) continue;
    auto process = process_of(*pid, proc);
    if (!process) continue;  // the process has just ended
    switch (liveness(*process, {}, proc)) {
      case Liveness::alive:
        return {.liveness = Liveness::alive, .process = process};
      case Liveness::unknown:
        unknown.why = fmt::format("process {} can't be examined", *pid);
        break;
      case Liveness::dead:
        break;
    }
  }
  if (auto hidden = why_processes_are_hidden(proc)) {
    unknown.why = fmt::format("{}; {}", *hidden, unhide_processes);
  }
  return unknown.why.empty() ? QemuSeen{} : unknown;
}

QemuSeen find_ending_qemu(const std::vector<Process>& others, std::chrono::milliseconds patience,
                          const std::filesystem::path& proc) {
  auto entries = list_directory(proc);
  if (!entries) return {.liveness = Liveness::unknown, .why = entries.error().what};
  for (const std::string& entry : *entries) {
    auto pid = parse_pid(entry);
    if (!pid || !is_ending_qemu(fmt::format("{}/{}", proc.native(), *pid))) continue;
    auto process = process_of(*pid, proc);
    if (!process || std::find(others.begin(), others.end(), *process) != others.end()) continue;
    if (liveness(*process, patience, proc) == Liveness::dead) continue;
    return {.liveness = Liveness::unknown,
            .why = fmt::format("process {}, a QEMU that is ending, may be its", *pid)};
  }
  return {};
}

pid_t thread_that_forked_this() {
  std::string threads_path = fmt::format("/proc/{}/task", ::getppid());
  std::string child = fmt::format(" {} ", ::getpid());
  auto threads = list_directory(threads_path);
  for (const std::string& entry : threads ? *threads : std::vector<std::string>()) {
    auto thread = parse_pid(entry);
    if (!thread) continue;
    auto children =
        fmt::format(" {}", whole_file(fmt::format("{}/{}/children", threads_path, *thread)));
    if (children.find(child) != std::string::npos) return *thread;
  }
  return 0;
}

}  // namespace guard
