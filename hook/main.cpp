// The program at /etc/libvirt/hooks/qemu. libvirt runs it at every turn of a VM's life and waits;
// only an exit status other than 0 stops what libvirt is about to do.

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "guard/reconnect.hpp"
#include "guard/release.hpp"
#include "guard/start.hpp"
#include "hook/call.hpp"
#include "hook/domain_xml.hpp"
#include "hook/exit_status.hpp"

namespace {

using guard::Verdict;
using guard::Vm;
using guard::World;

struct Operation {
  std::string_view name;
  Verdict (*rule)(const World&, const Vm&);
  bool starts_vm = false;  // what can't be understood is refused; elsewhere it is only logged
  bool ends_vm = false;    // goes by the VM's name where the XML does not help
};

constexpr std::array operations = {
    Operation{.name = "prepare", .rule = guard::prepare, .starts_vm = true},
    Operation{.name = "start", .rule = guard::start, .starts_vm = true},
    Operation{.name = "started", .rule = guard::started},
    Operation{.name = "migrate", .rule = guard::migrate},
    Operation{.name = "reconnect", .rule = guard::reconnect},
    Operation{.name = "stopped", .rule = guard::stopped, .ends_vm = true},
    Operation{.name = "release", .rule = guard::release, .ends_vm = true},
};
}
