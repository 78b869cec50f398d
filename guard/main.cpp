// The operator's command, and the service.

#include "guard/command/command_line.hpp"

int main(int argc, char* argv[]) {
  return guard::command::run(argc, argv);
}
