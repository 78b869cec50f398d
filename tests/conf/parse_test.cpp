#include "conf/parse.hpp"

#include <chrono>
#include <string>
#include <vector>

#include "conf/escape.hpp"
#include "tests/catch.hpp"

using namespace std::chrono_literals;

namespace {

conf::Settings parsed(const std::string& text) {
  auto settings = conf::parse(text, "f");
  INFO((settings ? "" : settings.error().what));
  REQUIRE(settings);
  return *settings;
}

std::string error(const std::string& text) {
  auto settings = conf::parse(text, "f");
  REQUIRE_FALSE(settings);
  return settings.error().what;
}

bool begins(const std::string& text, const std::string& with) {
  return text.rfind(with, 0) == 0;
}

bool is_one_printable_line(const std::string& text) {
  return conf::escape(text, conf::any_length) == text;
}

constexpr const char* path_form = "expected an absolute path in quotes without control characters";
constexpr const char* domain_form =
    "expected a name in quotes of 1 to 58 bytes without '/', leading '.' or control characters";
constexpr const char* duration_form =
    "expected a duration up to 1h, an integer with its unit (ms, s, m, h) in quotes such as "
    "\"10s\"";
constexpr const char* timeout_form =
    "expected a duration from 100ms to 1h, an integer with its unit (ms, s, m, h) in quotes such "
    "as \"10s\"";
constexpr const char* exempt_form =
    "expected an array of VM UUIDs, names or globs, each non-empty, in quotes and without control "
    "characters";
constexpr const char* uri_form = "expected a libvirt URI in quotes such as \"qemu:///system\"";

}  // namespace

TEST_CASE("an empty text means the defaults") {
  CHECK(parsed("") == conf::Settings{});
}

TEST_CASE("empty tables mean the defaults") {
  CHECK(parsed("[dlmfs]\n[guard]\n[keeper]\n[paths]\n") == conf::Settings{});
}

TEST_CASE("every key is read") {
  auto settings = parsed(R"(
[dlmfs]
mount = "/locks"
domain = "prod"
[guard]
acquire_timeout = "100ms"
migrate_window = "2m"
on_cluster_down = "allow"
on_reconnect_conflict = "kill"
require_global_heartbeat = false
exempt = ["scratch-*", "web1"]
[keeper]
reconcile_interval = "1h"
libvirt_uri = "test:///default"
[paths]
state = "/tmp/state"
)");
  CHECK(settings.dlmfs.mount == "/locks");
  CHECK(settings.dlmfs.domain == "prod");
  CHECK(settings.guard.acquire_timeout == 100ms);
  CHECK(settings.guard.migrate_window == 2min);
  CHECK(settings.guard.on_cluster_down == conf::OnClusterDown::allow);
  CHECK(settings.guard.on_reconnect_conflict == conf::OnReconnectConflict::kill);
  CHECK_FALSE(settings.guard.require_global_heartbeat);
  CHECK(settings.guard.exempt == std::vector<std::string>{"scratch-*", "web1"});
  CHECK(settings.keeper.reconcile_interval == 1h);
  CHECK(settings.keeper.libvirt_uri == "test:///default");
  CHECK(settings.paths.state == "/tmp/state");
}

TEST_CASE("a missing key keeps its default") {
  auto settings = parsed("[guard]\nmigrate_window = \"1s\"\n");
  CHECK(settings.guard.acquire_timeout == 10s);
  CHECK(settings.dlmfs.domain == "vms");
}

TEST_CASE("the other TOML notations of a table are read") {
  auto text = GENERATE(as<std::string>{}, "dlmfs.domain = 'prod'", "dlmfs = { domain = 'prod' }",
                       "[ dlmfs ]\ndomain = 'prod' # why");
  CHECK(parsed(text).dlmfs.domain == "prod");
}

TEST_CASE("lines may end in CRLF") {
  CHECK(parsed("[dlmfs]\r\ndomain = \"prod\"\r\n").dlmfs.domain == "prod");
}

