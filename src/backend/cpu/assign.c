/* Each route's slot in its expert's queue, what is dropped beyond the capacity, and the loss that
 * keeps experts even. Queues are short and in order: the caller makes them alone. Shazeer et al.
 * 2017; Lepikhin et al. 2020 (GShard). */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"

typedef struct candidate {
    float priority;
    int64_t route;
} candidate;

/* Highest priority first, then the lower token. */
static int compare_candidates(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->priority != y->priority) return x->priority > y->priority ? -1 : 1;
    return x->route < y->route ? -1 : 1;
}

/* Marks (location -1) the routes of expert e that are not among its capacity best. */
static void drop_by_priority(const tern_assign *p, int32_t e, candidate *candidates)
{
    int64_t n = 0;
    for (int64_t i = 0; i < p->n_row * p->k; i++)
        if (p->expert[i] == e) candidates[n++] = (candidate){ p->priority[i], i };
    qsort(candidates, (size_t)n, sizeof *candidates, compare_candidates);
    for (int64_t i = p->capacity; i < n; i++) p->location[candidates[i].route] = -1;
}

/* Gives the next place of its expert's queue to the route, if it has one. */
static void queue_route(const tern_assign *p, int64_t *next, int64_t i)
{
    int32_t e = p->expert[i];
    if (e < 0 || p->location[i] < 0) return;
    p->location[i] = next[e] < p->capacity ? (int32_t)next[e] : -1;
    next[e]++;
}

static void queue_all(const tern_assign *p, int64_t *next)
{
    if (p->by_rank) {
        for (int32_t j = 0; j < p->k; j++)
            for (int64_t t = 0; t < p->n_row; t++) queue_route(p, next, t * p->k + j);
        return;
    }
    for (int64_t i = 0; i < p->n_row * p->k; i++) queue_route(p, next, i);
}

static void weigh_routes(const tern_assign *p)
{
    for (int64_t t = 0; t < p->n_row; t++) {
        float *w = p->weight + t * p->k, sum = 0;
        for (int32_t j = 0; j < p->k; j++) {
            if (p->location[t * p->k + j] < 0) w[j] = 0;
            sum += w[j];
        }
        for (int32_t j = 0; p->renormalize && j < p->k; j++) w[j] /= sum > FLT_EPSILON ? sum : FLT_EPSILON;
    }
}

/* n_expert / aux_k * sum_e mean(score) mean(route) */
static float aux_loss(const tern_assign *p)
{
    double sum = 0, n = (double)p->n_row;
    for (int32_t e = 0; e < p->n_expert; e++) {
        double score = 0, routes = 0;
        for (int64_t t = 0; t < p->n_row; t++) {
            score += p->score[t * p->n_expert + e];
            for (int32_t j = 0; j < p->aux_k; j++) routes += p->expert[t * p->k + j] == e;
        }
        if (n > 0) sum += score / n * (routes / n);
    }
    return (float)(sum * p->n_expert / p->aux_k);
}

tern_status cpu_assign(tern_ctx *ctx, const tern_assign *p)
{
    int64_t n_route = p->n_row * p->k;
    tern_status st = TERN_OK;
    tern_mark mark = tern_arena_mark(&ctx->step);
    candidate *candidates = p->priority ? tern_arena_get(ctx, &ctx->step, (size_t)n_route, sizeof *candidates) : NULL;
    int64_t *next = tern_arena_get(ctx, &ctx->step, (size_t)p->n_expert, sizeof *next);
    if (!next || (p->priority && !candidates)) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    memset(p->count, 0, (size_t)p->n_expert * sizeof *p->count);
    memset(next, 0, (size_t)p->n_expert * sizeof *next);
    for (int64_t i = 0; i < n_route; i++) {
        p->location[i] = p->expert[i] < 0 ? -1 : 0;
        if (p->expert[i] >= 0) p->count[p->expert[i]]++;
    }
    for (int32_t e = 0; candidates && e < p->n_expert; e++)
        if (p->count[e] > p->capacity) drop_by_priority(p, e, candidates);
    queue_all(p, next);
    weigh_routes(p);
    if (p->l_aux) *p->l_aux = aux_loss(p);
done:
    tern_arena_reset(&ctx->step, mark);
    return st;
}
