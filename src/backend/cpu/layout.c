/* Primitives of layout: copy, blend, random. Rows, or runs of elements, are split over threads. */
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/philox.h"

/* ---- copy ------------------------------------------------------------------------------------ */

static void copy_row(const tern_copy *c, int64_t row)
{
    int64_t i2 = row % c->n[2], i1 = row / c->n[2] % c->n[1], i0 = row / c->n[2] / c->n[1];
    float *y = c->y + i0 * c->stride_y[0] + i1 * c->stride_y[1] + i2 * c->stride_y[2];
    int64_t dim = c->x ? c->dim : 0;
    if (dim) {
        const float *x = c->x + i0 * c->stride_x[0] + i1 * c->stride_x[1] + i2 * c->stride_x[2];
        if (c->step_x == 1 && c->step_y == 1) memcpy(y, x, (size_t)dim * sizeof *y);
        else
            for (int64_t i = 0; i < dim; i++) y[i * c->step_y] = x[i * c->step_x];
    }
    for (int64_t i = dim; i < c->dim_y; i++) y[i * c->step_y] = 0;
}

static void copy_rows(void *arg, int64_t lo, int64_t hi, int worker)
{
    (void)worker;
    for (int64_t r = lo; r < hi; r++) copy_row(arg, r);
}

tern_status cpu_copy(tern_ctx *ctx, const tern_copy *c)
{
    tern_parallel_for(ctx, c->n[0] * c->n[1] * c->n[2], cpu_row_grain(c->dim_y > c->dim ? c->dim_y : c->dim), copy_rows,
                      (void *)c);
    return TERN_OK;
}

/* ---- blend ----------------------------------------------------------------------------------- */

typedef struct blend_job {
    const tern_kernels *k;
    const tern_blend *b;
} blend_job;

/* t = round(x * w), the weights of a row lying step apart. */
static void weigh(const blend_job *j, float *t, const float *x, const float *w, int64_t n)
{
    for (int64_t i = 0; i < n; i++) t[i] = x[i] * w[i * j->b->weight_col];
    cpu_round_row(j->k, j->b->round, t, n);
}

static void blend_rows(void *arg, int64_t lo, int64_t hi, int worker)
{
    const blend_job *j = arg;
    const tern_blend *b = j->b;
    float ta[CPU_CHUNK], tb[CPU_CHUNK];
    (void)worker;
    for (int64_t r = lo; r < hi; r++)
        for (int64_t i = 0; i < b->dim; i += CPU_CHUNK) {
            int64_t part = b->dim - i < CPU_CHUNK ? b->dim - i : CPU_CHUNK, at = r * b->weight_row + i * b->weight_col;
            weigh(j, ta, b->a + r * b->lda + i, b->weight_a + at, part);
            if (b->b) {
                weigh(j, tb, b->b + r * b->ldb + i, b->weight_b + at, part);
                cpu_add_row(j->k, ta, ta, tb, part);
                cpu_round_row(j->k, b->round, ta, part);
            }
            memcpy(b->y + r * b->ldy + i, ta, (size_t)part * sizeof *ta);
        }
}

tern_status cpu_blend(tern_ctx *ctx, const tern_blend *b)
{
    blend_job j = { ctx->kernels, b };
    tern_parallel_for(ctx, b->n_row, cpu_row_grain(b->dim), blend_rows, &j);
    return TERN_OK;
}

/* ---- random ---------------------------------------------------------------------------------- */

static void random_fill(void *arg, int64_t lo, int64_t hi, int worker)
{
    const tern_random_fill *r = arg;
    (void)worker;
    for (int64_t i = lo; i < hi; i++) {
        uint32_t word = tern_philox(r->seed, (uint64_t)i / 4, r->stream).word[i % 4];
        r->y[i] = r->gumbel ? (float)-log(-log(tern_uniform_open(word)))
                            : r->low + (r->high - r->low) * tern_uniform(word);
    }
}

tern_status cpu_random(tern_ctx *ctx, const tern_random_fill *r)
{
    tern_parallel_for(ctx, r->n, 1024, random_fill, (void *)r);
    return TERN_OK;
}
