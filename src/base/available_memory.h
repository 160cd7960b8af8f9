/* What this process may still allocate. Called by engines for their cache, by models for random
 * weights, by the program to say what fits. */
#ifndef TERN_BASE_AVAILABLE_MEMORY_H
#define TERN_BASE_AVAILABLE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define TERN_MEMORY_UNKNOWN UINT64_MAX

/* Bytes that can still be had beside the weights, and which limit says so. */
typedef struct tern_available_memory {
    uint64_t bytes;                /* TERN_MEMORY_UNKNOWN: nothing says, as without /proc */
    const char *limit;             /* "MemAvailable", "the cgroup's memory.max", "RLIMIT_AS" */
} tern_available_memory;

/* The least of the system's available memory, the cgroup's limit less its use (page cache that can
 * be dropped does not count as use), and the address space limit less its use. mapped_bytes of
 * weights lie in files: they will need memory that the first two call available, and have their
 * address space already. root is put before the paths of /proc and /sys: "" outside of tests. */
tern_available_memory tern_available_memory_now(const char *root, size_t mapped_bytes);

#endif
