// Usage: stopwatch ROUNDS <STEPS
//
// Runs the steps one after the other, and repeats this ROUNDS times, so that other load on the
// machine affects all steps equally. A step is a line of words:
//
//     NAME STDIN PROGRAM ARGUMENT...    runs PROGRAM with the file STDIN as its standard input
//     NAME take UUID LOCK               the file operations of a granted prepare, in this process
//     NAME give-back UUID LOCK          those of the release
//
// For each step it prints the name, the exit status, and the nanoseconds from before fork() until
// after wait().

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file_operations.h"

enum { most_steps = 32, most_words = 16 };

struct Step {
  char* words[most_words];  // NULL after the last
};

static int read_steps(struct Step* steps) {
  int count = 0;
  char* line = NULL;
  size_t room = 0;
  while (count < most_steps && getline(&line, &room, stdin) > 0) {
    char* rest = strdup(line);
    int words = 0;
    for (char* word; words < most_words - 1 && (word = strsep(&rest, " \n")) && *word;) {
      steps[count].words[words++] = word;
    }
    if (words < 3) errx(2, "not a step: %s", line);
    ++count;
  }
  free(line);
  return count;
}

static void become(char** words, int null) {
  int input = open(words[1], O_RDONLY);
  if (input < 0) err(126, "%s", words[1]);
  dup2(input, STDIN_FILENO);
  close(input);
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
  execv(words[2], words + 2);
  _exit(127);
}

static int64_t run(char** words, int null, int* status) {
  int64_t began = nanoseconds();
  pid_t child = fork();
  if (child < 0) err(2, "fork");
  if (child == 0) become(words, null);
  if (waitpid(child, status, 0) != child) err(2, "waitpid");
  return nanoseconds() - began;
}

/// Waits for processes that a program left running, so that they do not affect the next
/// measurement.
static void wait_for_orphans(void) {
  while (wait(NULL) > 0)
    continue;
}

static int64_t do_step(char** words, int null, int* status) {
  if (strcmp(words[1], "take") == 0) return take_lock(words[2], words[3]);
  if (strcmp(words[1], "give-back") == 0) return give_lock_back(words[2], words[3]);
  return run(words, null, status);
}

int main(int argc, char** argv) {
  if (argc != 2) errx(2, "usage: stopwatch ROUNDS <STEPS");
  static struct Step steps[most_steps];
  int count = read_steps(steps);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  // The emulator translates code again at each new address. With random addresses, each start of a
  // dynamic program would be as slow as its first.
  personality(ADDR_NO_RANDOMIZE);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (int round = atoi(argv[1]); round > 0; --round) {
    for (int step = 0; step < count; ++step) {
      int status = 0;
      int64_t took = do_step(steps[step].words, null, &status);
      wait_for_orphans();
      printf("%s %d %lld\n", steps[step].words[0], WIFEXITED(status) ? WEXITSTATUS(status) : -1,
             (long long)took);
      fflush(stdout);
    }
  }
  return 0;
}
