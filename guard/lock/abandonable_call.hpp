#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "guard/host/qemu_process.hpp"
#include "guard/lock/bell.hpp"
#include "guard/system/deadline.hpp"

namespace guard {

/// What an errand into the cluster came back with.
struct Answer {
  enum class Kind {
    granted,           ///< the lock is this host's; `why`: what is wrong with its bell, if anything
    asking,            ///< denied, and the holder is being asked for its name
    denied,            ///< another host holds the lock: `holder`, if it says
    not_kept_here,     ///< for a hand-over this host's own keeper must run
    announced_before,  ///< of `holder`'s hand-over: that migration began after the announcement
    qemu_lives,        ///< `qemu`: a QEMU of this VM runs on this host
    qemu_not_seen,     ///< whether one runs here can't be seen, which counts as that it does: `why`
    io_in_flight,      ///< `why`: I/O of the VM's ended QEMU may still reach a disk
    cluster_down,      ///< no lock taken here would exclude other hosts: `why`
    unlocked,          ///< the lock is this host's no more
    busy,              ///< the lock stays: a process of this host has it open
    failed,            ///< `why`
    no_answer,         ///< still under way at the deadline
  };
  Kind kind = Kind::no_answer;
  std::string why = {};
  std::optional<Holder> holder = std::nullopt;
  std::optional<Process> qemu = std::nullopt;
  bool shared = false;  ///< granted by a hand-over, from `holder`
  bool kept = false;    ///< the keeper has what was granted
};

/// Calls into dlmfs that may sleep, unkillable, for as long as the cluster likes. They are made in
/// a child process, which its hook leaves behind when the time is up.
class AbandonableCall {
 public:
  using Tell = std::function<void(const Answer&)>;
  virtual ~AbandonableCall() = default;

  /// The calls. `interim` passes up what is known already, for the case that the rest takes long.
  [[nodiscard]] virtual Answer run(const Tell& interim) = 0;

  /// Called after `run` if nobody took over what it came by: the hook had gone, or did not want it.
  virtual void clean_up(const Answer& answer) = 0;
};

/// An errand under way. When it goes out of scope before `take_over` the errand cleans up after
/// itself, now or whenever the cluster lets it.
class PendingCall {
 public:
  virtual ~PendingCall() = default;
  /// The errand's answer. At the deadline: the interim one if there was any, else `no_answer`; then
  /// `left_behind` is true.
  [[nodiscard]] virtual Answer answer(const Deadline& deadline) = 0;
  [[nodiscard]] virtual bool left_behind() const = 0;
  virtual void take_over() = 0;
};

/// Sends errands. The real one forks; the tests' stand-in runs them in place.
class CallRunner {
 public:
  virtual ~CallRunner() = default;
  /// `errand` must outlive what is returned.
  [[nodiscard]] virtual std::unique_ptr<PendingCall> send(AbandonableCall& errand) = 0;
};

/// The child has none of libvirt's stdio, since libvirt waits for EOF on it; it inherits what is
/// open, the VM's flock above all.
class ForkingCallRunner final : public CallRunner {
 public:
  [[nodiscard]] std::unique_ptr<PendingCall> send(AbandonableCall& errand) override;
};

}  // namespace guard
