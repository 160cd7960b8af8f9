/* Threads and cores: what a thread's clock says, that moving one leaves its set of CPUs as it was,
 * jobs beside a process that takes a core, and how many threads a cgroup's quota allows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/core.h"
#include "base/pool.h"
#include "root.h"

typedef struct other {
    _Atomic pid_t id;
    _Atomic bool stop, busy;
    pthread_t thread;
} other;

static void *other_main(void *arg)
{
    other *o = arg;
    atomic_store(&o->id, tern_thread_id());
    while (!atomic_load(&o->stop))
        if (!atomic_load(&o->busy)) usleep(1000);
    return NULL;
}

static void start(other *o, bool busy)
{
    *o = (other){ .busy = busy };
    assert_int_equal(pthread_create(&o->thread, NULL, other_main, o), 0);
    while (!atomic_load(&o->id)) usleep(100);
}

static void end(other *o)
{
    atomic_store(&o->stop, true);
    pthread_join(o->thread, NULL);
}

static void the_clock_of_a_thread_stands_still_while_it_does(void **state)
{
    (void)state;
    other o;
    start(&o, false);
    int64_t slept = tern_thread_ran_ns(o.id);
    usleep(50000);
    slept = tern_thread_ran_ns(o.id) - slept;
    atomic_store(&o.busy, true);
    int64_t ran = tern_thread_ran_ns(o.id);
    for (int i = 0; i < 100 && tern_thread_ran_ns(o.id) - ran < 20000000; i++) usleep(10000);
    ran = tern_thread_ran_ns(o.id) - ran;
    end(&o);
    assert_in_range(slept, 0, 20000000);
    assert_true(ran >= 20000000);
    assert_int_equal(tern_thread_ran_ns(getppid()), -1);    /* of another process */
}

static void moving_leaves_the_set_of_cpus(void **state)
{
    (void)state;
    cpu_set_t before, after;
    other o;
    int left = 0, cores = tern_cores();
    start(&o, true);
    assert_int_equal(sched_getaffinity(o.id, sizeof before, &before), 0);
    assert_int_equal(CPU_COUNT(&before), cores);
    for (int i = 0; i < 50; i++) {
        int core = tern_core();
        tern_thread_leave(tern_thread_id());
        left += tern_core() != core;
        tern_thread_call(o.id);
        usleep(100);
    }
    assert_int_equal(sched_getaffinity(o.id, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    assert_true(cores == 1 ? left == 0 : left > 0);
    end(&o);
    tern_thread_call(o.id);    /* a thread that has ended */
}

enum { ITEMS = 64, JOBS = 2000 };

static void add_up(void *arg, int64_t lo, int64_t hi, int worker)
{
    double *sum = arg;
    (void)worker;
    for (int64_t i = lo; i < hi; i++)
        for (int k = 1; k < 2000; k++) sum[i] += 1.0 / k;
}

/* As many threads as cores, one core shared with a busy process: all tiles are done, once each, and
 * the caller keeps its set of CPUs. */
static void jobs_end_beside_a_busy_process(void **state)
{
    (void)state;
    static double sum[ITEMS];
    tern_pool *pool;
    cpu_set_t before, after;
    int threads = tern_cores() < 8 ? tern_cores() : 8;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    pid_t busy = fork();
    assert_true(busy >= 0);
    if (!busy)
        for (volatile unsigned n = 0;; n++) {}
    assert_int_equal(tern_pool_create(NULL, threads, &pool), TERN_OK);
    for (int i = 0; i < JOBS; i++) tern_pool_run(pool, ITEMS, 1, add_up, sum);
    tern_pool_free(pool);
    kill(busy, SIGKILL);
    waitpid(busy, NULL, 0);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    for (int i = 1; i < ITEMS; i++) assert_true(sum[i] == sum[0]);
    assert_in_range((int64_t)sum[0] / JOBS, 8, 8);    /* the 1999th harmonic number is 8.18 */
}

typedef struct quota_row {
    /* /proc/self/cgroup; cpu.max of /a/b, of /a, of the root; null: no such file */
    const char *cgroup, *own, *outer, *root;
    int cores, threads;
    const char *why;
} quota_row;

static const quota_row quotas[] = {
    { NULL, NULL, NULL, NULL, 8, 8, "no cgroup" },
    { "0::/\n", NULL, NULL, "150000 100000\n", 8, 2, "a container's own root, rounded up" },
    { "0::/a/b\n", "max 100000\n", NULL, NULL, 8, 8, "no quota" },
    { "0::/a/b\n", "300000 100000\n", "max 100000\n", NULL, 8, 3, "its own quota" },
    { "0::/a/b\n", "600000 100000\n", "200000 100000\n", NULL, 8, 2, "the quota of the group around it" },
    { "4:cpu:/x\n0::/a/b\n", "1000 100000\n", NULL, NULL, 8, 1, "less than one CPU, beside version 1" },
    { "0::/a/b\n", "900000 100000\n", NULL, NULL, 4, 4, "more than there are cores" },
    { "0::/a/b\n", "nonsense\n", NULL, NULL, 4, 4, "a file of another form" },
};

static void quotas_limit_threads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof quotas / sizeof *quotas; i++) {
        const quota_row *r = &quotas[i];
        char root[] = ROOT_PATH;
        root_make(root);
        root_put(root, "/proc/self/cgroup", r->cgroup);
        root_put(root, "/sys/fs/cgroup/a/b/cpu.max", r->own);
        root_put(root, "/sys/fs/cgroup/a/cpu.max", r->outer);
        root_put(root, "/sys/fs/cgroup/cpu.max", r->root);
        int threads = tern_quota_threads(root, r->cores);
        root_remove(root);
        if (threads != r->threads) fail_msg("%s: %d threads, not %d", r->why, threads, r->threads);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_of_a_thread_stands_still_while_it_does),
        cmocka_unit_test(moving_leaves_the_set_of_cpus),
        cmocka_unit_test(jobs_end_beside_a_busy_process),
        cmocka_unit_test(quotas_limit_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
