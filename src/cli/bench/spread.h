/* Repeated measurements as three numbers. Every measurement of the benchmark ends in one of
 * these. */
#ifndef TERN_CLI_BENCH_SPREAD_H
#define TERN_CLI_BENCH_SPREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/out.h"

/* The median, the least and the largest; all 0 where nothing was measured. */
typedef struct bench_spread {
    double median, low, high;
} bench_spread;

/* A growing list of measurements; {0} is empty. What no memory is left for is not kept. */
typedef struct bench_samples {
    double *at;
    size_t n, capacity;
} bench_samples;

void bench_add(bench_samples *s, double value);
bench_spread bench_spread_of(bench_samples *s);    /* sorts them */
void bench_samples_free(bench_samples *s);

/* The spread of factor / value: of seconds as rates, of rates as seconds. */
bench_spread bench_inverse(bench_spread s, double factor);

/* Each number times factor. */
bench_spread bench_scaled(bench_spread s, double factor);

/* {"median", "min", "max"}, each times scale. */
void bench_put_spread(json_out *j, const char *key, bench_spread s, double scale);

#endif