TEST_CASE("a byte order mark is skipped") {
  CHECK(parsed("\xef\xbb\xbf[dlmfs]\ndomain = \"prod\"\n").dlmfs.domain == "prod");
}

TEST_CASE("a syntax error is reported with its line and column") {
  auto message = error("[dlmfs]\nmount /dlm\n");
  CHECK(begins(message, "f:2:7: syntax error: "));
  CHECK(message.find("; expected TOML") != std::string::npos);
}

TEST_CASE("a syntax error is one printable line for any file content") {
  auto text = GENERATE(as<std::string>{}, "a = \"\x1b[2J\"", "a = \"\nb\"", "\x01", "\xff\xfe",
                       "a = \"\xc3\x28\"", "[\x7f]", "a = '\r'", "\x89PNG\r\n\x1a\n", "a\tb",
                       std::string("a = \"\0\"", 7), "[guard]\n\xe2\x80\xa8 = 1");
  auto message = error(text);
  INFO(message);
  CHECK(begins(message, "f:"));
  CHECK(is_one_printable_line(message));
}

// Each of these once made the parser abort or caused undefined behaviour.
TEST_CASE("text that toml++ asserts to be impossible is a syntax error") {
  auto text = GENERATE(as<std::string>{}, "[[=", "[[[a]]]", "[\x7f]", "\xc3\xa4 = 1", "a \xc3\xa4",
                       "a = \xc3\xa4", "a\xd2\x8e = 1", "\xe3\x81\x82 = 1", "\xef\xbb\xb7 = 1");
  CHECK(begins(error(text), "f:1:"));
}

TEST_CASE("strings and comments can contain any language") {
  auto text = GENERATE(as<std::string>{}, "\xc3\xa4", "\xd2\x8e", "\xe3\x81\x82", "\xef\xbb\xb7");
  auto settings = parsed("# " + text + "\n[guard]\nexempt = ['" + text + "']");
  CHECK(settings.guard.exempt == std::vector<std::string>{text});
}

TEST_CASE("a truncated character is a syntax error") {
  auto text = GENERATE(as<std::string>{}, "\xef", "\xef\xbb", "# \xef\xbb");
  CHECK(begins(error(text), "f:1:"));
}

TEST_CASE("a key given twice is an error") {
  CHECK(begins(error("[dlmfs]\ndomain = 'a'\ndomain = 'b'\n"), "f:3:"));
}

TEST_CASE("an unknown table is reported with the known ones") {
  CHECK(error("\n[gard]\nexempt = []\n") ==
        "f:2:2: unknown table gard; expected the tables dlmfs, guard, keeper, paths");
}

TEST_CASE("an unknown key is reported with the known ones of its table") {
  CHECK(error("[guard]\n  aquire_timeout = \"10s\"\n") ==
        "f:2:3: unknown key aquire_timeout in [guard]; expected acquire_timeout, migrate_window, "
        "on_cluster_down, on_reconnect_conflict, require_global_heartbeat, exempt");
}

TEST_CASE("a key of another table is unknown") {
  CHECK(error("[guard]\nmount = '/dlm'\n[dlmfs]\n") ==
        "f:2:1: unknown key mount in [guard]; expected acquire_timeout, migrate_window, "
        "on_cluster_down, on_reconnect_conflict, require_global_heartbeat, exempt");
  CHECK(error("[dlmfs]\nstate = '/run'\n") ==
        "f:2:1: unknown key state in [dlmfs]; expected mount, domain");
  CHECK(error("[keeper]\nstate = '/run'\n") ==
        "f:2:1: unknown key state in [keeper]; expected reconcile_interval, libvirt_uri");
  CHECK(error("[paths]\nmount = '/run'\n") ==
        "f:2:1: unknown key mount in [paths]; expected state");
}

TEST_CASE("a table inside a table is an unknown key") {
  CHECK(begins(error("[guard.exempted]\n"), "f:1:8: unknown key exempted in [guard]; expected "));
}

