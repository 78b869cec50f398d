#include "guard/lock/denial.hpp"

#include "conf/escape.hpp"
#include "guard/system/time_text.hpp"

namespace guard {
namespace {

std::string duration_text(std::chrono::milliseconds duration) {
  if (duration.count() % 1000 != 0) return fmt::format("{} ms", duration.count());
  return fmt::format("{} s", duration.count() / 1000);
}

std::string held_by(const AcquireResult& result) {
  if (!result.holder) return "another host, which does not say its name, holds its lock";
  return fmt::format("host {} holds its lock since {}", result.holder->host,
                     time_text(result.holder->since));
}

/// Quotes the name in the form that bash, zsh and ksh understand: $'web\xc2\x9b'.
std::string with_shell_escapes(const std::string& name) {
  std::string word;
  for (char byte : name) {
    if (byte == '\'' || byte == '\\') word += '\\';
    word += byte;
  }
  word = conf::replace_unsafe(word, [](const conf::UnsafeCharacter& character) {
    std::string bytes;
    for (char byte : character.bytes)
      bytes += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    return bytes;
  });
  return "$'" + word + "'";
}

/// Returns the name as one word of a shell command.
std::string shell_word(const std::string& name) {
  constexpr std::string_view safe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:+@";
  if (name.find_first_not_of(safe) == std::string::npos) return name;
  if (conf::escape(name, conf::any_length) != name) return with_shell_escapes(name);
  std::string word = "'";
  for (char byte : name)
    word += byte == '\'' ? std::string("'\\''") : std::string(1, byte);
  return word + "'";
}

std::string denied_text(const Vm& vm, const AcquireResult& result) {
  if (!result.holder) {
    std::string cause = result.why.empty() ? "" : fmt::format(" ({})", result.why);
    return held_by(result) + cause +
           "; find it with `start-guard list` on each host, and stop the VM there";
  }
  return fmt::format(
      "{}; shut it down there (virsh -c {}+ssh://{}/system shutdown {}), or leave "
      "it running there",
      held_by(result), vm.driver == "libxl" ? "xen" : vm.driver, result.holder->host,
      shell_word(vm.name));
}

}  // namespace

std::string no_answer_text(std::chrono::milliseconds waited) {
  return fmt::format(
      "the cluster did not answer within {}; this can take two minutes after a host has died; "
      "otherwise see `dmesg` for o2net and o2dlm: try again in two minutes",
      duration_text(waited));
}

std::string unanswered_text() {
  return "not every host of the cluster has answered, so one may have just died: try again in two "
         "minutes; otherwise see `dmesg` for o2net and o2dlm";
}

std::string recovering_text() {
  return "the cluster is recovering the locks of a host that has died: try again in two minutes";
}

std::string silent_peer_text(const std::string& host, std::chrono::milliseconds silence) {
  return fmt::format(
      "host {} has not answered the cluster for {} s; if it has died, its locks are freed once the "
      "cluster has evicted it: try again in two minutes; otherwise see `dmesg` for o2net",
      host, std::chrono::duration_cast<std::chrono::seconds>(silence).count());
}

std::string denial(const std::string& vm_name, const std::string& denial_reason) {
  return fmt::format("start-guard: VM '{}' is not started: {}",
                     conf::escape(vm_name, conf::any_length), denial_reason);
}

std::string denial(const Vm& vm, const std::string& denial_reason) {
  return fmt::format("start-guard: VM '{}' ({}) is not started: {}",
                     conf::escape(vm.name, conf::any_length), vm.uuid.text(), denial_reason);
}

std::string last_run_text(const LastRun& last_run) {
  switch (last_run.kind) {
    case LastRun::Kind::qemu_alive:
      return fmt::format(
          "a QEMU of it still runs on this host as process {} (see `ps -fp {}`); it "
          "can start once that one has ended",
          last_run.qemu.pid, last_run.qemu.pid);
    case LastRun::Kind::qemu_unknown:
      return "this host can't tell whether a QEMU of it still runs here: " + last_run.why;
    case LastRun::Kind::io_in_flight:
      return last_run.why;
  }
  return "";
}

std::string denial_reason(const Vm& vm, const AcquireResult& result,
                          std::chrono::milliseconds waited) {
  switch (result.kind) {
    case AcquireResult::Kind::denied:
      return denied_text(vm, result);
    case AcquireResult::Kind::asking_holder:
      return fmt::format(
          "another host holds its lock and did not say its name within {}; if that host has died, "
          "its locks are freed once the cluster has evicted it: try again in two minutes",
          duration_text(waited));
    case AcquireResult::Kind::no_answer:
      return no_answer_text(waited);
    case AcquireResult::Kind::last_run:
      return last_run_text(*result.last_run);
    case AcquireResult::Kind::cluster_down:
      return "this host can't take cluster locks: " + result.why;
    case AcquireResult::Kind::failed:
    case AcquireResult::Kind::granted:
    case AcquireResult::Kind::keeper_needed:
    case AcquireResult::Kind::announced_before:
      break;
  }
  return "taking its lock failed: " + result.why;
}

std::string unlock_failure(const UnlockResult& result, std::chrono::milliseconds waited) {
  switch (result.kind) {
    case UnlockResult::Kind::no_answer:
      return no_answer_text(waited);
    case UnlockResult::Kind::last_run:
      return last_run_text(*result.last_run);
    case UnlockResult::Kind::cluster_down:
      return "this host can't take cluster locks: " + result.why;
    case UnlockResult::Kind::file_in_use:
    case UnlockResult::Kind::failed:
    case UnlockResult::Kind::unlocked:
      break;
  }
  return result.why;
}

std::string migration_denial_reason(const ClusterAccess& cluster, const Vm& vm,
                                    const AcquireResult& result, std::chrono::milliseconds waited) {
  constexpr std::string_view keeper_off =
      "start-guard.service does not run on {}, and without it no live migration gets the lock; "
      "start it there (systemctl start start-guard) and migrate again";
  if (result.kind == AcquireResult::Kind::keeper_needed) {
    return fmt::format(fmt::runtime(keeper_off), cluster.host_name);
  }
  if (result.kind == AcquireResult::Kind::announced_before) {
    return held_by(result) +
           ", and is migrating it, but not to here: libvirt announced the migration to here before "
           "that one began; migrate again";
  }
  if (result.kind != AcquireResult::Kind::denied || !result.holder) {
    return denial_reason(vm, result, waited);
  }
  switch (result.holder->state) {
    case Holder::State::no_migration:
      return held_by(result) +
             ", and libvirt there reports no outgoing migration of it; shut it down there, or "
             "migrate it from there";
    case Holder::State::still_migrating:
      return held_by(result) +
             ", and has already granted a hand-over for this migration; abort it and migrate again";
    case Holder::State::still_shared:
      return held_by(result) +
             ", and still shares it with another host for an earlier migration; try again in a few "
             "seconds";
    case Holder::State::libvirt_silent:
      return held_by(result) +
             ", and libvirt there did not report in time whether it migrates the VM; try again";
    case Holder::State::hand_over_failed:
      return held_by(result) +
             ", and its hand-over failed there: see the log of that host; try again";
    case Holder::State::blocked:
      return held_by(result) +
             fmt::format(
                 ", and a process on another host waits for the file of the lock itself, {}; "
                 "end that process and migrate again",
                 cluster.lock_file(vm));
    case Holder::State::running:
    case Holder::State::hand_over:
    case Holder::State::accepted:
    case Holder::State::runs_here_too:
      break;
  }
  return fmt::format("{}; {}", held_by(result),
                     fmt::format(fmt::runtime(keeper_off), result.holder->host));
}

std::string why_file_stays(const ClusterAccess& cluster, const Vm& vm, dlmfs::Removal removal) {
  auto file = cluster.lock_file(vm);
  switch (removal) {
    case dlmfs::Removal::waited_for:
      return fmt::format(
          "a process of this host waits for its file {}, and to remove that would hang this host; "
          "`grep -l user_dlm_cluster_lock /proc/[0-9]*/stack` names it, and it goes on when the "
          "host that holds the lock unlocks it",
          file);
    case dlmfs::Removal::cannot_tell:
      return fmt::format(
          "no debugfs tells whether a process of this host waits for its file {}, and to remove "
          "that would then hang this host; mount it (mount -t debugfs debugfs /sys/kernel/debug)",
          file);
    case dlmfs::Removal::open_here:
      return fmt::format("a process of this host has its file {0} open; `fuser -v {0}` names it",
                         file);
    case dlmfs::Removal::done:
      break;
  }
  return "";
}

std::string holder_name(const std::optional<Holder>& holder) {
  return holder ? holder->host : "unknown";
}

}  // namespace guard
