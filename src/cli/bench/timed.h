/* One piece of work, timed again and again, beside what the machine allows: what --kernels and
 * --ops print. */
#ifndef TERN_CLI_BENCH_TIMED_H
#define TERN_CLI_BENCH_TIMED_H

#include "cli/bench/spread.h"

/* Runs call for about a fifth of a second, three times at least. Seconds of this thread on its core
 * where alone: others that take turns on it do not count; else by the clock. */
bench_spread bench_time(void (*call)(void *arg), void *arg, bool alone);

typedef struct bench_timed {
    const char *isa, *name, *why;
    int threads;
    char shape[64];
    bench_spread seconds;          /* of one call */
    double flops, bytes;           /* of one call; 0: not a figure that it is judged by */
    /* what the machine allows; 0: not known, or the bytes lie in a cache */
    double peak, read;
} bench_timed;

/* Whether a name begins as was asked for; "all": every one does. */
bool bench_is_asked(const char *asked, const char *name);

/* Printed as they come: a line each, or an object each of the list that is open in j (null:
 * lines). */
void bench_timed_head(void);
void bench_timed_put(json_out *j, const bench_timed *t);

#endif
