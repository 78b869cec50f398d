#pragma once

#include <functional>
#include <memory>
#include <string>

#include "guard/system/deadline.hpp"
#include "guard/system/result.hpp"

namespace guard {

/// Work that may sleep uninterruptibly in the kernel, for example calls into dlmfs. It runs in a
/// child process. The parent abandons the child at a deadline.
class AbandonableCall {
 public:
  using Send = std::function<void(const std::string& message)>;
  virtual ~AbandonableCall() = default;

  /// Does the work and sends messages about it to the parent. Runs in the child.
  virtual void run(const Send& send) = 0;

  /// Cleans up after `run` if the parent did not accept the result: the parent was killed,
  /// abandoned the call, or rejected the result.
  virtual void clean_up() = 0;
};

/// A call in progress. If it is destroyed before `accept`, the child cleans up. The destructor
/// waits for that for up to half a second, unless the call was abandoned. The child of an abandoned
/// call cleans up when its work is done.
class PendingCall {
 public:
  virtual ~PendingCall() = default;
  /// Returns the next message from the child. Blocks until `deadline`. ETIMEDOUT: no message came
  /// until the deadline, and the call is abandoned. EPIPE: the child was killed. Any other error:
  /// the child could not be forked.
  [[nodiscard]] virtual Result<std::string> receive(const Deadline& deadline) = 0;
  [[nodiscard]] virtual bool abandoned() const = 0;
  virtual void accept() = 0;
};

/// Starts calls. Tests inject a runner that makes each call in the same process.
class CallRunner {
 public:
  virtual ~CallRunner() = default;
  /// Starts `call`, which must outlive the returned object.
  [[nodiscard]] virtual std::unique_ptr<PendingCall> start(AbandonableCall& call) = 0;
};

/// Forks a child for each call. The child has its own process group, so ^C in an operator's shell
/// does not kill it. Its standard streams are redirected to /dev/null, because libvirt reads a
/// hook's streams until they are closed. It inherits all other descriptors, including the VM's
/// flock.
class ForkingCallRunner final : public CallRunner {
 public:
  [[nodiscard]] std::unique_ptr<PendingCall> start(AbandonableCall& call) override;
};

}  // namespace guard
