#include "guard/process.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>

#include "dlmfs/unique_fd.hpp"

namespace guard {
namespace {

std::string whole_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
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
  return command_line.find(wanted) != command_line.npos;
}

}  // namespace

std::optional<Process> process_of(pid_t pid) {
  std::string stat = whole_file(fmt::format("/proc/{}/stat", pid));
  // The second field is the command's name in parentheses, and may hold anything.
  std::size_t name_end = stat.rfind(')');
  if (name_end == stat.npos) return std::nullopt;
  std::istringstream fields(stat.substr(name_end + 1));
  constexpr int between = 22 - 3;  // fields between the name and the start time
  std::string skipped;
  for (int field = 0; field < between; ++field) fields >> skipped;
  Process process{pid, 0};
  if (!(fields >> process.start_time)) return std::nullopt;
  return process;
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
  if (vm.name.find('/') != vm.name.npos) return std::nullopt;
  auto pid = parse_pid(whole_file(directory / vm.driver / (vm.name + ".pid")));
  return pid ? process_of(*pid) : std::nullopt;
}

std::optional<Process> find_qemu(const dlmfs::Uuid& uuid) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    auto pid = parse_pid(entry.path().filename().string());
    if (!pid || !started_with(whole_file(entry.path() / "cmdline"), "-uuid", uuid.text())) continue;
    auto process = process_of(*pid);
    if (process && lives(*process)) return process;
  }
  return std::nullopt;
}

}  // namespace guard
