#include "guard/command/command_line.hpp"
#include "guard/command/verbs/lock/lock.hpp"
#include "tests/catch.hpp"

using guard::command::cut_command;
using guard::command::LockRequest;
using namespace std::chrono_literals;

namespace {

using Words = std::vector<const char*>;

LockRequest parsed(Words words) {
  CLI::App app;
  app.add_subcommand("keep");
  app.require_subcommand(1);
  words.insert(words.begin(), {"start-guard", "lock"});
  int count = static_cast<int>(words.size());
  LockRequest request{.command = cut_command(count, words.data(), "lock")};
  auto* verb = app.add_subcommand("lock");
  add_arguments(*verb, request);
  app.parse(count, words.data());
  REQUIRE(verb->parsed());
  return request;
}

std::string denial(const Words& words) {
  try {
    parsed(words);
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("a name and a command are sufficient") {
  LockRequest order = parsed({"master", "--", "make"});
  CHECK(order.name.text() == "master");
  CHECK(order.domain.text() == "locks");
  CHECK_FALSE(order.patience);
  CHECK(order.conflict_status == 1);
  CHECK(order.command == std::vector<std::string>{"make"});
}

TEST_CASE("the options have the meaning that they have in flock(1)") {
  CHECK(parsed({"-n", "a", "--", "x"}).patience == 0ms);
  CHECK(parsed({"--nonblock", "a", "--", "x"}).patience == 0ms);
  CHECK(parsed({"-w", "0", "a", "--", "x"}).patience == 0ms);
  CHECK(parsed({"-w", "1.5", "a", "--", "x"}).patience == 1500ms);
  CHECK(parsed({"--wait", "0.0001", "a", "--", "x"}).patience == 1ms);
  CHECK(parsed({"-E", "9", "a", "--", "x"}).conflict_status == 9);
  CHECK(parsed({"a", "-n", "--domain", "d", "--", "x"}).domain.text() == "d");
}

TEST_CASE("the command's arguments are passed unchanged") {
  std::vector<std::string> command{"grep", "-n", "[a-z]", "--", "", "{}", "lock", "keep", "a,b"};
  Words words{"a", "--"};
  for (const auto& word : command)
    words.push_back(word.c_str());
  CHECK(parsed(words).command == command);
}

TEST_CASE("a missing command or -- is an error before any other") {
  CHECK(contains(denial({"a"}), "no COMMAND"));
  CHECK(contains(denial({"a", "--"}), "no COMMAND"));
  CHECK(contains(denial({"a", "make", "all"}), "behind the NAME and \"--\""));
}

TEST_CASE("an invalid name or domain or time or status is an error") {
  CHECK(contains(denial({"--", "x"}), "NAME is required"));
  CHECK(contains(denial({"a/b", "--", "x"}), "'a/b' is no lock's name"));
  CHECK(contains(denial({"--domain", "a/b", "a", "--", "x"}), "'a/b' is no domain's name"));
  auto time = GENERATE("-1", "x", "", "1s", "nan", "inf", "1e10");
  CHECK(contains(denial({"-w", time, "a", "--", "x"}), "is no time in seconds"));
  auto status = GENERATE("-1", "256", "x");
  CHECK_FALSE(denial({"-E", status, "a", "--", "x"}) == "none");
}

TEST_CASE("two names and unknown options and -n with -w are errors") {
  CHECK(contains(denial({"a", "b", "--", "x"}), "b"));
  CHECK(contains(denial({"--shared", "a", "--", "x"}), "--shared"));
  CHECK(contains(denial({"-n", "-w", "1", "a", "--", "x"}), "excludes"));
}

TEST_CASE("the arguments of another verb are not changed") {
  Words line{"start-guard", "other", "--", "x"};
  int count = static_cast<int>(line.size());
  CHECK(cut_command(count, line.data(), "lock").empty());
  CHECK(count == 4);
}
