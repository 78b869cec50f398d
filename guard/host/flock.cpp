#include "guard/host/flock.hpp"

#include <sys/file.h>
#include <sys/stat.h>

namespace guard {

Result<Flock> Flock::try_acquire(const StateDirectory& directory, std::string file) {
  for (;;) {
    auto fd = directory.open_for_flock(file);
    if (!fd) return fail(std::move(fd).error());
    if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
      return fail(system_error("flock " + directory.path_of(file)));
    }
    // If the file was removed after the open, other processes flock a new file.
    struct stat found = {};
    if (::fstat(fd->get(), &found) == 0 && found.st_nlink > 0) {
      return Flock(directory, std::move(file), std::move(*fd));
    }
  }
}

}  // namespace guard
