#include "guard/command/verbs/lock/back_off.hpp"

#include <vector>

#include "tests/catch.hpp"

using guard::command::BackOff;

namespace {

std::vector<long> pauses(BackOff back_off) {
  std::vector<long> all;
  for (int i = 0; i < 7; ++i)
    all.push_back(back_off.next().count());
  return all;
}

}  // namespace

TEST_CASE("the pause between two attempts doubles from 50 ms up to 1 s") {
  CHECK(pauses(BackOff([] { return 1.0; })) ==
        std::vector<long>{50, 100, 200, 400, 800, 1000, 1000});
}

TEST_CASE("a random factor shortens a pause by at most half") {
  CHECK(pauses(BackOff([] { return 0.0; })) == std::vector<long>{25, 50, 100, 200, 400, 500, 500});
}

TEST_CASE("two back-offs have different pauses") {
  CHECK(pauses(BackOff()) != pauses(BackOff()));
}
