/* Which experts each token goes to, and with what weight. */
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu.h"

typedef struct route_job {
    const tern_kernels *k;
    const tern_route *r;
    /* three rows of n_expert a worker: scores, what the choice is made by, and what groups are
     * worth */
    float *scratch;
} route_job;

/* The index of the largest of n values, the lowest of equals; a NaN is larger than nothing. */
static int64_t largest(const float *v, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (v[i] > v[best]) best = i;
    return best;
}

static float group_worth(const tern_route *r, const float *choice, int64_t n)
{
    int64_t first = largest(choice, n);
    if (!r->group_pairs || n < 2) return choice[first];
    float second = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        if (i != first && choice[i] > second) second = choice[i];
    return choice[first] + second;
}

/* No expert is chosen from the groups that are not among the n_group_used best; of equals the lower
 * group is better. worth: [n_group]. */
static void keep_best_groups(const tern_route *r, float *choice, float *worth)
{
    int64_t size = r->n_expert / r->n_group;
    for (int64_t g = 0; g < r->n_group; g++) worth[g] = group_worth(r, choice + g * size, size);
    for (int64_t g = 0; g < r->n_group; g++) {
        int64_t better = 0;
        for (int64_t h = 0; h < r->n_group; h++) better += worth[h] > worth[g] || (worth[h] == worth[g] && h < g);
        for (int64_t i = 0; better >= r->n_group_used && i < size; i++) choice[g * size + i] = -INFINITY;
    }
}

static void route_row(const route_job *j, int64_t row, float *score, float *choice)
{
    const tern_route *r = j->r;
    size_t n = (size_t)r->n_expert;
    int32_t *expert = r->expert + row * r->k;
    float *weight = r->weight + row * r->k, most, sum = 0;

    memcpy(score, r->logits + row * r->n_expert, n * sizeof *score);
    if (r->score == ROUTE_SIGMOID) j->k->sigmoid_row(score, score, n);
    if (r->score == ROUTE_SOFTMAX) j->k->scale_row(score, 1 / j->k->exp_row(score, n, &most), score, n);
    if (r->scores) memcpy(r->scores + row * r->n_expert, score, n * sizeof *score);
    if (r->noisy) memcpy(choice, r->noisy + row * r->n_expert, n * sizeof *choice);
    else if (r->choice_bias) cpu_add_row(j->k, choice, score, r->choice_bias, r->n_expert);
    else memcpy(choice, score, n * sizeof *choice);
    if (r->n_group > 1) keep_best_groups(r, choice, choice + n);

    for (int64_t i = 0; i < r->k; i++) {
        expert[i] = (int32_t)largest(i == 0 && r->first_by_score ? score : choice, r->n_expert);
        choice[expert[i]] = -INFINITY;
        weight[i] = score[expert[i]];
    }
    if (r->score == ROUTE_SOFTMAX_CHOSEN)
        j->k->scale_row(weight, 1 / j->k->exp_row(weight, (size_t)r->k, &most), weight, (size_t)r->k);
    for (int64_t i = 0; r->normalize && i < r->k; i++) sum += weight[i];
    j->k->scale_row(weight, r->normalize ? r->scale / sum : r->scale, weight, (size_t)r->k);
}

static void route_rows(void *arg, int64_t lo, int64_t hi, int worker)
{
    const route_job *j = arg;
    float *score = j->scratch + (size_t)worker * 3 * (size_t)j->r->n_expert;
    for (int64_t row = lo; row < hi; row++) route_row(j, row, score, score + j->r->n_expert);
}

tern_status cpu_route(tern_ctx *ctx, const tern_route *r)
{
    tern_mark mark = tern_arena_mark(&ctx->step);
    route_job j = { ctx->kernels, r, tern_arena_get(ctx, &ctx->step, (size_t)tern_pool_threads(ctx->pool) * 3 *
                                                    (size_t)r->n_expert, sizeof(float)) };
    if (!j.scratch) return TERN_ERR_MEMORY;
    tern_parallel_for(ctx, r->n_row, cpu_row_grain(r->n_expert * (r->k + 4)), route_rows, &j);
    tern_arena_reset(&ctx->step, mark);
    return TERN_OK;
}
