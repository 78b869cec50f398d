#pragma once

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "guard/system/unique_fd.hpp"
#include "tests/catch.hpp"

/// A pipe between another process and a test. Both synchronise with it instead of sleeping.
struct Pipe {
  explicit Pipe(int flags = O_CLOEXEC) {
    int ends[2];
    REQUIRE(::pipe2(ends, flags) == 0);
    out = guard::UniqueFd(ends[0]);
    in = guard::UniqueFd(ends[1]);
  }
  void put(char byte = 'x') const { std::ignore = ::write(in.get(), &byte, 1); }
  /// Returns the next byte, or 0 at the end.
  [[nodiscard]] char next() const {
    char byte = 0;
    return ::read(out.get(), &byte, 1) == 1 ? byte : '\0';
  }
  guard::UniqueFd out, in;
};
