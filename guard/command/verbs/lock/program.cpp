#include "guard/command/verbs/lock/program.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard/command/outcome.hpp"

namespace guard::command {
namespace {

[[noreturn]] void give_up(const std::string& what, int status) {
  std::fprintf(stderr, "start-guard: %s\n", what.c_str());
  ::_exit(status);
}

[[noreturn]] void become(const std::vector<std::string>& arguments,
                         const std::function<Result<void>()>& prepare) {
  if (auto prepared = prepare(); !prepared) {
    give_up(prepared.error().what, static_cast<int>(ExitStatus::unavailable));
  }
  std::vector<char*> words;
  words.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));  // execvp does not write to them
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  constexpr int not_found = 127;
  constexpr int not_runnable = 126;
  int status = errno == ENOENT ? not_found : not_runnable;
  give_up(system_error(arguments[0]).what, status);
}

}  // namespace

Result<Program> Program::start(const std::vector<std::string>& arguments,
                               const std::function<Result<void>()>& prepare) {
  std::signal(SIGCHLD, SIG_DFL);  // if inherited as ignored, waitpid returns no status
  pid_t pid = ::fork();
  if (pid < 0) return fail(system_error("fork"));
  if (pid == 0) become(arguments, prepare);
  Program program(pid, UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))));
  if (program.pidfd_) return program;
  auto error = system_error("pidfd_open");
  program.send(SIGKILL);
  std::ignore = program.wait();
  return fail(std::move(error));
}

void Program::send(int signal) const {
  ::kill(pid_, signal);
}

int Program::wait() const {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  constexpr int signal_base = 128;
  return WIFSIGNALED(status) ? signal_base + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace guard::command
