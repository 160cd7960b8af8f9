/* Rotary position embedding: the table of a batch's cosines and sines, made once a step, and the
 * rotation of queries and keys. Su et al. 2021, "RoFormer"; half pairs as in GPT-NeoX and Hugging
 * Face's Llama, neighbouring pairs as in GPT-J. */
#include <math.h>

#include "backend/cpu/cpu.h"

static void table_rows(void *arg, int64_t lo, int64_t hi, int worker)
{
    const tern_rope_table *t = arg;
    (void)worker;
    for (int64_t r = lo; r < hi; r++)
        for (int64_t i = 0; i < t->n; i++) {
            float angle = (float)t->position[r] * t->inv_freq[i];
            t->cos[r * t->n + i] = cosf(angle) * t->magnitude;
            t->sin[r * t->n + i] = sinf(angle) * t->magnitude;
        }
}

tern_status cpu_rope_table(tern_ctx *ctx, const tern_rope_table *t)
{
    tern_parallel_for(ctx, t->n_row, cpu_row_grain(64 * t->n), table_rows, (void *)t);
    return TERN_OK;
}

typedef struct rope_job {
    const tern_kernels *k;
    const tern_rope *r;
} rope_job;

static void rope_rows(void *arg, int64_t lo, int64_t hi, int worker)
{
    const rope_job *j = arg;
    const tern_rope *r = j->r;
    k_rope_row_fn *rotate = r->pair ? j->k->rope_pair_row : j->k->rope_half_row;
    (void)worker;
    for (int64_t i = lo; i < hi; i++)
        for (int64_t h = 0; h < r->n_head; h++) {
            float *x = r->x + i * r->ld + h * r->head_dim + r->first;
            rotate(x, r->cos + i * r->n, r->sin + i * r->n, (size_t)r->n);
            cpu_round_row(j->k, r->round, x, 2 * r->n);
        }
}

tern_status cpu_rope(tern_ctx *ctx, const tern_rope *r)
{
    rope_job j = { ctx->kernels, r };
    tern_parallel_for(ctx, r->n_row, cpu_row_grain(2 * r->n * r->n_head), rope_rows, &j);
    return TERN_OK;
}
