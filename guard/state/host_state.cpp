#include "guard/state/host_state.hpp"

#include "guard/state/event_counter.hpp"
#include "guard/system/time_text.hpp"

namespace guard {
namespace {

void count(const StateDirectory& directory, const Event& event) {
  using Of = EventCounter::Of;
  if (event == events.denied) EventCounter(directory, Of::denied).add();
  if (event == events.hand_over) EventCounter(directory, Of::hand_overs).add();
  if (event.priority == LOG_CRIT) EventCounter(directory, Of::alarms).add();
}

}  // namespace

std::optional<Record> HostState::load_record(const Vm& vm) const {
  auto record = records().find(vm.uuid);
  if (record) return std::move(*record);
  log_event(events.record_unreadable, vm, {{"error", record.error().what}});
  return Record{vm, now_in_seconds(), Origin::start};
}

void HostState::write_record(const Record& record) const {
  if (auto written = records().write(record); !written) {
    log_event(events.record_not_written, record.vm, {{"error", written.error().what}});
  }
}

std::vector<Record> HostState::records_outside(const std::string& domain) const {
  std::vector<Record> outside;
  for (const dlmfs::Uuid& uuid : records().list().value_or(std::vector<dlmfs::Uuid>())) {
    auto record = records().find(uuid);
    if (!record || !*record || (*record)->domain.empty()) continue;
    if ((*record)->domain != domain) outside.push_back(std::move(**record));
  }
  return outside;
}

void HostState::log_event(const Event& event, std::initializer_list<LogField> fields) const {
  count(directory, event);
  log(event.priority, log_line(event, fields));
}

void HostState::log_event(const Event& event, const Vm& vm,
                          std::initializer_list<LogField> more) const {
  count(directory, event);
  std::string line = log_line(event, {{"vm", vm.name}, {"uuid", vm.uuid.text()}});
  log(event.priority, line + log_fields(more));
}

}  // namespace guard
