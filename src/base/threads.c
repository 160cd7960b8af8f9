/* How many threads this process should use by default: cores it may run on, counted once each, and
 * the cgroups' quotas. */
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/pool.h"

/* The number of CPUs of the set that are the lowest of their core among the set: hyper-threads
 * count once. */
static int cores_of(const cpu_set_t *set)
{
    int cores = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, set)) continue;
        char path[96];
        int first = cpu, low, high;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
        FILE *f = fopen(path, "re");
        while (f && fscanf(f, "%d", &low) == 1) {
            high = low;
            if (fscanf(f, "-%d", &high) != 1) high = low;
            for (int c = low; c <= high && c < first; c++)
                if (c >= 0 && CPU_ISSET(c, set)) first = c;
            if (fgetc(f) != ',') break;
        }
        if (f) fclose(f);
        cores += first == cpu;
    }
    return cores;
}

/* Lowers *cpus to what one cgroup's quota allows, rounded up. */
static void least_quota(void *cpus, const char *root, const char *folder)
{
    char path[512];
    long long quota = 0, period = 0;
    int *least = cpus;
    snprintf(path, sizeof path, "%s/sys/fs/cgroup%s/cpu.max", root, folder);
    FILE *f = fopen(path, "re");
    if (!f) return;
    int n = fscanf(f, "%lld %lld", &quota, &period);
    fclose(f);
    if (n != 2 || quota <= 0 || period <= 0) return;
    long long here = (quota + period - 1) / period;
    if (here < *least) *least = (int)here;
}

int tern_quota_threads(const char *root, int cores)
{
    tern_cgroups(root, least_quota, &cores);
    return cores;
}

int tern_default_threads(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? cores_of(&set) : 0;
    if (cores < 1) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        cores = online > 0 ? (int)online : 1;
    }
    return tern_quota_threads("", cores);
}
