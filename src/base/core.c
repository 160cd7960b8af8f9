/* Asks Linux for cores and threads: see core.h. Called by the thread pool; threads are named by id,
 * because one that has ended is no error then. */
#include "base/core.h"

#include <sched.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

pid_t tern_thread_id(void)
{
    return gettid();
}

int tern_core(void)
{
    return sched_getcpu();
}

int tern_cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

/* The clock of one thread: its id inverted above three bits, which say that it is a thread's (4)
 * time on a core (2). Source: clock_getcpuclockid and linux/posix-timers.h. The kernel refuses
 * threads of other processes. */
int64_t tern_thread_ran_ns(pid_t thread)
{
    struct timespec t;
    clockid_t id = (clockid_t)(~(unsigned)thread << 3 | 6);
    return clock_gettime(id, &t) ? -1 : t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void move(pid_t thread, bool here)
{
    cpu_set_t own, wanted;
    int core = sched_getcpu();
    if (core < 0 || core >= CPU_SETSIZE || sched_getaffinity(thread, sizeof own, &own) || !CPU_ISSET(core, &own) ||
        CPU_COUNT(&own) == 1)
        return;
    if (here) {
        CPU_ZERO(&wanted);
        CPU_SET(core, &wanted);
    } else {
        wanted = own;
        CPU_CLR(core, &wanted);
    }
    if (!sched_setaffinity(thread, sizeof wanted, &wanted)) sched_setaffinity(thread, sizeof own, &own);
}

void tern_thread_call(pid_t thread)
{
    move(thread, true);
}

void tern_thread_leave(pid_t self)
{
    move(self, false);
}
