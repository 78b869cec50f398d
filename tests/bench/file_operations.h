#pragma once

#include <stdint.h>

// The file operations of the hook on dlmfs and on /run, and nothing else: the least time that the
// hook can take. Each function returns its duration in nanoseconds. It ends the program if an
// operation fails.

/// Does the operations of a granted prepare for the VM with this UUID and lock name.
int64_t take_lock(const char* uuid, const char* name);
/// Does the operations of the release that follows.
int64_t give_lock_back(const char* uuid, const char* name);

int64_t nanoseconds(void);
