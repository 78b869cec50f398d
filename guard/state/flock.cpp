#include "guard/state/flock.hpp"

#include <sys/file.h>
#include <sys/stat.h>
#include <thread>

namespace guard {

Result<Flock> Flock::try_acquire(const StateDirectory& directory, std::string file) {
  return acquire(directory, std::move(file), [] { return true; });
}

Result<Flock> Flock::acquire(const StateDirectory& directory, std::string file,
                             const std::function<bool()>& give_up) {
  constexpr std::chrono::milliseconds between{5};
  for (;;) {
    auto fd = directory.open_for_flock(file);
    if (!fd) return fail(std::move(fd).error());
    while (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
      auto error = system_error("flock " + directory.path_of(file));
      if (error.code != EWOULDBLOCK || give_up()) return fail(std::move(error));
      std::this_thread::sleep_for(between);
    }
    // A file that was removed after it was opened excludes nobody.
    struct stat found = {};
    if (::fstat(fd->get(), &found) == 0 && found.st_nlink > 0) {
      return Flock(directory, std::move(file), std::move(*fd));
    }
  }
}

}  // namespace guard
