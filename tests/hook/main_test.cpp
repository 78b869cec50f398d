// Runs the hook program as libvirt does, on a host without a cluster.

#include <algorithm>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

#include "guard/system/unique_fd.hpp"
#include "tests/catch.hpp"
#include "tests/guard/temporary_directory.hpp"

namespace {

const std::string xml =
    "<domain type='kvm'><name>web</name><uuid>d0c3b7a4-1111-4222-8333-4444555566ff</uuid></domain>";

struct Outcome {
  int status;
  std::string out, err;
};

/// A host whose /dlm is a plain directory, with a temporary state directory.
class Host {
 public:
  Host() {
    std::filesystem::create_directory(directory_.path() / "dlm");
    configure("");
  }

  void configure(const std::string& more) {
    std::ofstream(configuration())
        << "paths.state = '" << state().string() << "'\n"
        << "dlmfs.mount = '" << (directory_.path() / "dlm").string() << "'\n"
        << more;
    std::filesystem::permissions(configuration(), std::filesystem::perms{0600});
  }

  Outcome run(std::vector<std::string> arguments, const std::string& input = xml,
              uid_t user = 0) const {
    std::ofstream(directory_.path() / "in") << input;
    pid_t child = ::fork();
    if (child == 0) become_hook(arguments, user);
    int status = 0;
    ::waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of("out"), text_of("err")};
  }

  std::string driver = "qemu";  ///< the name of the hook's file

  [[nodiscard]] std::filesystem::path state() const { return directory_.path() / "state"; }
  [[nodiscard]] std::filesystem::path configuration() const { return directory_.path() / "toml"; }

