// Runs on a real host and executes the commands of the conformance tests: one numbered command for
// each line of stdin. Replies with the commands' numbers go to stdout. See interpreter.hpp.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <mutex>
#include <sstream>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>

#include "dlmfs/kernel_mount.hpp"
#include "tests/conformance/interpreter.hpp"

namespace {

using conformance::Interpreter;
using conformance::Reply;

void answer(int number, Reply reply) {
  static std::mutex mutex;
  std::replace(reply.data.begin(), reply.data.end(), '\n', ' ');
  std::lock_guard guard(mutex);
  fmt::print("{} {} {}\n", number, reply.code, reply.data);
  std::fflush(stdout);
}

void run(Interpreter& interpreter, int number, const std::string& command) {
  try {
    answer(number, interpreter.run(number, command));
  } catch (const std::exception& error) {
    answer(number, Reply{EINVAL, command + ": " + error.what()});
  }
}

}  // namespace

int main(int argc, char* argv[]) {
  auto mount = dlmfs::KernelMount::open(argc > 1 ? argv[1] : "/dlm");
  if (!mount) {
    fmt::print(stderr, "dlmfs_agent: {}\n", mount.error().what);
    return 1;
  }
  Interpreter interpreter(*mount);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    int number = 0;
    std::string command;
    words >> number;
    std::getline(words, command);
    // Detached, because it may sleep for as long as another host keeps a lock.
    std::thread(run, std::ref(interpreter), number, command).detach();
  }
  ::_exit(0);  // returning would destroy what sleeping threads use
}
