#include "guard/lock/denial.hpp"

#include "conf/escape.hpp"
#include "guard/system/time_text.hpp"

namespace guard {
namespace {

std::string duration_text(std::chrono::milliseconds duration) {
  if (duration.count() % 1000 != 0) return fmt::format("{} ms", duration.count());
  return fmt::format("{} s", duration.count() / 1000);
}

std::string held_by(const Answer& answer) {
  if (!answer.holder) return "another host, which does not say its name, holds its lock";
  return fmt::format("host {} holds its lock since {}", answer.holder->host,
                     time_text(answer.holder->since));
}

/// In a form that bash, zsh and ksh understand: $'web\xc2\x9b'.
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

/// A name for a shell's command line.
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

std::string denied_text(const Vm& vm, const Answer& answer) {
  if (!answer.holder) {
    return held_by(answer) + "; find it with `ls /dlm/vms` on each host, and stop the VM there";
  }
  return fmt::format(
      "{}; shut it down there (virsh -c {}+ssh://{}/system shutdown {}), or leave "
      "it running there",
      held_by(answer), vm.driver == "libxl" ? "xen" : vm.driver, answer.holder->host,
      shell_word(vm.name));
}

std::string lock_file(const World& world, const Vm& vm) {
  const auto& dlmfs = world.settings.dlmfs;
  return (dlmfs.mount / dlmfs.domain / dlmfs::LockName(vm.uuid).text()).string();
}

}  // namespace

std::string denial(const std::string& vm_name, const std::string& denial_reason) {
  return fmt::format("start-guard: VM '{}' is not started: {}",
                     conf::escape(vm_name, conf::any_length), denial_reason);
}

std::string denial(const Vm& vm, const std::string& denial_reason) {
  return fmt::format("start-guard: VM '{}' ({}) is not started: {}",
                     conf::escape(vm.name, conf::any_length), vm.uuid.text(), denial_reason);
}

std::string denial_reason(const Vm& vm, const Answer& answer, std::chrono::milliseconds waited) {
  switch (answer.kind) {
    case Answer::Kind::denied:
      return denied_text(vm, answer);
    case Answer::Kind::asking:
      return fmt::format(
          "another host holds its lock and did not say its name within {}; if that host has died, "
          "its locks are freed once the cluster has evicted it: try again in two minutes",
          duration_text(waited));
    case Answer::Kind::no_answer:
      return fmt::format(
          "the cluster did not answer within {}; this can take two minutes after a host has died; "
          "otherwise see `dmesg` for o2net and o2dlm: try again in two minutes",
          duration_text(waited));
    case Answer::Kind::qemu_lives:
      return fmt::format(
          "a QEMU of it still runs on this host as process {} (see `ps -fp {}`); it "
          "can start once that one has ended",
          answer.qemu->pid, answer.qemu->pid);
    case Answer::Kind::qemu_not_seen:
      return "this host can't tell whether a QEMU of it still runs here: " + answer.why;
    case Answer::Kind::io_in_flight:
      return answer.why;
    case Answer::Kind::cluster_down:
      return "this host can't take cluster locks: " + answer.why;
    default:
      return "taking its lock failed: " + answer.why;
  }
}

std::string migration_denial_reason(const World& world, const Vm& vm, const Answer& answer) {
  constexpr std::string_view keeper_off =
      "start-guard.service does not run on {}, and without it no live migration gets the lock; "
      "start it there (systemctl start start-guard) and migrate again";
  if (answer.kind == Answer::Kind::not_kept_here) {
    return fmt::format(fmt::runtime(keeper_off), world.host);
  }
  if (answer.kind == Answer::Kind::announced_before) {
    return held_by(answer) +
           ", and is migrating it, but not to here: libvirt announced the migration to here before "
           "that one began; migrate again";
  }
  if (answer.kind != Answer::Kind::denied || !answer.holder) {
    return denial_reason(vm, answer, world.settings.guard.acquire_timeout);
  }
  switch (answer.holder->state) {
    case Holder::State::no_migration:
      return held_by(answer) +
             ", and libvirt there reports no outgoing migration of it; shut it down there, or "
             "migrate it from there";
    case Holder::State::still_migrating:
      return held_by(answer) +
             ", and has already granted a hand-over for this migration; abort it and migrate again";
    case Holder::State::still_shared:
      return held_by(answer) +
             ", and still shares it with another host for an earlier migration; try again in a few "
             "seconds";
    case Holder::State::libvirt_silent:
      return held_by(answer) +
             ", and libvirt there did not report in time whether it migrates the VM; try again";
    case Holder::State::blocked:
      return held_by(answer) +
             fmt::format(
                 ", and a process on another host waits for the file of the lock itself, {}; "
                 "end that process and migrate again",
                 lock_file(world, vm));
    default:
      return fmt::format("{}; {}", held_by(answer),
                         fmt::format(fmt::runtime(keeper_off), answer.holder->host));
  }
}

std::string why_file_stays(const World& world, const Vm& vm, dlmfs::Removal removal) {
  auto file = lock_file(world, vm);
  switch (removal) {
    case dlmfs::Removal::waited_for:
      return fmt::format(
          "a process of this host waits for its file {}, and to remove that would hang this host; "
          "`grep -l user_dlm_cluster_lock /proc/[0-9]*/stack` names it, and it goes on when the "
          "host that holds the lock gives it back",
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

std::string holder_name(const Answer& answer) {
  return answer.holder ? answer.holder->host : "unknown";
}

}  // namespace guard
