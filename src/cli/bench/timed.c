/* Times a call and prints it: see timed.h. */
#include "cli/bench/timed.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/machine.h"

enum { LEAST_CALLS = 3, MOST_CALLS = 400 };

static const double time_to_spend = 0.2;

static double seconds_of_thread(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

bench_spread bench_time(void (*call)(void *arg), void *arg, bool alone)
{
    double (*now)(void) = alone ? seconds_of_thread : cli_seconds;
    bench_samples samples = { 0 };
    call(arg);
    double begin = now();
    for (int n = 0; n < MOST_CALLS && (n < LEAST_CALLS || now() - begin < time_to_spend); n++) {
        double start = now();
        call(arg);
        bench_add(&samples, now() - start);
    }
    bench_spread s = bench_spread_of(&samples);
    bench_samples_free(&samples);
    return s;
}

bool bench_is_asked(const char *asked, const char *name)
{
    return !strcmp(asked, "all") || (*asked && !strncmp(name, asked, strlen(asked)));
}

/* ---- Words ---- */

void bench_timed_head(void)
{
    printf("%-12s %-2s %-20s %-22s %9s %21s   %-20s %-16s\n", "set", "t", "name", "shape", "us", "(least .. most)",
           "GFLOP/s, of peak", "GB/s, of reads");
}

static void print_rate(double amount, double seconds, double limit, int width)
{
    char text[64] = "";
    int n = amount > 0 && seconds > 0 ? snprintf(text, sizeof text, "%7.1f", amount / seconds / 1e9) : 0;
    if (n > 0 && limit > 0) snprintf(text + n, sizeof text - (size_t)n, " %5.1f %%", 100 * amount / seconds / limit);
    printf(" %-*s", width, text);
}

static void print_line(const bench_timed *t)
{
    bench_spread s = t->seconds;
    printf("%-12s %-2d %-20s %-22s %9.2f %9.2f .. %8.2f  ", t->isa, t->threads, t->name, t->shape, s.median * 1e6,
           s.low * 1e6, s.high * 1e6);
    print_rate(t->flops, s.median, t->peak, 20);
    print_rate(t->bytes, s.median, t->read, 16);
    printf(" %s\n", t->why ? t->why : "");
    fflush(stdout);
}

static void put_rate(json_out *j, const char *rate, const char *share, double amount, bench_spread seconds,
                     double limit)
{
    if (amount <= 0) return;
    bench_spread per_s = bench_inverse(seconds, amount);
    bench_put_spread(j, rate, per_s, 1e-9);
    if (limit > 0) out_number(j, share, per_s.median / limit);
}

void bench_timed_put(json_out *j, const bench_timed *t)
{
    if (!j) {
        print_line(t);
        return;
    }
    out_open(j, NULL, '{');
    out_word(j, "isa", t->isa);
    out_integer(j, "threads", t->threads);
    out_word(j, "name", t->name);
    out_word(j, "shape", t->shape);
    out_word(j, "why", t->why);
    bench_put_spread(j, "us", t->seconds, 1e6);
    put_rate(j, "gflop_per_s", "peak_share", t->flops, t->seconds, t->peak);
    put_rate(j, "gb_per_s", "read_share", t->bytes, t->seconds, t->read);
    out_close(j);
}
