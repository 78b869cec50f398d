#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include <libvirt/libvirt.h>

#include "guard/keeper/hypervisor.hpp"

namespace guard {

/// libvirt, over a read-only connection, so the keeper cannot change a VM. Connects at the first
/// call, and again after the connection is broken. The connection breaks when libvirt's daemon does
/// not answer three keepalive messages, sent every 5 s (virConnectSetKeepAlive). Any thread may
/// call it.
class Libvirt final : public Hypervisor {
 public:
  explicit Libvirt(std::string uri);

  [[nodiscard]] Result<VmState> state_of(const dlmfs::Uuid& uuid) override;
  [[nodiscard]] Result<std::vector<Vm>> active() override;
  [[nodiscard]] Result<std::vector<Vm>> defined() override;

 private:
  using Connection = std::shared_ptr<virConnect>;
  [[nodiscard]] Result<Connection> connection();
  [[nodiscard]] Result<std::vector<Vm>> listed(unsigned flags);
  void drop_if_broken(const Connection& connection);

  std::string uri_;
  std::mutex mutex_;
  Connection connection_;
};

}  // namespace guard