 private:
  [[noreturn]] void become_hook(std::vector<std::string>& arguments, uid_t user) const {
    auto redirect = [&](const char* file, int flags, int to) {
      ::dup2(::open((directory_.path() / file).c_str(), flags, 0600), to);
    };
    redirect("in", O_RDONLY, STDIN_FILENO);
    redirect("out", O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
    redirect("err", O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
    ::setenv("START_GUARD_CONFIG", configuration().c_str(), 1);
    int program = ::open(HOOK_PROGRAM, O_RDONLY);
    std::vector<char*> argv{const_cast<char*>(driver.c_str())};
    for (std::string& argument : arguments)
      argv.push_back(argument.data());
    argv.push_back(nullptr);
    if (user != 0 && ::setuid(user) != 0) ::_exit(126);
    ::fexecve(program, argv.data(), environ);
    ::_exit(127);
  }

  [[nodiscard]] std::string text_of(const char* file) const {
    std::ostringstream text;
    text << std::ifstream(directory_.path() / file).rdbuf();
    return text.str();
  }

  guard::TemporaryDirectory directory_;
};

void check_refused(const Outcome& outcome, const std::string& why) {
  CHECK(outcome.status == 1);
  CHECK(outcome.out.empty());
  CHECK(contains(outcome.err, why));
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
}

void check_passed(const Outcome& outcome) {
  CHECK(outcome.status == 0);
  CHECK(outcome.out.empty());
  CHECK(outcome.err.empty());
}

}  // namespace

TEST_CASE("a start is denied if the dlmfs mount is a plain directory") {
  Host host;
  auto outcome = host.run({"web", "prepare", "begin", "-"});
  check_refused(outcome, "is not dlmfs");
  CHECK(contains(outcome.err, "VM 'web'"));
}

TEST_CASE("a host without dlmfs denies starts but no other operation") {
  Host host;
  check_refused(host.run({"web", "start", "begin", "-"}), "is not dlmfs");
  for (const char* operation : {"started", "migrate", "reconnect", "stopped", "release", "restore",
                                "attach", "of-the-future"}) {
    CAPTURE(operation);
    check_passed(host.run({"web", operation, "begin", "-"}));
  }
}

TEST_CASE("an invalid configuration denies starts but no other operation") {
  Host host;
  host.configure("unknown = 1\n");
  check_refused(host.run({"web", "prepare", "begin", "-"}), "unknown");
  check_passed(host.run({"web", "started", "begin", "-"}));
  check_passed(host.run({"web", "reconnect", "begin", "-"}));
  check_passed(host.run({"web", "release", "end", "-"}));
}

TEST_CASE("a configuration that other users can write denies starts") {
  Host host;
  std::filesystem::permissions(host.configuration(), std::filesystem::perms{0666});
  check_refused(host.run({"web", "prepare", "begin", "-"}), host.configuration());
}

TEST_CASE("invalid XML denies starts but no other operation") {
  Host host;
  auto bad = GENERATE(as<std::string>{}, "", "<domain>", "\x01\x02", "<domain/>");
  check_refused(host.run({"web", "prepare", "begin", "-"}, bad), "domain XML on standard input");
  check_passed(host.run({"web", "reconnect", "begin", "-"}, bad));
  check_passed(host.run({"web", "stopped", "end", "-"}, bad));
  check_passed(host.run({"web", "release", "end", "-"}, bad));
}

TEST_CASE("a state directory that cannot be created denies starts but no other operation") {
  Host host;
  std::ofstream(host.state()) << "a file in its place";
  check_refused(host.run({"web", "prepare", "begin", "-"}), host.state());
  check_passed(host.run({"web", "release", "end", "-"}));
}

TEST_CASE("invalid arguments are an error but a release always succeeds") {
  Host host;
  check_refused(host.run({}), "0 arguments instead of four");
  check_refused(host.run({"web"}), "1 arguments instead of four");
  check_refused(host.run({"web", "prepare"}), "2 arguments instead of four");
  check_refused(host.run({"a\nb", "prepare", "begin", "-"}), "no VM such a name");
  check_passed(host.run({"web", "release"}));
  check_passed(host.run({"a\nb", "release", "end", "-"}));
}

TEST_CASE("any user can run --version but a VM of that name does not print the version") {
  Host host;
  constexpr uid_t nobody = 65534;
  auto asked = host.run({"--version"}, "", nobody);
  CHECK(asked.status == 0);
  CHECK(asked.out.starts_with("start-guard "));
  CHECK(asked.err.empty());
  CHECK_FALSE(std::filesystem::exists(host.state()));
  auto vm = host.run({"--version", "prepare", "begin", "-"});
  CHECK(vm.status == 1);
  CHECK(vm.out.empty());
}

TEST_CASE("the hook ignores a call by a user other than root") {
  Host host;
  constexpr uid_t nobody = 65534;
  check_passed(host.run({"web", "prepare", "begin", "-"}, xml, nobody));
  CHECK_FALSE(std::filesystem::exists(host.state()));
}

TEST_CASE("a denied start leaves only its counter and hook.called in the state directory") {
  Host host;
  REQUIRE(host.run({"web", "prepare", "begin", "-"}).status == 1);
  for (const char* note : {"count.denied", "hook.called"})
    CHECK(std::filesystem::remove(host.state() / note));
  CHECK(std::filesystem::is_empty(host.state()));
}

TEST_CASE("a call of another driver's hook does not prove that the QEMU driver's is loaded") {
  Host host;
  host.driver = "lxc";
  REQUIRE(host.run({"web", "prepare", "begin", "-"}).status == 1);
  CHECK_FALSE(std::filesystem::exists(host.state() / "hook.called"));
}

TEST_CASE("restore removes the announcement of an incoming migration") {
  Host host;
  check_passed(host.run({"web", "migrate", "begin", "-"}));
  auto announcement = host.state() / "d0c3b7a4-1111-4222-8333-4444555566ff.migrate";
  REQUIRE(std::filesystem::exists(announcement));
  check_passed(host.run({"web", "restore", "begin", "-"}));
  CHECK_FALSE(std::filesystem::exists(announcement));
}
