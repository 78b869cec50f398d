#include "guard/host/disk_io.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "guard/system/file.hpp"
#include "guard/system/parse_text.hpp"

namespace guard {
namespace {

/// Counts OFD locks. A key is the line of a lock from "OFDLCK" on.
using Locks = std::map<std::string, int, std::less<>>;

/// Returns the OFD locks in the text of /proc/locks or of an fdinfo file. There a lock is
/// "OFDLCK ADVISORY  READ -1 00:05:98 100 101"; in fdinfo it follows "lock:".
Locks ofd_locks_in(std::string_view text) {
  Locks locks;
  while (!text.empty()) {
    std::string_view line = take_until('\n', text);
    std::size_t start = line.find(": OFDLCK ");  // not "-> OFDLCK", which waits for a lock
    if (start != std::string_view::npos) ++locks[std::string(line.substr(start + 2))];
  }
  return locks;
}

/// Returns the fifth word of a lock, MAJOR:MINOR:INODE.
std::string_view file_of(std::string_view lock) {
  for (int word = 1; word < 5; ++word) {
    lock.remove_prefix(std::min(lock.size(), lock.find(' ')));
    lock.remove_prefix(std::min(lock.size(), lock.find_first_not_of(' ')));
  }
  return lock.substr(0, lock.find(' '));
}

Result<Locks> all_locks(const std::filesystem::path& proc, const FileIds& only) {
  auto text = read_file(proc / "locks");
  if (!text) return fail(std::move(text).error());
  Locks locks = ofd_locks_in(*text);
  std::erase_if(locks, [&](const auto& lock) {
    return !only.empty() && std::find(only.begin(), only.end(), file_of(lock.first)) == only.end();
  });
  return locks;
}

template <typename Visit>
bool visit_numbers(const std::filesystem::path& folder, Visit visit) {
  auto entries = list_directory(folder);
  if (!entries) return entries.error().code == ENOENT || entries.error().code == ESRCH;
  for (const std::string& name : *entries) {
    if (name[0] >= '0' && name[0] <= '9') visit(name);
  }
  return true;
}

struct Held {
  Locks locks;
  bool unreadable = false;  ///< the locks of some process could not be read
};

/// Returns the locks of one process and counts each once, because a duplicated descriptor has the
/// same locks as the original.
Held locks_of(const std::filesystem::path& process) {
  Held held;
  auto folder = process / "fdinfo";
  bool seen = visit_numbers(folder, [&](const std::string& fd) {
    auto text = read_file(folder / fd);
    if (!text && text.error().code != ENOENT && text.error().code != ESRCH) held.unreadable = true;
    if (!text) return;
    for (const auto& [lock, count] : ofd_locks_in(*text))
      held.locks[lock] = 1;
  });
  if (!seen) held.unreadable = true;
  return held;
}

Held locks_of_living(const std::filesystem::path& proc) {
  Held all;
  bool seen = visit_numbers(proc, [&](const std::string& pid) {
    Held held = locks_of(proc / pid);
    all.unreadable = all.unreadable || held.unreadable;
    for (const auto& [lock, count] : held.locks)
      all.locks[lock] += count;
  });
  if (!seen) all.unreadable = true;
  return all;
}

FileIds without_holder(const Locks& locks, const Locks& held) {
  std::set<std::string, std::less<>> files;
  for (const auto& [lock, count] : locks) {
    auto found = held.find(lock);
    if (found == held.end() || found->second < count) files.emplace(file_of(lock));
  }
  return {files.begin(), files.end()};
}

}  // namespace

FileIds locked_files(pid_t pid, const std::filesystem::path& proc) {
  std::set<std::string, std::less<>> files;
  for (const auto& [lock, count] : locks_of(proc / std::to_string(pid)).locks)
    files.emplace(file_of(lock));
  return {files.begin(), files.end()};
}

OrphanedIo find_orphaned_io(const FileIds& only, const std::filesystem::path& proc) {
  using State = OrphanedIo::State;
  // Short-lived locks could hide an orphaned one, so /proc/locks must not change meanwhile.
  constexpr int tries = 5;
  for (int i = 0; i < tries; ++i) {
    auto before = all_locks(proc, only);
    if (!before) return {State::cannot_tell, {}, before.error().what};
    Held held = before->empty() ? Held{} : locks_of_living(proc);
    auto after = all_locks(proc, only);
    if (!after) return {State::cannot_tell, {}, after.error().what};
    if (*before != *after) continue;
    FileIds files = without_holder(*before, held.locks);
    if (files.empty()) return {};
    if (!held.unreadable) return {State::in_flight, std::move(files)};
    return {State::cannot_tell, std::move(files),
            "a process's open files can't be read (see proc(5), fdinfo; it takes CAP_SYS_PTRACE)"};
  }
  return {State::cannot_tell, {}, "the file locks in /proc/locks change all the time"};
}

}  // namespace guard
