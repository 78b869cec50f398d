#include "guard/keeper/libvirt.hpp"

#include <cstdlib>
#include <set>
#include <string_view>
#include <thread>

#include <libvirt/virterror.h>

#include "conf/escape.hpp"
#include "guard/host/libvirt_daemons.hpp"

namespace guard {
namespace {

/// The daemon sends a message each 5 s too (keepalive_interval in libvirtd.conf), and each message
/// of one side delays the next one of the other. So with a longer interval, only the daemon sends.
constexpr int keepalive_interval = 7;  // seconds
constexpr unsigned keepalive_count = 2;

Error libvirt_error(const std::string& doing) {
  const virError* error = virGetLastError();
  return Error{
      error != nullptr ? error->code : 0,
      fmt::format("{}: {}", doing, conf::escape(virGetLastErrorMessage(), conf::any_length))};
}

/// The caller logs errors with their context. Without this, libvirt also writes them to stderr.
void say_nothing(void*, virErrorPtr) {}

/// Runs libvirt's event loop, which sends the keepalive messages. Without it, a daemon that hangs
/// is never detected.
void run_libvirts_loop() {
  for (;;) {
    if (virEventRunDefaultImpl() < 0) return;
  }
}

void initialise() {
  static std::once_flag once;
  std::call_once(once, [] {
    virSetErrorFunc(nullptr, say_nothing);
    if (virInitialize() == 0 && virEventRegisterDefaultImpl() == 0) {
      std::thread(run_libvirts_loop).detach();
    }
  });
}

struct Domain {
  explicit Domain(virDomainPtr domain) : owned(domain, virDomainFree) {}
  [[nodiscard]] virDomainPtr get() const { return owned.get(); }
  std::unique_ptr<virDomain, int (*)(virDomainPtr)> owned;
};

std::optional<Vm> vm_of(virDomainPtr domain) {
  char text[VIR_UUID_STRING_BUFLEN] = {};
  if (virDomainGetUUIDString(domain, text) != 0) return std::nullopt;
  auto uuid = dlmfs::Uuid::parse(text);
  if (!uuid) return std::nullopt;
  return Vm{virDomainGetName(domain), *uuid};
}

void on_lifecycle(virConnectPtr, virDomainPtr domain, int event, int, void* on_change) {
  if (event != VIR_DOMAIN_EVENT_STARTED && event != VIR_DOMAIN_EVENT_STOPPED) return;
  auto vm = vm_of(domain);
  if (!vm) return;
  (*static_cast<Libvirt::OnChange*>(on_change))(VmChange{*vm, event == VIR_DOMAIN_EVENT_STARTED});
}

void on_close(virConnectPtr, int, void* on_change) {
  (*static_cast<Libvirt::OnChange*>(on_change))(std::nullopt);
}

/// Returns the connection with its callbacks. A connection without events is as good, but the
/// keeper then finds a change only when it asks. libvirt owns the copy for the lifecycle callback,
/// which can still run after it is deregistered. The connection owns the other one: some of
/// libvirt's drivers accept a close callback and forget it (virConnectRegisterCloseCallback), and
/// none calls it after it is unregistered (virConnectCloseCallbackDataCall).
std::shared_ptr<virConnect> with_events(virConnectPtr connection,
                                        const Libvirt::OnChange& on_change) {
  auto* lifecycle = new Libvirt::OnChange(on_change);
  auto free = [](void* copy) { delete static_cast<Libvirt::OnChange*>(copy); };
  int number =
      virConnectDomainEventRegisterAny(connection, nullptr, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                       VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), lifecycle, free);
  if (number < 0) delete lifecycle;
  auto closing = std::make_shared<Libvirt::OnChange>(on_change);
  std::ignore = virConnectRegisterCloseCallback(connection, on_close, closing.get(), nullptr);
  return {connection, [number, closing](virConnectPtr closed) {
            if (number >= 0) virConnectDomainEventDeregisterAny(closed, number);
            virConnectUnregisterCloseCallback(closed, on_close);
            virConnectClose(closed);
          }};
}

Result<void> read_job(const Domain& domain, VmState& state) {
  int type = VIR_DOMAIN_JOB_NONE;
  virTypedParameterPtr parameters = nullptr;
  int count = 0;
  if (virDomainGetJobStats(domain.get(), &type, &parameters, &count, 0) < 0)
    return fail(libvirt_error("virDomainGetJobStats"));
  std::unique_ptr<virTypedParameter, std::function<void(virTypedParameterPtr)>> owned(
      parameters, [count](virTypedParameterPtr all) { virTypedParamsFree(all, count); });
  if (type == VIR_DOMAIN_JOB_NONE) return {};
  int operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
  unsigned long long elapsed = 0;
  virTypedParamsGetInt(parameters, count, VIR_DOMAIN_JOB_OPERATION, &operation);
  virTypedParamsGetULLong(parameters, count, VIR_DOMAIN_JOB_TIME_ELAPSED, &elapsed);
  state.job = operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT ? VmState::Job::outgoing_migration
                                                                  : VmState::Job::other;
  state.job_age = std::chrono::milliseconds(elapsed);
  return {};
}

/// Returns whether libvirt lists the VM only because its daemon was killed while it started the VM.
/// Queries libvirt first, because a VM is rarely in this state.
bool is_abandoned(virDomainPtr domain) {
  int state = VIR_DOMAIN_NOSTATE;
  int reason = 0;
  if (virDomainGetState(domain, &state, &reason, 0) < 0) return false;
  if (state != VIR_DOMAIN_PAUSED || reason != VIR_DOMAIN_PAUSED_STARTING_UP) return false;
  auto vm = vm_of(domain);
  return vm && start_abandoned(*vm);
}

}  // namespace

