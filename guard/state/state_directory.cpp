#include "guard/state/state_directory.hpp"

#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard/system/file.hpp"

namespace guard {

Result<StateDirectory> StateDirectory::open(const std::string& path) {
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  UniqueFd directory(::open(path.c_str(), flags));
  if (!directory && errno == ENOENT) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      return fail(system_error("making the directory " + path));
    }
    directory = UniqueFd(::open(path.c_str(), flags));
  }
  if (!directory) return fail(system_error("opening " + path));
  return StateDirectory(path, std::move(directory));
}

Result<std::optional<std::string>> StateDirectory::read(const std::string& file) const {
  UniqueFd fd(::openat(directory_.get(), file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) return fail(system_error("opening " + path_of(file)));
  auto text = read_fd(fd.get());
  if (!text) return fail(std::move(text).error().in(path_of(file)));
  return std::move(*text);
}

Result<void> StateDirectory::write(const std::string& file, const std::string& text) const {
  std::string unfinished = "." + file + ".new";
  UniqueFd fd(::openat(directory_.get(), unfinished.c_str(),
                       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return fail(system_error("making " + path_of(unfinished)));
  if (write_fd(fd.get(), text) &&
      ::renameat(directory_.get(), unfinished.c_str(), directory_.get(), file.c_str()) == 0) {
    return {};
  }
  auto error = system_error("writing " + path_of(file));
  ::unlinkat(directory_.get(), unfinished.c_str(), 0);
  return fail(std::move(error));
}

void StateDirectory::append(const std::string& file, std::string_view text) const {
  constexpr int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
  UniqueFd fd(::openat(directory_.get(), file.c_str(), flags, 0600));
  if (fd) std::ignore = ::write(fd.get(), text.data(), text.size());
}

Result<void> StateDirectory::remove(const std::string& file) const {
  if (::unlinkat(directory_.get(), file.c_str(), 0) == 0 || errno == ENOENT) return {};
  return fail(system_error("removing " + path_of(file)));
}

std::optional<StateDirectory::Stamp> StateDirectory::stamp(const std::string& file) const {
  struct stat found = {};
  if (::fstatat(directory_.get(), file.c_str(), &found, 0) != 0) return std::nullopt;
  return Stamp{found.st_ino, found.st_ctim.tv_sec, found.st_ctim.tv_nsec,
               static_cast<std::uint64_t>(found.st_size)};
}

void StateDirectory::set_times(const std::string& file, const Times& times) const {
  const timespec both[] = {times.accessed, times.modified};
  if (::utimensat(directory_.get(), file.c_str(), both, 0) == 0 || errno != ENOENT) return;
  append(file, "");
  ::utimensat(directory_.get(), file.c_str(), both, 0);
}

std::optional<StateDirectory::Times> StateDirectory::times(const std::string& file) const {
  struct stat found = {};
  if (::fstatat(directory_.get(), file.c_str(), &found, 0) != 0) return std::nullopt;
  return Times{found.st_atim, found.st_mtim};
}

Result<std::vector<std::string>> StateDirectory::list() const {
  auto names = list_directory(directory_.get(), ".");
  if (!names) return fail(std::move(names).error().in(path_));
  return names;
}

Result<UniqueFd> StateDirectory::open_for_flock(const std::string& file) const {
  UniqueFd fd(::openat(directory_.get(), file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail(system_error("opening " + path_of(file)));
  return fd;
}

}  // namespace guard
