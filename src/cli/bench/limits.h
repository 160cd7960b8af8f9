/* What this machine can do at most, measured: reading memory, and multiply-adds out of registers.
 * What the benchmark measures is divided by these. */
#ifndef TERN_CLI_BENCH_LIMITS_H
#define TERN_CLI_BENCH_LIMITS_H

#include <tern/context.h>

#include "cli/args.h"
#include "cli/bench/spread.h"
#include "kernels/kernels.h"

/* ---- Memory as weights lie in it ---- */

/* A mapped file without a name, of numbers that are finite and small in every type; larger than the
 * caches where memory allows. */
typedef struct bench_mapping {
    unsigned char *data;    /* null: there is no memory for one */
    size_t n_bytes;
} bench_mapping;

/* ---- Limits ---- */

enum { BENCH_MOST_PEAKS = 64 };

/* Multiply-adds a second, counted as two: by one thread count, of one instruction set's f32
 * multiply-add or its own instruction for bf16 or f16. */
typedef struct bench_peak {
    const tern_kernels *table;
    k_peak_fn *run;
    const char *type;               /* "f32", "bf16", "f16" */
    int threads;
    bench_samples samples;
    bench_spread rate;
} bench_peak;

/* Bytes read a second from a mapping, by one thread count. */
typedef struct bench_read {
    int threads;
    bench_samples samples;
    bench_spread rate;
} bench_read;

typedef struct bench_limits {
    bench_mapping mapping;          /* what is read; free for others to read, too */
    size_t n_read, n_peak;
    bench_read read[CLI_MOST_LIST + 1];
    bench_peak peak[BENCH_MOST_PEAKS];
} bench_limits;

/* Measures everything for each of the thread counts, in turn, so that the machine's noise is spread
 * over all of it. Once for each l. False with a sentence where there is no memory. */
bool bench_limits_measure(bench_limits *l, const int *threads, size_t n_threads);
void bench_limits_free(bench_limits *l);

/* The median of the reads, and the highest of the peaks' medians, with so many threads; null, 0
 * where it was not measured. The instruction sets are those up to rank, with their instructions for
 * f32 and for the type: a product of 16-bit numbers can be made by either. */
double bench_read_limit(const bench_limits *l, int threads);
const bench_peak *bench_best_peak(const bench_limits *l, int threads, int rank, const char *type);

/* The table's own peak for a type: that of its instruction for the type where it has one, else its
 * f32. */
double bench_own_peak(const bench_limits *l, int threads, const tern_kernels *table,
                      const char *type);

/* ---- Limits around a piece of work ---- */

/* A machine's clock and its memory vary over seconds. So what a row is divided by is sampled where
 * the row is, by the same threads: before each piece of its work and after the last, a tenth of a
 * second each, as neither a burst nor a pause is what work of seconds can have all the time. {0}
 * samples nothing. */
typedef struct bench_around {
    tern_ctx *ctx;
    const bench_limits *limits;
    const bench_peak *best;         /* the peak to sample */
    bench_samples peak, read;
} bench_around;

/* moved: the first sample and the last differ by more than a tenth, so that a share is of a machine
 * that changed meanwhile. */
typedef struct bench_limit {
    bench_spread rate;
    bool moved;
} bench_limit;

void bench_around_sample(bench_around *a);
bench_limit bench_limit_of(bench_samples *s);    /* sorts them */
void bench_around_free(bench_around *a);

/* "read" and "peaks" of the JSON's machine */
void bench_put_limits(json_out *j, const bench_limits *l);
void bench_print_limits(const bench_limits *l);

#endif
