#include "guard/command/checks/hook_files.hpp"

#include <algorithm>
#include <fcntl.h>

#include "guard/build.hpp"
#include "guard/system/file.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard::command {
namespace {

namespace fs = std::filesystem;

std::string read_build(const fs::path& path) {
  constexpr off_t largest = off_t{64} << 20;  // far larger than any build
  // O_NONBLOCK: the file may be a FIFO, on which open(2) would block.
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status = {};
  if (!file || ::fstat(file.get(), &status) != 0) return "";
  if (!S_ISREG(status.st_mode) || status.st_size > largest) return "";
  return build_in(read_fd(file.get()).value_or(std::string()));
}

std::optional<HookFile> hook_file(const fs::path& path) {
  HookFile file{path};
  struct stat entry = {};
  if (::lstat(path.c_str(), &entry) != 0) return std::nullopt;
  file.symlink = S_ISLNK(entry.st_mode);
  if (::stat(path.c_str(), &file.status) != 0) return file;
  file.build = read_build(path);
  return file;
}

}  // namespace

std::string build_in(const std::string& program) {
  constexpr std::size_t digits = 12;
  for (std::size_t place = program.find(build_mark_start); place != std::string::npos;
       place = program.find(build_mark_start, place + 1)) {
    std::string build = program.substr(place + build_mark_start.size(), digits);
    bool hex = build.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (hex && build.size() == digits) return build;
  }
  return "";
}

std::vector<HookFile> hook_files(const SystemPaths& paths, const std::string& driver) {
  const fs::path folder = paths.hooks / (driver + ".d");
  auto names = list_directory(folder).value_or(std::vector<std::string>());
  std::sort(names.begin(), names.end());
  std::vector<HookFile> files;
  if (auto file = hook_file(paths.hooks / driver)) files.push_back(std::move(*file));
  for (const std::string& name : names) {
    if (auto file = hook_file(folder / name)) files.push_back(std::move(*file));
  }
  return files;
}

std::optional<HookFile> guards_hook(const std::vector<HookFile>& files) {
  auto found = std::find_if(files.begin(), files.end(),
                            [](const HookFile& file) { return !file.build.empty(); });
  return found == files.end() ? std::nullopt : std::optional(*found);
}

}  // namespace guard::command
