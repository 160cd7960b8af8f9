/* Medians and extremes: see spread.h. */
#include "cli/bench/spread.h"

#include <stdlib.h>

void bench_add(bench_samples *s, double value)
{
    if (s->n == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : 64;
        double *more = realloc(s->at, capacity * sizeof *more);
        if (!more) return;
        s->at = more;
        s->capacity = capacity;
    }
    s->at[s->n++] = value;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bench_spread bench_spread_of(bench_samples *s)
{
    size_t n = s->n;
    if (!n) return (bench_spread){ 0 };
    qsort(s->at, n, sizeof *s->at, ascending);
    return (bench_spread){ n % 2 ? s->at[n / 2] : (s->at[n / 2 - 1] + s->at[n / 2]) / 2, s->at[0], s->at[n - 1] };
}

void bench_samples_free(bench_samples *s)
{
    free(s->at);
    *s = (bench_samples){ 0 };
}

static double over(double factor, double value)
{
    return value > 0 ? factor / value : 0;
}

bench_spread bench_inverse(bench_spread s, double factor)
{
    return (bench_spread){ over(factor, s.median), over(factor, s.high), over(factor, s.low) };
}

bench_spread bench_scaled(bench_spread s, double factor)
{
    return (bench_spread){ s.median * factor, s.low * factor, s.high * factor };
}

void bench_put_spread(json_out *j, const char *key, bench_spread s, double scale)
{
    out_open(j, key, '{');
    out_number(j, "median", s.median * scale);
    out_number(j, "min", s.low * scale);
    out_number(j, "max", s.high * scale);
    out_close(j);
}
