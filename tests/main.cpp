// Resets what the program inherits (signal handlers, signal mask, closed standard streams) to the
// state in a terminal. So tests have the same result in the background, with nohup or without
// standard input.

#include <csignal>
#include <fcntl.h>
#include <unistd.h>

#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

int main(int argc, char* argv[]) {
  for (int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGALRM, SIGCHLD, SIGUSR1, SIGUSR2})
    std::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  int null = 0;
  do
    null = ::open("/dev/null", O_RDWR);
  while (null >= 0 && null <= STDERR_FILENO);
  ::close(null);
  return Catch::Session().run(argc, argv);
}
