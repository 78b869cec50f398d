#pragma once

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "guard/system/unique_fd.hpp"
#include "tests/catch.hpp"

/// A pipe by which another process and a test tell each other something, without either waiting
/// for time to pass.
struct Pipe {
  explicit Pipe(int flags = O_CLOEXEC) {
    int ends[2];
    REQUIRE(::pipe2(ends, flags) == 0);
    out = guard::UniqueFd(ends[0]);
    in = guard::UniqueFd(ends[1]);
  }
  void put(char byte = 'x') const { std::ignore = ::write(in.get(), &byte, 1); }
  /// The next byte; 0 at the end.
  [[nodiscard]] char next() const {
    char byte = 0;
    return ::read(out.get(), &byte, 1) == 1 ? byte : '\0';
  }
  guard::UniqueFd out, in;
};