TEST_CASE("a key outside every table is an error") {
  CHECK(error("mount = \"/dlm\"\n") ==
        "f:1:1: the key mount is in no table; expected the tables dlmfs, guard, keeper, paths");
}

TEST_CASE("a value in place of a table is an error") {
  auto text = GENERATE(as<std::string>{}, "guard = true", "guard = []");
  CHECK(error(text) ==
        "f:1:1: guard is not a table; expected the tables dlmfs, guard, keeper, paths");
}

TEST_CASE("an array of tables in place of a table is an error") {
  CHECK(error("[[guard]]\nexempt = []\n") ==
        "f:1:3: guard is not a table; expected the tables dlmfs, guard, keeper, paths");
}

TEST_CASE("the first of several errors is reported") {
  CHECK(begins(error("[keeper]\nb = 1\na = 1\n[guard]\nc = 1\n"), "f:2:1: "));
}

TEST_CASE("names from the file are escaped in an error") {
  CHECK(begins(error("\"a\\n\\u001b[2J\\u00e4\" = 1"), "f:1:1: the key a\\n\\x1b[2J\u00e4 is"));
  CHECK(begins(error("[\"a\\u0000\"]"), "f:1:2: unknown table a\\x00;"));
  CHECK(begins(error("[guard]\n\"a\\rb\" = 1"), "f:2:1: unknown key a\\x0db in [guard];"));
}

TEST_CASE("values from the file are escaped and shortened in an error") {
  CHECK(begins(error("[dlmfs]\nmount = \"a\\n\\u001b\\u0085\""),
               "f:2:9: mount cannot be \"a\\n\\x1b\\u0085\"; expected"));
  CHECK(begins(error("[dlmfs]\nmount = \"" + std::string(1000, 'a') + "\""),
               "f:2:9: mount cannot be \"" + std::string(80, 'a') + "...\"; expected"));
}

TEST_CASE("the file's name is escaped in an error") {
  CHECK(begins(conf::parse("x = 1", "a\nb").error().what, "a\\nb:1:1: "));
}

TEST_CASE("a value of a wrong type is reported with its position and type and the expected type") {
  CHECK(error("[guard]\nacquire_timeout = 10\n") ==
        std::string("f:2:19: acquire_timeout cannot be the number 10; ") + timeout_form);
  CHECK(error("[guard]\nmigrate_window = 1.5\n") ==
        std::string("f:2:18: migrate_window cannot be a number with a fraction; ") + duration_form);
  CHECK(error("[guard]\nrequire_global_heartbeat = \"true\"\n") ==
        "f:2:28: require_global_heartbeat cannot be \"true\"; expected true or false");
  CHECK(error("[guard]\nrequire_global_heartbeat = 1\n") ==
        "f:2:28: require_global_heartbeat cannot be the number 1; expected true or false");
  CHECK(error("[guard]\non_cluster_down = false\n") ==
        "f:2:19: on_cluster_down cannot be false; expected \"deny\" or \"allow\"");
  CHECK(error("[guard]\nexempt = \"scratch-*\"\n") ==
        std::string("f:2:10: exempt cannot be \"scratch-*\"; ") + exempt_form);
  CHECK(error("[dlmfs]\nmount = ['/dlm']\n") ==
        std::string("f:2:9: mount cannot be an array; ") + path_form);
  CHECK(error("[dlmfs]\ndomain = { a = 1 }\n") ==
        std::string("f:2:10: domain cannot be a table; ") + domain_form);
  CHECK(error("[keeper]\nlibvirt_uri = 2024-01-01\n") ==
        std::string("f:2:15: libvirt_uri cannot be a date or time; ") + uri_form);
  CHECK(error("[keeper]\nreconcile_interval = true\n") ==
        std::string("f:2:22: reconcile_interval cannot be true; ") + duration_form);
}

TEST_CASE("acquire_timeout is at least 100 ms") {
  auto value = GENERATE(as<std::string>{}, "", "99ms", "0s", "10", "10x", "-1s", "61m");
  CHECK(error("[guard]\nacquire_timeout = \"" + value + "\"\n") ==
        "f:2:19: acquire_timeout cannot be \"" + value + "\"; " + timeout_form);
}

