#include "guard/state/vm_flock.hpp"

#include <unistd.h>

#include "guard/system/parse_text.hpp"
#include "guard/system/time_text.hpp"

namespace guard {
namespace {

constexpr std::string_view waiting_mark = "waits for the cluster: ";
constexpr char time_mark = '@';  // seconds after 1970 follow, to the end

/// Returns the holder as users read it. Only a process that is denied formats the time: for the
/// local time, libc reads the time zone.
std::string readable(const std::string& holder) {
  std::size_t mark = holder.rfind(time_mark);
  if (mark == std::string::npos) return holder;
  auto seconds = whole_number<std::int64_t>(std::string_view(holder).substr(mark + 1));
  if (!seconds) return holder;
  return holder.substr(0, mark) +
         time_text(std::chrono::sys_seconds(std::chrono::seconds(*seconds)));
}

void put_text(int fd, const std::string& text) {
  // Ignore errors: the text is used only in messages.
  if (::ftruncate(fd, 0) == 0) std::ignore = ::pwrite(fd, text.data(), text.size(), 0);
}

Error taken(const std::string& holder) {
  if (holder.starts_with(waiting_mark)) {
    return Error{EWOULDBLOCK,
                 fmt::format("an earlier attempt ({}) still waits for the cluster; it cleans up "
                             "after itself once the cluster answers: try again then",
                             readable(holder.substr(waiting_mark.size())))};
  }
  return Error{EWOULDBLOCK, fmt::format("another operation ({}) is still running for this VM",
                                        readable(holder))};
}

}  // namespace

Result<VmFlock> VmFlock::acquire(const StateDirectory& directory, const dlmfs::Uuid& uuid,
                                 const std::string& operation, const Deadline& deadline) {
  std::string file = uuid.text() + ".flock";
  std::string other;  // the process that holds it
  auto give_up = [&] {
    other = directory.read(file).value_or("").value_or("");
    return other.starts_with(waiting_mark) || deadline.left() <= std::chrono::milliseconds::zero();
  };
  auto flock = Flock::acquire(directory, file, give_up);
  if (!flock && flock.error().code == EWOULDBLOCK) return fail(taken(other));
  if (!flock) return fail(std::move(flock).error());
  std::string holder = fmt::format("{}, pid {}, since {}{}", operation, ::getpid(), time_mark,
                                   now_in_seconds().time_since_epoch().count());
  put_text(flock->fd(), holder);
  return VmFlock(std::move(*flock), std::move(holder));
}

void VmFlock::mark_abandoned() const {
  put_text(flock_.fd(), std::string(waiting_mark) + holder_);
}

void VmFlock::dissolve() && {
  Flock last = std::move(flock_);
  last.remove_file();
}

}  // namespace guard
