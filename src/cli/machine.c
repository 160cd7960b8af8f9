/* Asks the system about this machine: see machine.h. */
#include "cli/machine.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/available_memory.h"

double cli_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double cli_free_memory(void)
{
    uint64_t bytes = tern_available_memory_now("", 0).bytes;
    return bytes == TERN_MEMORY_UNKNOWN ? -1 : (double)bytes;
}

const char *cli_cpu_name(char *buffer, size_t size)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(buffer, size, "unknown CPU");
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, "model name", 10)) continue;
        colon[strcspn(colon, "\n")] = 0;
        snprintf(buffer, size, "%s", colon + 2);
        break;
    }
    if (file) fclose(file);
    return buffer;
}
