#include "hook/oom_score.hpp"

#include <fstream>

#include "tests/catch.hpp"
#include "tests/guard/temporary_directory.hpp"

TEST_CASE("refuse_oom_kill writes -1000 and creates no file") {
  guard::TemporaryDirectory directory;
  auto file = directory.path() / "oom_score_adj";
  hook::refuse_oom_kill(file.c_str());
  CHECK_FALSE(std::filesystem::exists(file));
  std::ofstream(file) << "";
  hook::refuse_oom_kill(file.c_str());
  int score = 0;
  std::ifstream(file) >> score;
  CHECK(score == -1000);
}
