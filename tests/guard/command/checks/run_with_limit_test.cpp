#include "guard/command/checks/run_with_limit.hpp"

#include <stdexcept>
#include <unistd.h>

#include "tests/catch.hpp"

using namespace guard::command;
using namespace std::chrono_literals;

TEST_CASE("checks that end in time return their findings") {
  auto findings = run_with_limit({{"vms"}, Health::warn, 10s}, [] {
    return Findings{{"vms", Health::fail, "one \xff", "remedy it"}};
  });
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].health == Health::fail);
  CHECK(findings[0].found.starts_with("one "));
  CHECK(findings[0].remedy == "remedy it");
}

TEST_CASE("checks that do not end in time are abandoned and each is reported as unknown") {
  auto findings = run_with_limit({{"mount", "domains"}, Health::fail, 10ms}, []() -> Findings {
    for (;;)
      ::pause();
  });
  REQUIRE(findings.size() == 2);
  CHECK(findings[1].check == "domains");
  CHECK(findings[1].health == Health::fail);
  CHECK(findings[1].found == "not known: no answer within 0.0 s");
}

TEST_CASE("a check that throws is reported with the exception's text") {
  auto findings = run_with_limit({{"vms"}, Health::warn, 10s},
                                 []() -> Findings { throw std::runtime_error("no luck"); });
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].found.find("no luck") != std::string::npos);
}
