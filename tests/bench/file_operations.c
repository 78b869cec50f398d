#include "file_operations.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char state[] = "/run/start-guard";

int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int must(int result, const char* doing) {
  if (result < 0) err(2, "%s", doing);
  return result;
}

static void write_text(int fd, const char* text) {
  must((int)pwrite(fd, text, strlen(text), 0), "write");
}

static void join(int dlm, const char* domain) {
  if (mkdirat(dlm, domain, 0755) != 0 && errno != EEXIST) err(2, "joining %s", domain);
}

static int trylock(int dlm, const char* domain, const char* name) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", domain, name);
  return must(openat(dlm, path, O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600), path);
}

static void drop(int dlm, const char* domain, const char* name) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", domain, name);
  must(unlinkat(dlm, path, 0), path);
}

static void write_lvb(int fd, const char* text) {
  char value[64] = {0};
  strncpy(value, text, sizeof value - 1);
  must((int)pwrite(fd, value, sizeof value, 0), "writing the LVB");
}

static void write_record(int run, const char* uuid) {
  char unfinished[64];
  snprintf(unfinished, sizeof unfinished, ".%s.new", uuid);
  int fd =
      must(openat(run, unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), unfinished);
  write_text(fd,
             "driver = 'qemu'\nhow = 'start'\nname = 'web'\nreleased = false\n"
             "since = 1763846400\nuuid = 'd0c3b7a4-1111-4222-8333-4444555566ff'\n");
  close(fd);
  must(renameat(run, unfinished, run, uuid), "renaming the record");
}

static int take_flock(int run, const char* uuid) {
  char file[64];
  snprintf(file, sizeof file, "%s.flock", uuid);
  int fd = must(openat(run, file, O_RDWR | O_CREAT | O_CLOEXEC, 0600), file);
  must(flock(fd, LOCK_EX | LOCK_NB), "flock");
  must(ftruncate(fd, 0), "ftruncate");
  write_text(fd, "prepare, pid 4321, since 2025-11-22 22:00:00 UTC");
  return fd;
}

static int open_directory(const char* path) {
  return must(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), path);
}

int64_t take_lock(const char* uuid, const char* name) {
  int64_t began = nanoseconds();
  int run = open_directory(state);
  int guard = take_flock(run, uuid);
  int dlm = open_directory("/dlm");
  join(dlm, "vms");
  join(dlm, "vms-bell");
  close(trylock(dlm, "vms", name));
  int bell = trylock(dlm, "vms-bell", name);
  write_lvb(bell, "1 running 1763846400 1763846400 node1");
  close(bell);
  write_record(run, uuid);
  close(dlm);
  close(guard);
  close(run);
  return nanoseconds() - began;
}

int64_t give_lock_back(const char* uuid, const char* name) {
  char file[64];
  snprintf(file, sizeof file, "%s.flock", uuid);
  int64_t began = nanoseconds();
  int run = open_directory(state);
  int guard = take_flock(run, uuid);
  write_record(run, uuid);  // marked as released
  int dlm = open_directory("/dlm");
  int bell = trylock(dlm, "vms-bell", name);
  write_lvb(bell, "");
  close(bell);
  drop(dlm, "vms-bell", name);
  drop(dlm, "vms", name);
  must(unlinkat(run, uuid, 0), "removing the record");
  must(unlinkat(run, file, 0), "removing the flock's file");
  close(dlm);
  close(guard);
  close(run);
  return nanoseconds() - began;
}
