/* Whether other processes took part of the machine during a measurement: see bench.h. Asks
 * /proc/stat, whose hundredths of a second are the unit. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli/bench/bench.h"
#include "cli/machine.h"

/* Seconds of all CPUs that were spent, by any process, a hypervisor's other guests among them; -1
 * where the system does not say. */
static double spent_by_all(void)
{
    unsigned long long user = 0, nice = 0, system = 0, idle, wait, irq = 0, soft = 0, steal = 0;
    FILE *file = fopen("/proc/stat", "re");
    int n = file ? fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &wait,
                          &irq, &soft, &steal) : 0;
    if (file) fclose(file);
    return n == 8 ? (double)(user + nice + system + irq + soft + steal) / (double)sysconf(_SC_CLK_TCK) : -1;
}

static double spent_by(int who)
{
    struct rusage u;
    if (getrusage(who, &u)) return 0;
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

bench_watch bench_watch_begin(void)
{
    return (bench_watch){ .wall = cli_seconds(), .all = spent_by_all(),
                          .own = spent_by(RUSAGE_SELF) + spent_by(RUSAGE_CHILDREN) };
}

/* A tenth of a CPU can be seen in what two of them do; of many CPUs it takes a fiftieth. What is
 * below the clock's ticks is not counted. */
bool bench_watch_end(const bench_watch *w, bench_report *r)
{
    bench_watch now = bench_watch_begin();
    double took = now.wall - w->wall, others = now.all - w->all - (now.own - w->own),
        cpus = (double)sysconf(_SC_NPROCESSORS_ONLN) / 50;
    bool disturbed = w->all >= 0 && now.all >= 0 && others > 0.1 && others > took * (cpus > 0.1 ? cpus : 0.1);
    r->n_watched++;
    r->n_disturbed += disturbed;
    return disturbed;
}
