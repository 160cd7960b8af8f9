/* Pooling: see pooling.h. Called by the pipeline of modules; calls primitives. */
#include "engine/pooling.h"

#include <math.h>
#include <string.h>

#include "base/ctx.h"
#include "model/model.h"

const char *tern_pooling_name(tern_pooling mode)
{
    static const char *const names[] = { "auto",        "mean", "cls", "last", "max", "pooler", "mean_sqrt_len_tokens",
                                         "weightedmean" };
    return names[mode];
}

static int32_t skipped(const tern_pool_rows *r, int32_t s)
{
    return r->skip ? r->skip[s] : 0;
}

/* One row of each sequence: the last one, or the first that counts. */
static tern_status pick(tern_ctx *ctx, const tern_pool_rows *r, bool last, float *out, int64_t ldout)
{
    int32_t *row = tern_arena_get(ctx, &ctx->step, (size_t)r->n_seq, sizeof *row);
    if (!row) return TERN_ERR_MEMORY;
    for (int32_t s = 0; s < r->n_seq; s++) row[s] = r->row[s] + (last ? r->n_tok[s] - 1 : skipped(r, s));
    return ctx->backend->gather_rows(
        ctx,
        &(tern_gather_rows){
            .x = r->x, .out = out, .token = row, .ldx = r->dim, .ldout = ldout, .n_route = r->n_seq, .dim = r->dim });
}

/* The weight of token t among those of [skip, n). */
static float weight_of(tern_pooling mode, int32_t t, int32_t skip, int32_t n)
{
    if (mode == TERN_POOL_MEAN) return 1.0f / (float)(n - skip);
    if (mode == TERN_POOL_MEAN_SQRT_LEN) return 1.0f / sqrtf((float)(n - skip));
    double sum = 0.5 * ((double)n * (n + 1.0) - (double)skip * (skip + 1.0));
    return (float)((t + 1.0) / sum);
}

/* The means are the rows' combination with weights. */
static tern_status mean(tern_ctx *ctx, tern_pooling mode, const tern_pool_rows *r, int32_t s, float *out)
{
    int32_t skip = skipped(r, s), n = r->n_tok[s] - skip;
    int32_t *slot = tern_arena_get(ctx, &ctx->step, (size_t)n, sizeof *slot);
    float *weight = tern_arena_get(ctx, &ctx->step, (size_t)n, sizeof *weight);
    if (!slot || !weight) return TERN_ERR_MEMORY;
    for (int32_t i = 0; i < n; i++) {
        slot[i] = i;
        weight[i] = weight_of(mode, skip + i, skip, r->n_tok[s]);
    }
    const float *x = r->x + (r->row[s] + skip) * r->dim;
    return ctx->backend->combine(ctx, &(tern_combine){ .x = x,
                                                       .y = out,
                                                       .slot = slot,
                                                       .weight = weight,
                                                       .ldx = r->dim,
                                                       .ldy = r->dim,
                                                       .n_row = 1,
                                                       .k = n,
                                                       .dim = r->dim });
}

/* A NaN of any token is the result, as in torch. */
static void largest(const tern_pool_rows *r, int32_t s, float *out)
{
    const float *x = r->x + (r->row[s] + skipped(r, s)) * r->dim;
    memcpy(out, x, (size_t)r->dim * sizeof *out);
    for (int32_t t = 1; t < r->n_tok[s] - skipped(r, s); t++)
        for (int64_t d = 0; d < r->dim; d++)
            if (x[t * r->dim + d] > out[d] || isnan(x[t * r->dim + d])) out[d] = x[t * r->dim + d];
}

/* BERT's pooler reads the first token, prompt or not. */
static tern_status pooler(tern_ctx *ctx, tern_model *model, const tern_pool_rows *r, float *out, int64_t ldout)
{
    tern_status st = TERN_OK;
    tern_pool_rows all = *r;
    float *first = tern_arena_get(ctx, &ctx->step, 2 * (size_t)r->n_seq * (size_t)r->dim, sizeof *first);
    if (!first) return TERN_ERR_MEMORY;
    float *pooled = first + r->n_seq * r->dim;
    all.skip = NULL;
    TERN_TRY(pick(ctx, &all, false, first, r->dim));
    TERN_TRY(tern_model_pool(model, r->n_seq, first, pooled));
    for (int32_t s = 0; s < r->n_seq; s++) memcpy(out + s * ldout, pooled + s * r->dim, (size_t)r->dim * sizeof *out);
done:
    return st;
}

tern_status tern_pool_sequences(tern_ctx *ctx, tern_model *model, tern_pooling mode, const tern_pool_rows *r,
                                float *out, int64_t ldout)
{
    tern_status st = TERN_OK;
    if (mode == TERN_POOL_CLS || mode == TERN_POOL_LAST) return pick(ctx, r, mode == TERN_POOL_LAST, out, ldout);
    if (mode == TERN_POOL_POOLER) return pooler(ctx, model, r, out, ldout);
    for (int32_t s = 0; s < r->n_seq; s++) {
        if (mode == TERN_POOL_MAX) largest(r, s, out + s * ldout);
        else TERN_TRY(mean(ctx, mode, r, s, out + s * ldout));
    }
done:
    return st;
}
