/* Files that exist while the benchmark runs and must not outlive it: see bench.h. The one place of
 * the program that a signal can find at work. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/bench/bench.h"

enum { MOST = 2 };

/* Written before the count says that they are there, and removed before it says that they are not:
 * two signals may be answered by two threads at once. */
static char files[MOST][4352], dirs[MOST][4096];
static volatile sig_atomic_t n_temp_file;

static void remove_at(int i)
{
    unlink(files[i]);
    if (*dirs[i]) rmdir(dirs[i]);
}

static void on_signal(int number)
{
    for (int i = n_temp_file; i-- > 0;) remove_at(i);
    signal(number, SIG_DFL);
    raise(number);
}

void bench_temp_files_settle(bool keep)
{
    if (!keep) remove_at(n_temp_file - 1);
    n_temp_file--;
}

void bench_temp_files_add(const char *file, const char *dir)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    if (n_temp_file == MOST) return;
    snprintf(files[n_temp_file], sizeof files[0], "%s", file);
    snprintf(dirs[n_temp_file], sizeof dirs[0], "%s", dir ? dir : "");
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (signal(signals[i], on_signal) == SIG_IGN) signal(signals[i], SIG_IGN);
    n_temp_file++;
}
