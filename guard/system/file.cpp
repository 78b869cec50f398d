#include "guard/system/file.hpp"

#include <array>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>

#include "guard/system/unique_fd.hpp"

namespace guard {
namespace {

Result<void> write_file(const std::filesystem::path& path, const std::string& text) {
  constexpr mode_t for_root = 0600;
  constexpr mode_t executable = 0755;
  ::unlink(path.c_str());  // may be left over from a killed process
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, for_root));
  bool written = file && write_fd(file.get(), text) && ::fchmod(file.get(), executable) == 0 &&
                 ::fsync(file.get()) == 0;
  if (!written) return fail(system_error("writing " + path.string()));
  return {};
}

void sync_directory(const std::filesystem::path& path) {
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory) ::fsync(directory.get());
}

}  // namespace

// The hook uses no streams: the first stream initializes the C++ library's locale, and that takes
// as long as the lock.
Result<std::string> read_fd(int fd) {
  std::string text;
  for (std::array<char, 4096> chunk;;) {
    ssize_t count = ::read(fd, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error("reading"));
    if (count == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(count));
  }
}

Result<std::string> read_file(const std::string& path, int flags) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (!file) return fail(system_error("opening " + path));
  auto text = read_fd(file.get());
  if (!text) return fail(std::move(text).error().in(path));
  return text;
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
  return list_directory(AT_FDCWD, path);
}

Result<std::vector<std::string>> list_directory(int at, const std::string& path) {
  int fd = ::openat(at, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::unique_ptr<DIR, int (*)(DIR*)> directory(fd < 0 ? nullptr : ::fdopendir(fd), ::closedir);
  if (!directory) return fail(system_error("listing " + path));
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return fail(system_error("listing " + path));
  return names;
}

bool write_fd(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

Result<void> install_atomically(const std::filesystem::path& path,
                                const std::filesystem::path& part, const std::string& text,
                                bool replaces) {
  auto put = write_file(part, text);
  unsigned flags = replaces ? 0U : static_cast<unsigned>(RENAME_NOREPLACE);
  if (put && ::renameat2(AT_FDCWD, part.c_str(), AT_FDCWD, path.c_str(), flags) != 0) {
    put = fail(system_error("putting " + path.string() + " there"));
  }
  if (!put) {
    ::unlink(part.c_str());
    return put;
  }
  sync_directory(path.parent_path());
  return {};
}

}  // namespace guard
