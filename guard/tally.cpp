#include "guard/tally.hpp"

#include "guard/system_log.hpp"

namespace guard {
namespace {

const char* file_of(Tally::Of what) {
  switch (what) {
    case Tally::Of::denied:
      return "count.denied";
    case Tally::Of::hand_overs:
      return "count.hand-overs";
    case Tally::Of::alarms:
      return "count.alarms";
    case Tally::Of::log_lines_lost:
      return SystemLog::lost_file;
  }
  return "";
}

}  // namespace

Tally::Tally(const StateDirectory& directory, Of what)
    : directory_(directory), file_(file_of(what)) {}

void Tally::add() const {
  directory_.append(file_, ".");
}

std::uint64_t Tally::count() const {
  auto found = directory_.stamp(file_);
  return found ? found->size : 0;
}

}  // namespace guard
