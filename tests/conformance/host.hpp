#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/conformance/connection.hpp"

namespace conformance {

using dlmfs::Level;
using dlmfs::Lvb;

constexpr Level PR = Level::protected_read;
constexpr Level EX = Level::exclusive;

/// Names a lock in the cluster.
struct Lock {
  std::string domain;
  std::string name;
};

class Host;

/// An open lock on a host. It stays open if this object is destroyed.
class Open {
 public:
  Open(Host& host, int handle) : host_(&host), handle_(handle) {}
  void close();
  [[nodiscard]] Lvb read_lvb();
  /// Returns errno, or 0 if the block was written.
  [[nodiscard]] int write_lvb(const Lvb& value);
  /// Waits for POLLIN: another host has queued a request.
  [[nodiscard]] bool told();
  /// Returns true if there is no POLLIN for some time.
  [[nodiscard]] bool undisturbed();

 private:
  [[nodiscard]] bool polls_in(std::chrono::milliseconds patience);
  Host* host_;
  int handle_;
};

/// A call that may still sleep.
class Asked {
 public:
  Asked(Host& host, int number) : host_(&host), number_(number) {}
  [[nodiscard]] bool sleeps();
  /// Waits for the call to return. Returns its errno, or 0 for success.
  [[nodiscard]] int code();
  [[nodiscard]] bool granted() { return code() == 0; }
  [[nodiscard]] bool denied() { return code() == ETXTBSY; }
  /// Returns the lock. Throws if it was not granted.
  [[nodiscard]] Open open();

 private:
  Host* host_;
  int number_;
};

/// One host of the cluster under test. A granted lock stays open until `Open::close` or `forget`.
class Host {
 public:
  Host(Connection& connection, InterruptibleWait patience)
      : connection_(connection), patience_(patience) {}

  [[nodiscard]] Asked trylock(const Lock& lock, Level level);
  [[nodiscard]] Asked queue(const Lock& lock, Level level);
  [[nodiscard]] Asked unlink(const Lock& lock);
  [[nodiscard]] bool exists(const Lock& lock);
  [[nodiscard]] int join(const std::string& domain);
  [[nodiscard]] int leave(const std::string& domain);
  [[nodiscard]] std::vector<std::string> list(const std::string& domain);
  /// Closes all handles, and closes sleeping opens when they are granted.
  void forget();

 private:
  friend class Asked;
  friend class Open;
  [[nodiscard]] Reply ask(const std::string& command);
  [[nodiscard]] Reply wait_for(int number);

  Connection& connection_;
  InterruptibleWait patience_;
};

}  // namespace conformance
