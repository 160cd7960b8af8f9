/* Primitives that turn weights into small integers and back: quantize, dequantize, quantize_range,
 * dequantize_range. Groups, or rows, are split over threads. */
#include <math.h>

#include "backend/cpu/cpu.h"

/* ---- quantize, dequantize: int8 and a scale a group ------------------------------------------ */

static void quantize_groups(void *arg, int64_t lo, int64_t hi, int worker)
{
    const tern_quantize *q = arg;
    (void)worker;
    for (int64_t g = lo; g < hi; g++) {
        const float *w = q->w + g * q->n;
        int8_t *out = q->q + g * q->n;
        float most = 0;
        for (int64_t i = 0; i < q->n; i++) {
            float size = fabsf(w[i]);
            if (size > most) most = size;
        }
        float scale = most > 0 ? most / 128.0f : 1.0f;
        q->scale[g] = scale;
        for (int64_t i = 0; i < q->n; i++) {
            float v = rintf(w[i] / scale);
            /* a NaN gives 0 */
            if (v > 127.0f) out[i] = (int8_t)127.0f;
            else if (v > -128.0f) out[i] = (int8_t)v;
            else if (v <= -128.0f) out[i] = (int8_t)-128.0f;
            else out[i] = (int8_t)0.0f;
        }
    }
}

tern_status cpu_quantize(tern_ctx *ctx, const tern_quantize *q)
{
    tern_parallel_for(ctx, q->n_group, cpu_row_grain(4 * q->n), quantize_groups, (void *)q);
    return TERN_OK;
}

typedef struct dequantize_job {
    const tern_kernels *k;
    const tern_dequantize *d;
} dequantize_job;

static void dequantize_groups(void *arg, int64_t lo, int64_t hi, int worker)
{
    const dequantize_job *j = arg;
    const tern_dequantize *d = j->d;
    (void)worker;
    for (int64_t g = lo; g < hi; g++) {
        float *y = d->y + g * d->n;
        cpu_widen_i8_row(y, d->q + g * d->n, d->scale[g], d->n);
        cpu_round_row(j->k, d->round, y, d->n);
    }
}

tern_status cpu_dequantize(tern_ctx *ctx, const tern_dequantize *d)
{
    dequantize_job j = { ctx->kernels, d };
    tern_parallel_for(ctx, d->n_group, cpu_row_grain(d->n), dequantize_groups, &j);
    return TERN_OK;
}

/* ---- quantize_range, dequantize_range: from a group's least number to its largest ------------ */

static int64_t group_of(const tern_ranges *r, int64_t row, int64_t col)
{
    return row / r->group_rows * (r->dim / r->group_cols) + col / r->group_cols;
}

static void find_ranges(void *arg, int64_t lo, int64_t hi, int worker)
{
    const tern_quantize_range *q = arg;
    const tern_ranges *r = &q->ranges;
    int64_t across = r->dim / r->group_cols;
    (void)worker;
    for (int64_t g = lo; g < hi; g++) {
        const float *w = q->w + g / across * r->group_rows * r->dim + g % across * r->group_cols;
        float least = w[0], most = w[0];
        for (int64_t i = 0; i < r->group_rows; i++)
            for (int64_t j = 0; j < r->group_cols; j++) {
                least = fminf(least, w[i * r->dim + j]);
                most = fmaxf(most, w[i * r->dim + j]);
            }
        q->scale[g] = most > least ? (float)((1 << r->bits) - 1) / (most - least) : 1.0f;
        q->min[g] = least;
    }
}

static uint8_t code_of(const tern_quantize_range *q, int64_t row, int64_t col)
{
    int64_t g = group_of(&q->ranges, row, col);
    float most = (float)((1 << q->ranges.bits) - 1),
        v = rintf((q->w[row * q->ranges.dim + col] - q->min[g]) * q->scale[g]);
    /* a NaN gives 0 */
    if (v >= most) return (uint8_t)most;
    if (v > 0) return (uint8_t)v;
    return (uint8_t)0.0f;
}

static void write_codes(void *arg, int64_t lo, int64_t hi, int worker)
{
    const tern_quantize_range *q = arg;
    bool packed = q->ranges.bits == 4;
    int64_t n = packed ? q->ranges.dim / 2 : q->ranges.dim;
    (void)worker;
    for (int64_t row = lo; row < hi; row++)
        for (int64_t i = 0; i < n; i++)
            q->q[row * n + i] = packed ? (uint8_t)(code_of(q, row, 2 * i) << 4 | code_of(q, row, 2 * i + 1))
                                       : code_of(q, row, i);
}

tern_status cpu_quantize_range(tern_ctx *ctx, const tern_quantize_range *q)
{
    const tern_ranges *r = &q->ranges;
    int64_t n_group = r->n_row / r->group_rows * (r->dim / r->group_cols);
    tern_parallel_for(ctx, n_group, cpu_row_grain(r->group_rows * r->group_cols), find_ranges, (void *)q);
    tern_parallel_for(ctx, r->n_row, cpu_row_grain(4 * r->dim), write_codes, (void *)q);
    return TERN_OK;
}

typedef struct range_job {
    const tern_kernels *k;
    const tern_dequantize_range *d;
} range_job;

static void read_codes(void *arg, int64_t lo, int64_t hi, int worker)
{
    const range_job *j = arg;
    const tern_dequantize_range *d = j->d;
    const tern_ranges *r = &d->ranges;
    (void)worker;
    for (int64_t row = lo; row < hi; row++) {
        float *y = d->y + row * r->dim;
        for (int64_t i = 0; i < r->dim; i++) {
            int64_t g = group_of(r, row, i);
            uint8_t code;
            if (r->bits == 8) code = d->q[row * r->dim + i];
            else code = (uint8_t)(d->q[(row * r->dim + i) / 2] >> (i % 2 ? 0 : 4) & 15);
            y[i] = (float)code / d->scale[g] + d->min[g];
        }
        cpu_round_row(j->k, d->round, y, r->dim);
    }
}

tern_status cpu_dequantize_range(tern_ctx *ctx, const tern_dequantize_range *d)
{
    range_job j = { ctx->kernels, d };
    tern_parallel_for(ctx, d->ranges.n_row, cpu_row_grain(4 * d->ranges.dim), read_codes, &j);
    return TERN_OK;
}
