#include "conf/trusted_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "conf/escape.hpp"
#include "guard/system/file.hpp"
#include "guard/system/unique_fd.hpp"

namespace conf {
namespace {

using Text = Result<std::optional<std::string>>;

tl::unexpected<Error> refused(const std::string& file, const std::string& why) {
  return fail(Error{0, fmt::format("{}: {}", file, why)});
}

tl::unexpected<Error> failed(const std::string& file, const char* doing, int code) {
  return refused(file, fmt::format("{}: {}; expected a file that root can read", doing,
                                   std::generic_category().message(code)));
}

bool is_trusted(uid_t owner) {
  return owner == 0 || owner == ::geteuid();
}

Result<void> check(const struct stat& status, const std::string& file) {
  constexpr mode_t writable_by_others = S_IWGRP | S_IWOTH;
  if (!S_ISREG(status.st_mode)) return refused(file, "not a regular file; expected one");
  if (!is_trusted(status.st_uid)) {
    return refused(file, fmt::format("belongs to uid {}; expected root's own file: chown root {}",
                                     status.st_uid, file));
  }
  if ((status.st_mode & writable_by_others) != 0) {
    return refused(file, fmt::format("group or others may write it (mode {:04o}); expected a file "
                                     "only root can write: chmod go-w {}",
                                     status.st_mode & 07777U, file));
  }
  if (static_cast<std::size_t>(status.st_size) > max_file_size) {
    return refused(file,
                   fmt::format("has {} bytes; expected at most {}", status.st_size, max_file_size));
  }
  return {};
}

// Checks the open file and not its path, because the file could be replaced between a stat and the
// open.
Text read_open(int fd, const std::string& file) {
  struct stat status = {};
  if (::fstat(fd, &status) != 0) return failed(file, "cannot be looked at", errno);
  if (auto checked = check(status, file); !checked) {
    return tl::make_unexpected(std::move(checked).error());
  }
  auto text = guard::read_fd(fd);
  if (!text) return failed(file, "cannot be read", text.error().code);
  return std::move(*text);
}

}  // namespace

Text read_trusted(const std::string& file) {
  // O_NONBLOCK: if the path is a FIFO, open(2) would otherwise wait for a writer.
  guard::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) return failed(escape(file), "cannot be opened", errno);
  return read_open(fd.get(), escape(file));
}

}  // namespace conf
