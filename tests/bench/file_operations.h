#pragma once

#include <stdint.h>

// The file operations of the hook, on dlmfs and on /run, and nothing else: what is left of it when
// everything that can be cut is cut. Each returns the nanoseconds it took, and ends the program
// when an operation fails.

/// Those of a granted prepare, for the VM of this UUID and lock name.
int64_t take_lock(const char* uuid, const char* name);
/// Those of the release that follows.
int64_t give_lock_back(const char* uuid, const char* name);

int64_t nanoseconds(void);
