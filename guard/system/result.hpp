#pragma once

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <tl/expected.hpp>

namespace guard {

/// What went wrong: an errno value (0 where none applies) and a sentence that says what was tried
/// on what, outermost first: "joining domain vms: mkdir /dlm/vms: Invalid argument".
struct Error {
  int code = 0;
  std::string what;

  /// The same error, seen from one level further up.
  [[nodiscard]] Error in(const std::string& doing) && {
    return Error{code, doing + ": " + std::move(what)};
  }
};

/// A value or an Error. Its use:
///
///     Result<OpenLock> lock = mount.trylock(domain, name, Level::exclusive);
///     if (!lock) return fail(std::move(lock).error().in("taking the lock"));
template <typename T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
  return tl::make_unexpected(std::move(error));
}

/// An error of a system call that has just failed: `what` and the text of errno.
[[nodiscard]] inline Error system_error(const std::string& what, int code = errno) {
  return Error{code, fmt::format("{}: {}", what, std::generic_category().message(code))};
}

}  // namespace guard
