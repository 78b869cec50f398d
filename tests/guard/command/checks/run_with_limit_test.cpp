#include "guard/command/checks/run_with_limit.hpp"

#include <stdexcept>
#include <unistd.h>

#include "tests/catch.hpp"

using namespace guard::command;
using namespace std::chrono_literals;

TEST_CASE("checks that are done in time have found what they found") {
  auto findings = run_with_limit({{"vms"}, Health::warn, 10s}, [] {
    return Findings{{"vms", Health::fail, "one \xff", "remedy it"}};
  });
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].health == Health::fail);
  CHECK(findings[0].found.starts_with("one "));
  CHECK(findings[0].remedy == "remedy it");
}

TEST_CASE("checks that sleep are left behind, and each says so") {
  auto findings = run_with_limit({{"mount", "domains"}, Health::fail, 10ms}, []() -> Findings {
    for (;;)
      ::pause();
  });
  REQUIRE(findings.size() == 2);
  CHECK(findings[1].check == "domains");
  CHECK(findings[1].health == Health::fail);
  CHECK(findings[1].found == "not known: no answer within 0.0 s");
}

TEST_CASE("a check that breaks off has found nothing out") {
  auto findings = run_with_limit({{"vms"}, Health::warn, 10s},
                                 []() -> Findings { throw std::runtime_error("no luck"); });
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].found.find("no luck") != std::string::npos);
}
