#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "guard/log/log_line.hpp"
#include "guard/state/record.hpp"
#include "guard/state/state_directory.hpp"

namespace guard {

/// The state directory of this host and its log.
struct HostState {
  StateDirectory directory;
  Log log;

  [[nodiscard]] Records records() const { return Records(directory); }

  /// Returns the VM's record, or nullopt if there is none. If the record can't be read, logs the
  /// error and returns a record that says only that this host acquired the lock.
  [[nodiscard]] std::optional<Record> load_record(const Vm& vm) const;

  /// Writes a record. Only logs an error, so do not call this where a start depends on the record.
  void write_record(const Record& record) const;

  /// Returns the records of VMs whose locks are in another DLM domain than `domain`.
  [[nodiscard]] std::vector<Record> records_outside(const std::string& domain) const;

  /// Logs an event, and counts it if `start-guard metrics` prints a count of it.
  void log_event(const Event& event, std::initializer_list<LogField> fields = {}) const;
  /// Logs and counts an event of a VM. The VM's name and UUID are the first fields.
  void log_event(const Event& event, const Vm& vm, std::initializer_list<LogField> more = {}) const;
};

}  // namespace guard