Libvirt::Libvirt(std::string uri) : uri_(std::move(uri)) {
  initialise();
}

Result<Libvirt::Connection> Libvirt::connection() {
  std::lock_guard lock(mutex_);
  if (connection_ && virConnectIsAlive(connection_.get()) == 1) return connection_;
  connection_.reset();
  virConnectPtr opened = virConnectOpenReadOnly(uri_.c_str());
  if (opened == nullptr) return fail(libvirt_error("connecting to " + uri_));
  connection_ = with_events(opened, on_change_);
  std::ignore = virConnectSetKeepAlive(opened, keepalive_interval, keepalive_count);
  return connection_;
}

void Libvirt::drop_if_broken(const Connection& connection) {
  if (virConnectIsAlive(connection.get()) == 1) return;
  std::lock_guard lock(mutex_);
  if (connection_ == connection) connection_.reset();
}

Result<VmState> Libvirt::state_of(const dlmfs::Uuid& uuid) {
  auto connected = connection();
  if (!connected) return fail(std::move(connected).error());
  Domain domain(virDomainLookupByUUIDString(connected->get(), uuid.text().c_str()));
  if (domain.get() == nullptr) {
    if (virGetLastErrorCode() == VIR_ERR_NO_DOMAIN) return VmState{};
    auto error = libvirt_error("looking for domain " + uuid.text());
    drop_if_broken(*connected);
    return fail(std::move(error));
  }
  int active = virDomainIsActive(domain.get());
  if (active < 0) {
    auto error = libvirt_error("virDomainIsActive");
    drop_if_broken(*connected);
    return fail(std::move(error));
  }
  VmState state{.active = active == 1 && !is_abandoned(domain.get())};
  if (!state.active) return state;
  if (auto read = read_job(domain, state); !read) {
    drop_if_broken(*connected);
    return fail(std::move(read).error());
  }
  return state;
}

Result<std::vector<Vm>> Libvirt::active() {
  auto vms = listed(VIR_CONNECT_LIST_DOMAINS_ACTIVE);
  if (!vms) return vms;
  std::set<dlmfs::Uuid> abandoned;
  auto seen = visit(VIR_CONNECT_LIST_DOMAINS_PAUSED, [&](virDomainPtr domain) {
    auto vm = vm_of(domain);
    if (vm && is_abandoned(domain)) abandoned.insert(vm->uuid);
  });
  if (!seen) return fail(std::move(seen).error());
  std::erase_if(*vms, [&](const Vm& vm) { return abandoned.contains(vm.uuid); });
  return vms;
}

Result<std::vector<Vm>> Libvirt::defined() {
  return listed(0);
}

Result<std::vector<Vm>> Libvirt::listed(unsigned flags) {
  std::vector<Vm> vms;
  auto seen = visit(flags, [&](virDomainPtr domain) {
    if (auto vm = vm_of(domain)) vms.push_back(std::move(*vm));
  });
  if (!seen) return fail(std::move(seen).error());
  return vms;
}

Result<std::vector<std::string>> Libvirt::active_xml() {
  std::vector<std::string> all;
  std::optional<Error> unknown;
  auto seen = visit(VIR_CONNECT_LIST_DOMAINS_ACTIVE, [&](virDomainPtr domain) {
    std::unique_ptr<char, void (*)(void*)> xml(virDomainGetXMLDesc(domain, 0), std::free);
    if (xml) {
      all.emplace_back(xml.get());
    } else if (virGetLastErrorCode() != VIR_ERR_NO_DOMAIN) {  // else the VM has just ended
      unknown = libvirt_error("virDomainGetXMLDesc");
    }
  });
  if (!seen) return fail(std::move(seen).error());
  if (unknown) return fail(std::move(*unknown));
  return all;
}

Result<void> Libvirt::visit(unsigned flags, const std::function<void(virDomainPtr)>& visitor) {
  auto connected = connection();
  if (!connected) return fail(std::move(connected).error());
  virDomainPtr* domains = nullptr;
  int count = virConnectListAllDomains(connected->get(), &domains, flags);
  if (count < 0) {
    auto error = libvirt_error("listing the domains");
    drop_if_broken(*connected);
    return fail(std::move(error));
  }
  for (int i = 0; i < count; ++i)
    visitor(Domain(domains[i]).get());
  std::free(domains);
  return {};
}

}  // namespace guard
