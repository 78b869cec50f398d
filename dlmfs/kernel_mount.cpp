#include "dlmfs/kernel_mount.hpp"

#include <algorithm>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "dlmfs/dlm_debugfs.hpp"
#include "guard/system/file.hpp"

namespace dlmfs {
namespace {

constexpr unsigned long dlmfs_magic = 0x76a9f425;  // DLMFS_MAGIC, fs/ocfs2/dlmfs/dlmfs.c

std::string relative(const DomainName& domain, const Name& name) {
  return domain.text() + "/" + name.text();
}

}  // namespace

bool is_dlmfs(int fd) {
  struct statfs found = {};
  return ::fstatfs(fd, &found) == 0 && static_cast<unsigned long>(found.f_type) == dlmfs_magic;
}

OpenLock opened_before(UniqueFd fd) {
  int access = ::fcntl(fd.get(), F_GETFL) & O_ACCMODE;
  Level level = access == O_RDONLY ? Level::protected_read : Level::exclusive;
  return {std::move(fd), level};
}

Result<KernelMount> KernelMount::open(const std::string& path) {
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail(system_error("opening " + path));
  struct statfs found = {};
  if (::fstatfs(directory.get(), &found) != 0) {
    return fail(system_error("asking for the file system of " + path));
  }
  if (static_cast<unsigned long>(found.f_type) != dlmfs_magic) {
    return fail(Error{ENOTTY, fmt::format("{} is not dlmfs (file system type {:#x})", path,
                                          static_cast<unsigned long>(found.f_type))});
  }
  return KernelMount(path, std::move(directory));
}

std::string KernelMount::full_path(const DomainName& domain, const Name& name) const {
  return path_ + "/" + domain.text() + "/" + name.text();
}

Result<void> KernelMount::join(const DomainName& domain) {
  if (::mkdirat(directory_.get(), domain.text().c_str(), 0755) == 0 || errno == EEXIST) return {};
  return fail(system_error("mkdir " + path_ + "/" + domain.text()));
}

Result<void> KernelMount::leave(const DomainName& domain) {
  if (::unlinkat(directory_.get(), domain.text().c_str(), AT_REMOVEDIR) == 0) return {};
  return fail(system_error("rmdir " + path_ + "/" + domain.text()));
}

Result<bool> KernelMount::exists(const DomainName& domain, const Name& name) {
  if (::faccessat(directory_.get(), relative(domain, name).c_str(), F_OK, 0) == 0) return true;
  if (errno == ENOENT) return false;
  return fail(system_error("looking for " + full_path(domain, name)));
}

Result<OpenLock> KernelMount::open_lock(const DomainName& domain, const Name& name, Level level,
                                        int flags) {
  int access = level == Level::exclusive ? O_RDWR : O_RDONLY;
  UniqueFd fd(::openat(directory_.get(), relative(domain, name).c_str(),
                       access | O_CREAT | O_CLOEXEC | flags, 0600));
  if (!fd) return fail(system_error("opening " + full_path(domain, name)));
  return OpenLock{std::move(fd), level};
}

Result<OpenLock> KernelMount::trylock(const DomainName& domain, const Name& name, Level level) {
  return open_lock(domain, name, level, O_NONBLOCK);
}

Result<OpenLock> KernelMount::queue(const DomainName& domain, const Name& name, Level level) {
  return open_lock(domain, name, level, 0);
}

OwnRequest KernelMount::own_request(const DomainName& domain, const Name& name) {
  return dlmfs::own_request({}, domain, name);
}

Result<void> KernelMount::unlink(const DomainName& domain, const Name& name) {
  if (::unlinkat(directory_.get(), relative(domain, name).c_str(), 0) == 0 || errno == ENOENT) {
    return {};
  }
  return fail(system_error("unlinking " + full_path(domain, name)));
}

Result<Lvb> KernelMount::read_lvb(const OpenLock& lock) {
  Lvb value{};
  if (::pread(lock.fd.get(), value.data(), value.size(), 0) < 0) {
    return fail(system_error("reading a lock value block"));
  }
  return value;
}

Result<void> KernelMount::write_lvb(const OpenLock& lock, const Lvb& value) {
  ssize_t written = ::pwrite(lock.fd.get(), value.data(), value.size(), 0);
  if (written == static_cast<ssize_t>(value.size())) return {};
  return fail(system_error("writing a lock value block"));
}

Result<std::vector<LockName>> KernelMount::list(const DomainName& domain) {
  auto files = guard::list_directory(directory_.get(), domain.text());
  if (!files) return fail(std::move(files).error().in(path_));
  std::vector<LockName> names;
  for (const std::string& file : *files) {
    if (auto name = LockName::parse(file)) names.push_back(std::move(*name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace dlmfs
