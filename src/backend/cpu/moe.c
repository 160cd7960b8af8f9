/* Mixture of experts: tokens copied together by expert, and their outputs added back in each
 * token's own order. */
#include <string.h>

#include "backend/cpu/cpu.h"

static void gather_rows(void *arg, int64_t lo, int64_t hi, int worker)
{
    const tern_gather_rows *d = arg;
    size_t bytes = (size_t)d->dim * sizeof *d->out;
    (void)worker;
    for (int64_t r = lo; r < hi; r++) {
        float *out = d->out + r * d->ldout;
        if (d->token[r] < 0) memset(out, 0, bytes);
        else memcpy(out, d->x + d->token[r] * d->ldx, bytes);
    }
}

tern_status cpu_gather_rows(tern_ctx *ctx, const tern_gather_rows *d)
{
    tern_parallel_for(ctx, d->n_route, cpu_row_grain(d->dim), gather_rows, (void *)d);
    return TERN_OK;
}

typedef struct combine_job {
    const tern_kernels *k;
    const tern_combine *c;
} combine_job;

static void combine_row(const combine_job *j, int64_t r)
{
    const tern_combine *c = j->c;
    float sum[CPU_CHUNK];
    for (int64_t i = 0; i < c->dim; i += CPU_CHUNK) {
        int64_t part = c->dim - i < CPU_CHUNK ? c->dim - i : CPU_CHUNK;
        float *y = c->y + r * c->ldy + i;
        memset(sum, 0, sizeof sum);
        for (int64_t e = 0; e < c->k; e++) {
            int32_t slot = c->slot[r * c->k + e];
            if (slot >= 0) j->k->axpb_row(sum, c->weight[r * c->k + e], c->x + slot * c->ldx + i, sum, (size_t)part);
        }
        cpu_round_row(j->k, c->round, sum, part);
        if (c->add) cpu_add_row(j->k, sum, y, sum, part);
        cpu_round_row(j->k, c->round, sum, part);
        memcpy(y, sum, (size_t)part * sizeof *y);
    }
}

static void combine_rows(void *arg, int64_t lo, int64_t hi, int worker)
{
    (void)worker;
    for (int64_t r = lo; r < hi; r++) combine_row(arg, r);
}

tern_status cpu_combine(tern_ctx *ctx, const tern_combine *c)
{
    combine_job j = { ctx->kernels, c };
    tern_parallel_for(ctx, c->n_row, cpu_row_grain(c->dim * (c->k + 1)), combine_rows, &j);
    return TERN_OK;
}
