/* Asks the system about this machine: see machine.h. */
#include "cli/machine.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double cli_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The number behind key in a file of the system, or -1. key null: the file's only word; "max" there is -1, too. */
static double number_in(const char *path, const char *key)
{
    char line[256];
    double value = -1;
    FILE *file = fopen(path, "re");
    while (file && value < 0 && fgets(line, sizeof line, file)) {
        size_t n = key ? strlen(key) : 0;
        if ((!n || !strncmp(line, key, n)) && sscanf(line + n, "%lf", &value) != 1) value = -1;
    }
    if (file) fclose(file);
    return value;
}

double cli_free_memory(void)
{
    double available = number_in("/proc/meminfo", "MemAvailable:") * 1024;
    double limit = number_in("/sys/fs/cgroup/memory.max", NULL), used = number_in("/sys/fs/cgroup/memory.current", NULL);
    if (available < 0) available = (double)sysconf(_SC_AVPHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (limit > 0 && used >= 0 && limit - used < available) available = limit > used ? limit - used : 0;
    return available;
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
