#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "guard/log/events.hpp"

namespace guard {

using LogField = std::pair<std::string_view, std::string>;

/// Returns the line of an event: `event=granted vm="web 1" uuid=…`. Quotes a value that is empty or
/// has other than plain characters, and escapes its unsafe characters (conf/escape.hpp), so a VM's
/// name can't forge a line.
[[nodiscard]] std::string log_line(const Event& event, std::initializer_list<LogField> fields);
/// Returns more fields for such a line, each with a space before it.
[[nodiscard]] std::string log_fields(std::initializer_list<LogField> fields);

/// Receives log lines, for example a SystemLog. The priority is that of syslog(3).
using Log = std::function<void(int priority, const std::string& line)>;

}  // namespace guard
