/* What may still be allocated: the least of what a system states in its files, in figures worked
 * out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/available_memory.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "root.h"

typedef struct system_row {
    const char *meminfo, *cgroup, *max, *current, *stat;    /* of /a/b; null: no such file */
    const char *outer_max;                                  /* of /a */
    size_t weights;                                         /* mapped */
    uint64_t bytes;
    const char *limit, *why;
} system_row;

#define MEMINFO "MemTotal:       2000 kB\nMemFree:         100 kB\nMemAvailable:   1000 kB\n"
#define MINE "0::/a/b\n"

static const system_row systems[] = {
    { MEMINFO, NULL, NULL, NULL, NULL, NULL, 0, 1024000, "MemAvailable", "no cgroup" },
    { MEMINFO, MINE, "max\n", "5\n", "", NULL, 0, 1024000, "MemAvailable", "a cgroup without a limit" },
    { MEMINFO, MINE, "500000\n", "100000\n", "", NULL, 0, 400000, "the cgroup's memory.max",
      "a limit less what is used" },
    { MEMINFO, MINE, "500000\n", "100000\n", "anon 5\nfile 70000\ninactive_file 30000\n", NULL, 0, 430000,
      "the cgroup's memory.max", "cache that can go is no use" },
    { MEMINFO, MINE, "500000\n", "600000\n", "", NULL, 0, 0, "the cgroup's memory.max", "more is used than allowed" },
    { MEMINFO, MINE, "900000\n", "0\n", "", "300000\n", 0, 300000, "the cgroup's memory.max",
      "the limit of the group around it" },
    { MEMINFO, "1:name=systemd:/a/b\n" MINE, "700\n", "0\n", "", NULL, 0, 700, "the cgroup's memory.max",
      "version 2 beside version 1" },
    { MEMINFO, NULL, NULL, NULL, NULL, NULL, 24000, 1000000, "MemAvailable", "weights in the file need memory" },
    { MEMINFO, MINE, "500000\n", "100000\n", "", NULL, 150000, 250000, "the cgroup's memory.max", "in a cgroup too" },
    { MEMINFO, MINE, "500000\n", "100000\n", "", NULL, 450000, 0, "the cgroup's memory.max",
      "weights that do not fit" },
    { NULL, NULL, NULL, NULL, NULL, NULL, 5, TERN_MEMORY_UNKNOWN, "the system", "a system that says nothing" },
};

static void available_memory_is_the_least_of_all_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
        const system_row *r = &systems[i];
        char root[] = ROOT_PATH;
        root_make(root);
        root_put(root, "/proc/meminfo", r->meminfo);
        root_put(root, "/proc/self/cgroup", r->cgroup);
        root_put(root, "/sys/fs/cgroup/a/b/memory.max", r->max);
        root_put(root, "/sys/fs/cgroup/a/b/memory.current", r->current);
        root_put(root, "/sys/fs/cgroup/a/b/memory.stat", r->stat);
        root_put(root, "/sys/fs/cgroup/a/memory.max", r->outer_max);
        tern_available_memory memory = tern_available_memory_now(root, r->weights);
        root_remove(root);
        if (memory.bytes != r->bytes || strcmp(memory.limit, r->limit))
            fail_msg("%s: %llu by %s", r->why, (unsigned long long)memory.bytes, memory.limit);
    }
}

/* In a process of its own, whose address space may grow by 100 MB. Sanitizers need more than that,
 * so nothing is allocated under the limit. */
static void an_address_space_limit_counts(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        unsigned long long pages = 0;
        FILE *f = fopen("/proc/self/statm", "r");
        bool read = f && fscanf(f, "%llu", &pages) == 1;
        rlim_t limit = pages * (rlim_t)sysconf(_SC_PAGESIZE) + 100000000;
        bool set = read && !setrlimit(RLIMIT_AS, &(struct rlimit){ limit, limit });
        /* mapped weights have their addresses already */
        tern_available_memory memory = tern_available_memory_now("", 50000000);
        _exit(set && !strcmp(memory.limit, "RLIMIT_AS") && memory.bytes <= 100000000 && memory.bytes > 90000000
                  ? 0 : 1);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
}

static void this_system_states_its_memory(void **state)
{
    (void)state;
    tern_available_memory memory = tern_available_memory_now("", 0);
    assert_true(memory.bytes > 1 << 20);
    assert_true(memory.bytes < (uint64_t)1 << 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(available_memory_is_the_least_of_all_limits),
        cmocka_unit_test(an_address_space_limit_counts),
        cmocka_unit_test(this_system_states_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
