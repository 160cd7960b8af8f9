/* Multi-head latent attention's projection: q, k and v out of narrow latents, in the order that
 * softmax_context takes. Called by transformer.c; built from primitives. Source: DeepSeek-V2
 * (2024), section 2.1; Hugging Face DeepseekV2Attention.
 *
 *     q         = (norm(n qa^T) or n) qb^T                         [head][nope | rope]
 *     latent    = n kva^T            [kv_rank | rope]: the rope channels of k are one for all heads
 *     k, v      = norm(latent[kv_rank]) kvb^T                      [head][nope | value]
 *     out       = all q [rope | nope], all k [rope | nope], all v
 * The rope channels go first in q and k alike, which changes no score, so that they are the first
 * rotary_dim ones. */
#include <string.h>

#include "base/ctx.h"
#include "layers/layers.h"

static const float LATENT_EPS = 1e-6f;    /* of both inner norms, whatever the config's epsilon */

typedef struct split_job {
    const tern_latent *l;
    const float *q, *latent, *kv;
    float *out;
} split_job;

/* One row of q, latent and kv, arranged in one row of out. */
static void split_row(const split_job *j, int64_t row)
{
    const tern_latent *l = j->l;
    size_t nope = (size_t)l->nope_dim, rope = (size_t)l->rope_dim, value = (size_t)l->value_dim, f = sizeof(float);
    size_t key = nope + rope, n = (size_t)l->n_head;
    const float *q = j->q + (size_t)row * n * key, *kv = j->kv + (size_t)row * n * (nope + value),
        *shared = j->latent + (size_t)row * ((size_t)l->kv_rank + rope) + l->kv_rank;
    float *out_q = j->out + (size_t)row * n * (2 * key + value), *out_k = out_q + n * key, *out_v = out_k + n * key;
    for (size_t h = 0; h < n; h++) {
        memcpy(out_q + h * key, q + h * key + nope, rope * f);
        memcpy(out_q + h * key + rope, q + h * key, nope * f);
        memcpy(out_k + h * key, shared, rope * f);
        memcpy(out_k + h * key + rope, kv + h * (nope + value), nope * f);
        memcpy(out_v + h * value, kv + h * (nope + value) + nope, value * f);
    }
}

static void split_rows(void *arg, int64_t lo, int64_t hi, int worker)
{
    (void)worker;
    for (int64_t r = lo; r < hi; r++) split_row(arg, r);
}

static tern_status product(tern_ctx *ctx, const tern_latent *l, const tern_tensor *w, const float *bias, const float *x,
                           int64_t ldx, int64_t n, float *y)
{
    tern_matmul m = { .x = x, .ldx = ldx, .n_row = n, .n_part = 1, .compute = l->compute };
    m.part[0] = (tern_matmul_part){ .w = tern_weight_of(w), .bias = bias, .y = y, .ldy = w->shape[0] };
    return ctx->backend->matmul(ctx, &m);
}

/* The first dim channels of each row normed in place; rows are ld apart. */
static tern_status norm(tern_ctx *ctx, const tern_tensor *w, float *x, int64_t ld, int64_t n, int64_t dim)
{
    return ctx->backend->norm(ctx, &(tern_norm){ .kind = NORM_RMS, .x = x, .w = w->data, .y = x, .ldx = ld, .ldy = ld,
                                                 .n_row = n, .dim = dim, .eps = LATENT_EPS });
}

tern_status tern_latent_run(tern_ctx *ctx, const tern_latent *l, const tern_tensor *input, tern_tensor *output)
{
    tern_status st = TERN_OK;
    int64_t dim = input->shape[input->rank - 1], n = tern_tensor_count(input) / dim, key = l->nope_dim + l->rope_dim,
        width = l->kv_rank + l->rope_dim;
    const float *x = input->data, *q_in = x;
    tern_arena *step = &ctx->step;
    tern_mark mark = tern_arena_mark(step);
    float *q_low = l->q_a.data ? tern_arena_get(ctx, step, (size_t)(n * l->q_a.shape[0]), sizeof(float)) : NULL;
    float *q = tern_arena_get(ctx, step, (size_t)(n * l->n_head * key), sizeof *q),
        *latent = tern_arena_get(ctx, step, (size_t)(n * width), sizeof *latent);
    float *kv = tern_arena_get(ctx, step, (size_t)(n * l->n_head * (l->nope_dim + l->value_dim)), sizeof *kv);
    if ((l->q_a.data && !q_low) || !q || !latent || !kv) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    if (q_low) {
        TERN_TRY(product(ctx, l, &l->q_a, l->q_a_b, x, dim, n, q_low));
        TERN_TRY(norm(ctx, &l->q_a_norm, q_low, l->q_a.shape[0], n, l->q_a.shape[0]));
        q_in = q_low;
    }
    TERN_TRY(product(ctx, l, &l->q_b, NULL, q_in, l->q_b.shape[1], n, q));
    TERN_TRY(product(ctx, l, &l->kv_a, l->kv_a_b, x, dim, n, latent));
    TERN_TRY(norm(ctx, &l->kv_a_norm, latent, width, n, l->kv_rank));
    TERN_TRY(product(ctx, l, &l->kv_b, NULL, latent, width, n, kv));
    tern_parallel_for(ctx, n, 16, split_rows, &(split_job){ l, q, latent, kv, output->data });
done:
    tern_arena_reset(step, mark);
    return st;
}
