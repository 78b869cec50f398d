#include "guard/command/output/table.hpp"

#include "tests/catch.hpp"

using namespace guard::command;

namespace {

const std::vector<std::string> heading{"VM", "UUID", "LEVEL"};

}  // namespace

TEST_CASE("a column is as wide as its longest cell") {
  CHECK(table(heading, {{{"web", "d0c3", "EX"}}, {{"a-longer-name", "1", "PR"}}}, {}) ==
        "VM             UUID  LEVEL\n"
        "web            d0c3  EX\n"
        "a-longer-name  1     PR\n");
}

TEST_CASE("an anomaly has its own line") {
  CHECK(table(heading, {{{"web", "d0c3", "EX"}, {"not kept"}}}, {}) ==
        "VM   UUID  LEVEL\n"
        "web  d0c3  EX\n"
        "  not kept\n");
}

TEST_CASE("no line is longer than the terminal's width") {
  int width = GENERATE(30, 40, 60);
  auto text = table(heading,
                    {{{"a-very-long-name-of-a-vm-that-somebody-gave",
                       "d0c3b7a4-1111-4222-8333-4444555566ff", "EX"},
                      {"a remark in many words that fills more than a line of the terminal"}}},
                    {width});
  for (std::size_t start = 0; start < text.size();) {
    std::size_t end = text.find('\n', start);
    CHECK(end - start <= static_cast<std::size_t>(width));
    start = end + 1;
  }
  CHECK(text.find('~') != std::string::npos);
}

TEST_CASE("rows are coloured only on request") {
  std::vector<Row> rows{{{"web", "d0c3", "EX"}, {"not kept"}, true}};
  CHECK(table(heading, rows, {80, true}).find("\x1b[31m") != std::string::npos);
  CHECK(table(heading, rows, {80, false}).find('\x1b') == std::string::npos);
}
