#include "guard/command/checks/state.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fmt/format.h>

#include "guard/host/state_directory.hpp"

namespace guard::command {

Finding check_state(const std::filesystem::path& directory) {
  auto fail = [](const std::string& found, const std::string& remedy) {
    return Finding{"state", Health::fail, found + ": every start is denied", remedy};
  };
  auto opened = StateDirectory::open(directory);
  if (!opened) return fail(opened.error().what, fmt::format("ls -ld {}", directory.string()));
  if (::faccessat(AT_FDCWD, directory.c_str(), W_OK, AT_EACCESS) != 0) {
    return fail(system_error("writing to " + directory.string()).what,
                fmt::format("mount -o remount,rw $(findmnt -no TARGET -T {})", directory.string()));
  }
  struct statvfs room = {};
  if (::statvfs(directory.c_str(), &room) == 0 && room.f_blocks > 0 && room.f_bavail == 0) {
    return fail(fmt::format("there is no room left in {}", directory.string()),
                fmt::format("make room (df {})", directory.string()));
  }
  return {"state", Health::ok, directory.string() + " can be written"};
}

}  // namespace guard::command
