#pragma once

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <tl/expected.hpp>

namespace guard {

/// An error: an errno value (0 if none applies), and a text that names the failed operations,
/// outermost first: "joining domain vms: mkdir /dlm/vms: Invalid argument".
struct Error {
  int code = 0;
  std::string what;

  /// Returns the same error with the outer operation `doing` before the text.
  [[nodiscard]] Error in(const std::string& doing) && {
    return Error{code, doing + ": " + std::move(what)};
  }
};

/// A value or an Error. Usage:
///
///     Result<OpenLock> lock = mount.trylock(domain, name, Level::exclusive);
///     if (!lock) return fail(std::move(lock).error().in("acquiring the lock"));
template <typename T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
  return tl::make_unexpected(std::move(error));
}

/// Returns the error of a system call that has just failed: `what` and the text of errno.
[[nodiscard]] inline Error system_error(const std::string& what, int code = errno) {
  return Error{code, fmt::format("{}: {}", what, std::generic_category().message(code))};
}

}  // namespace guard
