#include <cctype>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "conf/parse.hpp"
#include "tests/catch.hpp"

namespace {

std::string shipped() {
  std::ifstream file(SHIPPED_FILE);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A commented-out key has its '#' directly before its name. A text comment has a space after its
// '#'.
bool is_commented_key(const std::string& line) {
  return line.size() > 1 && line[0] == '#' && std::islower(static_cast<unsigned char>(line[1]));
}

std::string uncommented(const std::string& text) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    result += (is_commented_key(line) ? line.substr(1) : line) + "\n";
  }
  return result;
}

// Returns the known keys of a table, from the message about an unknown key.
std::vector<std::string> known_keys(const std::string& table) {
  std::string message = conf::parse("[" + table + "]\nno_such_key = 1", "f").error().what;
  std::istringstream list(message.substr(message.find("expected ") + 9));
  std::vector<std::string> keys;
  for (std::string key; list >> key;)
    keys.push_back(key.substr(0, key.find(',')));
  return keys;
}

}  // namespace

TEST_CASE("the shipped file exists and means the defaults") {
  REQUIRE_FALSE(shipped().empty());
  auto settings = conf::parse(shipped(), "start-guard.toml");
  REQUIRE(settings);
  CHECK(*settings == conf::Settings{});
}

TEST_CASE("the shipped file with every key uncommented means the defaults") {
  auto text = uncommented(shipped());
  REQUIRE(text != shipped());
  auto settings = conf::parse(text, "start-guard.toml");
  INFO((settings ? "" : settings.error().what));
  REQUIRE(settings);
  CHECK(*settings == conf::Settings{});
}

TEST_CASE("the shipped file contains every key under its table") {
  auto table = GENERATE(as<std::string>{}, "dlmfs", "guard", "keeper", "paths");
  auto text = shipped();
  auto begin = text.find("[" + table + "]\n");
  REQUIRE(begin != std::string::npos);
  auto section = text.substr(begin, text.find("\n[", begin) - begin);
  REQUIRE_FALSE(known_keys(table).empty());
  for (const auto& key : known_keys(table)) {
    INFO(key);
    CHECK(section.find("\n#" + key + " = ") != std::string::npos);
  }
}
