#include "guard/command/checks/report.hpp"

#include "tests/catch.hpp"

using namespace guard::command;

namespace {

const Findings some{{"kernel", Health::ok, "Linux 6.1", ""},
                    {"mount", Health::fail, "not mounted", "mount it"},
                    {"domains", Health::warn, "not joined", "join"}};

}  // namespace

TEST_CASE("each finding is one line with its remedy below") {
  CHECK(as_text(some, {}) ==
        "ok    kernel   Linux 6.1\n"
        "FAIL  mount    not mounted\n"
        "               mount it\n"
        "warn  domains  not joined\n"
        "               join\n");
}

TEST_CASE("findings are coloured only on request") {
  auto text = as_text(some, {.width = 80, .colour = true});
  CHECK(text.find("\x1b[31mFAIL  \x1b[0mmount") != std::string::npos);
  CHECK(as_text(some, {.width = 80}).find('\x1b') == std::string::npos);
}

TEST_CASE("the findings are available as JSON") {
  CHECK(to_json(some).dump() ==
        R"([{"check":"kernel","state":"ok","found":"Linux 6.1","remedy":null},)"
        R"({"check":"mount","state":"fail","found":"not mounted","remedy":"mount it"},)"
        R"({"check":"domains","state":"warn","found":"not joined","remedy":"join"}])");
}

TEST_CASE("findings read from JSON equal the written ones") {
  auto back = findings_from_json(to_text(to_json(some)));
  REQUIRE(back);
  CHECK(as_text(*back, {}) == as_text(some, {}));
  CHECK_FALSE(findings_from_json("killed"));
  CHECK_FALSE(findings_from_json(""));
}

TEST_CASE("the overall health is the worst finding") {
  CHECK(worst(some) == Health::fail);
  CHECK(worst({some[0], some[2]}) == Health::warn);
  CHECK(worst({some[0]}) == Health::ok);
}
