#include "guard/state/event_counter.hpp"

#include "guard/log/system_log.hpp"

namespace guard {
namespace {

const char* file_of(EventCounter::Of what) {
  switch (what) {
    case EventCounter::Of::denied:
      return "count.denied";
    case EventCounter::Of::hand_overs:
      return "count.hand-overs";
    case EventCounter::Of::alarms:
      return "count.alarms";
    case EventCounter::Of::log_lines_lost:
      return SystemLog::lost_file;
  }
  return "";
}

}  // namespace

EventCounter::EventCounter(const StateDirectory& directory, Of what)
    : directory_(directory), file_(file_of(what)) {}

void EventCounter::add() const {
  directory_.append(file_, ".");
}

std::uint64_t EventCounter::count() const {
  auto found = directory_.stamp(file_);
  return found ? found->size : 0;
}

}  // namespace guard
