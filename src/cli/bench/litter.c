/* Files that exist while the benchmark runs and must not outlive it: see bench.h. The one place of the program that a signal can find at work. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/bench/bench.h"

enum { MOST = 2 };

/* Written before the count says that they are there. */
static char files[MOST][4352], dirs[MOST][4096];
static volatile sig_atomic_t n_litter;

static void remove_last(void)
{
    n_litter--;
    unlink(files[n_litter]);
    if (*dirs[n_litter]) rmdir(dirs[n_litter]);
}

static void on_signal(int number)
{
    while (n_litter > 0) remove_last();
    signal(number, SIG_DFL);
    raise(number);
}

void bench_litter_settle(bool keep)
{
    if (keep) n_litter--;
    else remove_last();
}

void bench_litter_add(const char *file, const char *dir)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    if (n_litter == MOST) return;
    snprintf(files[n_litter], sizeof files[0], "%s", file);
    snprintf(dirs[n_litter], sizeof dirs[0], "%s", dir ? dir : "");
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (signal(signals[i], on_signal) == SIG_IGN) signal(signals[i], SIG_IGN);
    n_litter++;
}