TEST_CASE("the other durations are greater than zero") {
  CHECK(error("[guard]\nmigrate_window = \"0ms\"\n") ==
        std::string("f:2:18: migrate_window cannot be \"0ms\"; ") + duration_form);
  CHECK(error("[keeper]\nreconcile_interval = \"0h\"\n") ==
        std::string("f:2:22: reconcile_interval cannot be \"0h\"; ") + duration_form);
  CHECK(parsed("[guard]\nmigrate_window = \"1ms\"\n").guard.migrate_window == 1ms);
}

TEST_CASE("a choice is exactly one of its words") {
  auto value = GENERATE(as<std::string>{}, "", "Deny", "allow ", "keep");
  CHECK(error("[guard]\non_cluster_down = \"" + value + "\"\n") ==
        "f:2:19: on_cluster_down cannot be \"" + value + "\"; expected \"deny\" or \"allow\"");
  CHECK(error("[guard]\non_reconnect_conflict = \"deny\"\n") ==
        "f:2:25: on_reconnect_conflict cannot be \"deny\"; expected \"keep\" or \"kill\"");
}

TEST_CASE("the default of a choice can be set explicitly") {
  auto settings = parsed("[guard]\non_cluster_down = 'deny'\non_reconnect_conflict = 'keep'\n");
  CHECK(settings == conf::Settings{});
}

TEST_CASE("a path is absolute") {
  auto value = GENERATE(as<std::string>{}, "", "dlm", "./dlm", "~/dlm");
  CHECK(error("[dlmfs]\nmount = '" + value + "'\n") ==
        "f:2:9: mount cannot be \"" + value + "\"; " + path_form);
  CHECK(error("[paths]\nstate = '" + value + "'\n") ==
        "f:2:9: state cannot be \"" + value + "\"; " + path_form);
}

TEST_CASE("a path has no control characters including NUL") {
  CHECK(error("[paths]\nstate = \"/run\\u0000x\"\n") ==
        std::string("f:2:9: state cannot be \"/run\\x00x\"; ") + path_form);
}

TEST_CASE("a domain's name is at most 58 bytes so that the bell domain's name fits") {
  std::string longest(58, 'd');
  CHECK(parsed("[dlmfs]\ndomain = '" + longest + "'\n").dlmfs.domain == longest);
  CHECK(error("[dlmfs]\ndomain = '" + longest + "d'\n") ==
        "f:2:10: domain cannot be \"" + longest + "d\"; " + domain_form);
}

TEST_CASE("a domain's name is one directory name that ls shows") {
  auto value = GENERATE(as<std::string>{}, "", ".", "..", ".vms", "a/b", "/");
  CHECK(error("[dlmfs]\ndomain = '" + value + "'\n") ==
        "f:2:10: domain cannot be \"" + value + "\"; " + domain_form);
}

TEST_CASE("a domain's name has no control characters") {
  CHECK(error("[dlmfs]\ndomain = \"a\\nb\"\n") ==
        std::string("f:2:10: domain cannot be \"a\\nb\"; ") + domain_form);
}

TEST_CASE("a libvirt URI is not empty") {
  CHECK(error("[keeper]\nlibvirt_uri = ''\n") ==
        std::string("f:2:15: libvirt_uri cannot be \"\"; ") + uri_form);
}

TEST_CASE("an invalid array element is reported with its position") {
  CHECK(error("[guard]\nexempt = [\n  'a',\n  '',\n]\n") ==
        std::string("f:4:3: exempt cannot hold \"\"; ") + exempt_form);
  CHECK(error("[guard]\nexempt = ['a', 7]\n") ==
        std::string("f:2:16: exempt cannot hold the number 7; ") + exempt_form);
  CHECK(error("[guard]\nexempt = [\"a\\u0000b\"]\n") ==
        std::string("f:2:11: exempt cannot hold \"a\\x00b\"; ") + exempt_form);
}
