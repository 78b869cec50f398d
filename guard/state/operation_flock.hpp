#pragma once

#include "guard/state/host_state.hpp"
#include "guard/state/vm_flock.hpp"

namespace guard {

/// A VM's flock, held during one operation in the same process. Removes its file at the end if the
/// VM has no record then.
class OperationFlock {
 public:
  /// Waits as VmFlock::acquire does. `operation`: for messages of those who wait for it.
  OperationFlock(const HostState& host, const dlmfs::Uuid& uuid, const std::string& operation,
                 const Deadline& deadline)
      : host_(host),
        uuid_(uuid),
        flock_(VmFlock::acquire(host.directory, uuid, operation, deadline)) {}
  ~OperationFlock() {
    if (flock_ && !host_.records().stamp(uuid_)) std::move(*flock_).dissolve();
  }
  OperationFlock(const OperationFlock&) = delete;
  OperationFlock& operator=(const OperationFlock&) = delete;

  explicit operator bool() const { return flock_.has_value(); }
  [[nodiscard]] const Error& error() const { return flock_.error(); }

 private:
  const HostState& host_;
  dlmfs::Uuid uuid_;
  Result<VmFlock> flock_;
};

}  // namespace guard
