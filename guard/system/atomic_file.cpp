#include "guard/system/atomic_file.hpp"

#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard/system/unique_fd.hpp"

namespace guard {
namespace {

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

Result<void> write_file(const std::filesystem::path& path, const std::string& text) {
  constexpr mode_t for_root = 0600;
  constexpr mode_t executable = 0755;
  ::unlink(path.c_str());  // may be left over from a killed process
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, for_root));
  bool written = file && write_all(file.get(), text) && ::fchmod(file.get(), executable) == 0 &&
                 ::fsync(file.get()) == 0;
  if (!written) return fail(system_error("writing " + path.string()));
  return {};
}

void sync_directory(const std::filesystem::path& path) {
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory) ::fsync(directory.get());
}

}  // namespace

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
