/* What may still be allocated: see available_memory.h. Reads /proc and /sys. */
#include "base/available_memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cgroup.h"

static const uint64_t NO_LIMIT = TERN_MEMORY_UNKNOWN;

/* The number behind key in a file of lines "key number ..."; key "": the number that the file
 * begins with. */
static bool read_number(const char *root, const char *path, const char *key, uint64_t *value)
{
    char full[512], line[256];
    bool found = false;
    size_t n = strlen(key);
    if ((size_t)snprintf(full, sizeof full, "%s%s", root, path) >= sizeof full) return false;
    FILE *f = fopen(full, "re");
    while (f && !found && fgets(line, sizeof line, f))
        found = !strncmp(line, key, n) && sscanf(line + n, "%" SCNu64, value) == 1;
    if (f) fclose(f);
    return found;
}

/* Lowers *most to that of one cgroup; "max", or no memory.max, is no limit. */
static void least_memory(void *memory, const char *root, const char *folder)
{
    char path[512];
    uint64_t most, used, droppable, *least = memory;
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", folder);
    if (!read_number(root, path, "", &most)) return;
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.current", folder);
    if (!read_number(root, path, "", &used)) used = 0;
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.stat", folder);
    if (read_number(root, path, "inactive_file ", &droppable)) used -= droppable < used ? droppable : used;
    uint64_t here = most > used ? most - used : 0;
    if (here < *least) *least = here;
}

static uint64_t cgroups_memory(const char *root)
{
    uint64_t memory = NO_LIMIT;
    tern_cgroups(root, least_memory, &memory);
    return memory;
}

static uint64_t address_space(const char *root)
{
    struct rlimit limit;
    uint64_t pages;
    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY) return NO_LIMIT;
    if (!read_number(root, "/proc/self/statm", "", &pages)) return NO_LIMIT;
    uint64_t used = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return limit.rlim_cur > used ? limit.rlim_cur - used : 0;
}

static uint64_t beside(uint64_t bytes, uint64_t weights)
{
    if (bytes == NO_LIMIT) return NO_LIMIT;
    if (bytes > weights) return bytes - weights;
    return 0;
}

tern_available_memory tern_available_memory_now(const char *root, size_t mapped_bytes)
{
    uint64_t kib;
    tern_available_memory memory = { NO_LIMIT, "the system" };
    if (read_number(root, "/proc/meminfo", "MemAvailable:", &kib))
        memory = (tern_available_memory){ beside(kib * 1024, mapped_bytes), "MemAvailable" };
    uint64_t cgroup = beside(cgroups_memory(root), mapped_bytes), address = address_space(root);
    if (cgroup < memory.bytes) memory = (tern_available_memory){ cgroup, "the cgroup's memory.max" };
    if (address < memory.bytes) memory = (tern_available_memory){ address, "RLIMIT_AS" };
    return memory;
}
