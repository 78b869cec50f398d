#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <libvirt/libvirt.h>

#include "guard/keeper/hypervisor.hpp"

namespace guard {

/// libvirt, over a read-only connection, so the keeper cannot change a VM. Connects at the first
/// call, and again after the connection is broken. The connection breaks when libvirt's daemon has
/// been silent for 21 s (virConnectSetKeepAlive). Any thread may call it.
class Libvirt final : public Hypervisor {
 public:
  /// Called in a thread of libvirt, which must not be delayed, when a VM has started or ended, and
  /// with nullopt when the connection has broken.
  using OnChange = std::function<void(const std::optional<VmChange>&)>;

  explicit Libvirt(std::string uri);
  /// Sets the function to call. Call this before the first query.
  void report_to(OnChange on_change) { on_change_ = std::move(on_change); }

  [[nodiscard]] Result<VmState> state_of(const dlmfs::Uuid& uuid) override;
  [[nodiscard]] Result<std::vector<Vm>> active() override;
  [[nodiscard]] Result<std::vector<Vm>> defined() override;
  /// Returns the XML of all VMs that are active on this host, as `virsh dumpxml` prints it.
  [[nodiscard]] Result<std::vector<std::string>> active_xml();

 private:
  using Connection = std::shared_ptr<virConnect>;
  [[nodiscard]] Result<Connection> connection();
  [[nodiscard]] Result<std::vector<Vm>> listed(unsigned flags);
  /// Calls `visitor` for each domain that virConnectListAllDomains lists with these flags.
  [[nodiscard]] Result<void> visit(unsigned flags,
                                   const std::function<void(virDomainPtr)>& visitor);
  void drop_if_broken(const Connection& connection);

  std::string uri_;
  OnChange on_change_ = [](const auto&) {};
  std::mutex mutex_;
  Connection connection_;
};

}  // namespace guard
