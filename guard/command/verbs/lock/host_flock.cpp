#include "guard/command/verbs/lock/host_flock.hpp"

#include <sys/file.h>
#include <sys/stat.h>

namespace guard::command {
namespace {

/// A file that has been removed since it was opened excludes nobody.
bool still_there(const UniqueFd& fd) {
  struct stat found = {};
  return ::fstat(fd.get(), &found) == 0 && found.st_nlink > 0;
}

}  // namespace

Result<HostFlock> HostFlock::try_acquire(const StateDirectory& directory,
                                         const dlmfs::DomainName& domain, const dlmfs::Name& name) {
  // A Name has no space, so that the last one tells where it begins.
  std::string file = fmt::format("lock.{} {}", domain.text(), name.text());
  for (;;) {
    auto fd = directory.open_for_flock(file);
    if (!fd) return fail(std::move(fd).error());
    if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
      return fail(system_error("flock " + directory.path_of(file)));
    }
    if (still_there(*fd)) return HostFlock(directory, std::move(file), std::move(*fd));
  }
}

void HostFlock::dissolve() const {
  std::ignore = directory_->remove(file_);
}

}  // namespace guard::command
