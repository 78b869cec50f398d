#include "tests/conformance/case.hpp"

#include <cstdlib>
#include <random>
#include <stdexcept>

namespace conformance {
namespace {

Connections connect() {
  const char* commands = std::getenv("START_GUARD_CONFORMANCE_HOSTS");
  return commands == nullptr ? connect_stand_in() : connect_agents(commands);
}

}  // namespace

const std::string domain = "conformance";

std::string new_name() {
  static std::random_device random;
  auto digits = [] { return random() & 0xffffU; };
  auto text = fmt::format("{:04x}{:04x}-{:04x}-{:04x}-{:04x}-{:04x}{:04x}{:04x}", digits(),
                          digits(), digits(), digits(), digits(), digits(), digits(), digits());
  return dlmfs::LockName(dlmfs::Uuid::parse(text).value()).text();
}

Cluster& Cluster::under_test() {
  static Cluster cluster;
  return cluster;
}

Cluster::Cluster() : connections_(connect()) {
  for (auto& connection : connections_.hosts) {
    hosts_.emplace_back(*connection, connections_.patience);
  }
  for (Host& host : hosts_) {
    if (int code = host.join(domain); code != 0) {
      throw std::system_error(code, std::generic_category(), "joining the tests' domain");
    }
  }
}

Cluster::~Cluster() {
  for (Host& host : hosts_)
    (void)host.leave(domain);
}

Case::Case() : mastered_elsewhere_(GENERATE(false, true)), lock(new_lock()) {}

Lock Case::new_lock(const std::string& name) {
  Lock made{domain, name};
  locks_.push_back(made);
  if (mastered_elsewhere_) {
    other.trylock(made, PR).open().close();
    if (other.unlink(made).code() != 0) throw std::runtime_error("the first unlink failed");
  }
  return made;
}

// A call that still sleeps is granted after every handle is closed, and then its host closes it.
// Until then an unlink may fail with EBUSY.
Case::~Case() {
  for (Host& host : hosts_)
    host.forget();
  for (const Lock& made : locks_) {
    for (Host& host : hosts_) {
      for (int attempts = 0; attempts < 50 && host.unlink(made).code() == EBUSY; ++attempts) {
      }
    }
  }
}

}  // namespace conformance
