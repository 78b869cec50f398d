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

/// A lock, wherever it is asked for.
struct Lock {
  std::string domain;
  std::string name;
};

class Host;

/// A lock open on a host, whether this is kept or not.
class Open {
 public:
  Open(Host& host, int handle) : host_(&host), handle_(handle) {}
  void close();
  [[nodiscard]] Lvb read_lvb();
  /// errno, 0 if it was written.
  [[nodiscard]] int write_lvb(const Lvb& value);
  /// POLLIN: another host has queued a request. Waits for it.
  [[nodiscard]] bool told();
  /// No POLLIN for a while.
  [[nodiscard]] bool undisturbed();

 private:
  [[nodiscard]] bool polls_in(std::chrono::milliseconds patience);
  Host* host_;
  int handle_;
};

/// A call that may or may not have come back.
class Asked {
 public:
  Asked(Host& host, int number) : host_(&host), number_(number) {}
  [[nodiscard]] bool sleeps();
  /// What it came back with, which is waited for: errno, 0 for success.
  [[nodiscard]] int code();
  [[nodiscard]] bool granted() { return code() == 0; }
  [[nodiscard]] bool denied() { return code() == ETXTBSY; }
  /// The lock, which must have been granted.
  [[nodiscard]] Open open();

 private:
  Host* host_;
  int number_;
};

/// One host of the cluster under test. What it is granted stays open until `Open::close` or
/// `forget`.
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
  /// Closes everything, and what still sleeps once it is granted.
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
