#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <syslog.h>
#include <utility>

#include "guard/log/events.hpp"

namespace guard {

using LogField = std::pair<std::string_view, std::string>;

/// One event, one line: `event=granted vm="web 1" uuid=…`. Values with anything but plain
/// characters are quoted, and what is unprintable (conf/printable.hpp) is escaped: a VM's name
/// can't forge a line.
[[nodiscard]] std::string log_line(const Event& event, std::initializer_list<LogField> fields);
/// Further fields for such a line, with a space before each.
[[nodiscard]] std::string log_fields(std::initializer_list<LogField> fields);

/// Where lines go, SystemLog above all; the priority is syslog(3)'s.
using Log = std::function<void(int priority, const std::string& line)>;

}  // namespace guard
