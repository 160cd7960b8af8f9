/* Softmax over scores that lie whole in memory (DeepSpeed's softmax op): scale, alibi, mask, causal
 * limit and window. */
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu.h"

typedef struct job {
    const tern_kernels *k;
    const tern_softmax *s;
} job;

static const float *bias_row(const tern_score_bias *b, int64_t seq, int64_t head, int64_t row)
{
    return b->data ? b->data + seq * b->stride_seq + head * b->stride_head + row * b->stride_row : NULL;
}

static void softmax_row(const job *j, int64_t index)
{
    const tern_softmax *s = j->s;
    int64_t row = index % s->n_row, head = index / s->n_row % s->n_head, seq = index / s->n_row / s->n_head;
    int64_t position = s->n_key - s->n_row + row, end = s->n_key, start = 0;
    const float *alibi = bias_row(&s->alibi, seq, head, row), *mask = bias_row(&s->mask, seq, head, row);
    float *y = s->y + index * s->n_key, max;
    if (s->causal && position + 1 < end) end = position + 1 > 0 ? position + 1 : 0;
    if (s->window > 0 && position - s->window + 1 > 0) start = position - s->window + 1;

    j->k->scale_row(y, s->scale, s->x + index * s->n_key, (size_t)s->n_key);
    if (alibi) cpu_add_row(j->k, y, y, alibi, s->n_key);
    if (mask) cpu_add_row(j->k, y, y, mask, s->n_key);
    for (int64_t i = 0; i < start && i < s->n_key; i++) y[i] = -INFINITY;
    for (int64_t i = end; i < s->n_key; i++) y[i] = -INFINITY;

    float sum = j->k->exp_row(y, (size_t)s->n_key, &max);
    if (sum != 0) j->k->scale_row(y, 1.0f / sum, y, (size_t)s->n_key);
    cpu_round_row(j->k, s->round, y, s->n_key);
}

static void softmax_rows(void *arg, int64_t lo, int64_t hi, int worker)
{
    (void)worker;
    for (int64_t r = lo; r < hi; r++) softmax_row(arg, r);
}

tern_status cpu_softmax(tern_ctx *ctx, const tern_softmax *s)
{
    job j = { ctx->kernels, s };
    tern_parallel_for(ctx, s->n_seq * s->n_head * s->n_row, cpu_row_grain(4 * s->n_key), softmax_rows, &j);
    return TERN_OK;
}
