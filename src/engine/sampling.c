/* Draws a token from logits: see tern/sampling.h. Called once a token by the engine; scratch comes from the context's arena.
 *
 * With z the penalised logits in double and m their largest, a token's weight is exp((z - m) / temperature), so that nothing overflows. "Before"
 * means a larger z, or an equal one and a lower id. Each filter keeps the tokens up to a last one in that order; the draw walks what is kept
 * in the order of ids. */
#include "engine/sampling.h"

#include <inttypes.h>
#include <math.h>

#include "base/ctx.h"
#include "base/philox.h"

typedef struct choice {
    double *z;           /* [n] */
    double *weight;      /* [n]; 0: not kept */
    int32_t *heap;       /* [n] ids; made where an order is needed */
    int32_t n, n_heap;
    double max, temperature;
    int32_t last;        /* the last token kept; -1: all are */
} choice;

tern_sampling tern_sampling_greedy(void)
{
    return (tern_sampling){ .top_p = 1, .repetition_penalty = 1 };
}

static tern_status refuse(tern_ctx *ctx, const char *field, double value, const char *range)
{
    return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s is %.9g, not %s", field, value, range);
}

tern_status tern_sampling_check(tern_ctx *ctx, const tern_sampling *s)
{
    if (!(s->temperature >= 0) || isinf(s->temperature)) return refuse(ctx, "temperature", s->temperature, "a finite number of 0 or more");
    if (s->top_k < 0) return tern_fail(ctx, TERN_ERR_ARGUMENT, "top_k is %" PRId64 ", not 0 or more", s->top_k);
    if (!(s->top_p >= 0 && s->top_p <= 1)) return refuse(ctx, "top_p", s->top_p, "a number from 0 to 1");
    if (!(s->min_p >= 0 && s->min_p <= 1)) return refuse(ctx, "min_p", s->min_p, "a number from 0 to 1");
    if (!(s->repetition_penalty > 0) || isinf(s->repetition_penalty)) return refuse(ctx, "repetition_penalty", s->repetition_penalty, "a finite number above 0");
    return TERN_OK;
}

static bool comes_before(const choice *c, int32_t a, int32_t b)
{
    return c->z[a] > c->z[b] || (c->z[a] == c->z[b] && a < b);
}

static double weight_of(const choice *c, int32_t id)
{
    return c->z[id] == c->max ? 1 : exp((c->z[id] - c->max) / c->temperature);
}

static bool kept(const choice *c, int32_t id)
{
    return c->last < 0 || !comes_before(c, c->last, id);
}

/* A heap whose top comes before all others (Williams 1964). */
static void sift(choice *c, int32_t at)
{
    int32_t id = c->heap[at];
    for (int32_t child; (child = 2 * at + 1) < c->n_heap; at = child) {
        if (child + 1 < c->n_heap && comes_before(c, c->heap[child + 1], c->heap[child])) child++;
        if (!comes_before(c, c->heap[child], id)) break;
        c->heap[at] = c->heap[child];
    }
    c->heap[at] = id;
}

static void make_heap(choice *c)
{
    c->n_heap = 0;
    for (int32_t id = 0; id < c->n; id++)
        if (kept(c, id)) c->heap[c->n_heap++] = id;
    for (int32_t at = c->n_heap / 2 - 1; at >= 0; at--) sift(c, at);
}

static int32_t pop(choice *c)
{
    int32_t id = c->heap[0];
    c->heap[0] = c->heap[--c->n_heap];
    if (c->n_heap) sift(c, 0);
    return id;
}

static void keep_top_k(choice *c, int64_t k)
{
    if (!k || k >= c->n) return;
    make_heap(c);
    while (k--) c->last = pop(c);
}

/* Gives each kept token its weight and all others none. */
static void weigh(choice *c)
{
    for (int32_t id = 0; id < c->n; id++) c->weight[id] = kept(c, id) ? weight_of(c, id) : 0;
}

static double total_weight(const choice *c)
{
    double sum = 0;
    for (int32_t id = 0; id < c->n; id++) sum += c->weight[id];
    return sum;
}

static void keep_top_p(choice *c, double p)
{
    if (p >= 1) return;
    double wanted = p * total_weight(c), sum = 0;
    make_heap(c);
    do {
        c->last = pop(c);
        sum += c->weight[c->last];
    } while (sum < wanted && c->n_heap);
    for (int32_t id = 0; id < c->n; id++)
        if (!kept(c, id)) c->weight[id] = 0;
}

/* The largest weight is 1. */
static void keep_min_p(choice *c, double p)
{
    for (int32_t id = 0; id < c->n; id++)
        if (c->weight[id] < p) c->weight[id] = 0;
}

/* The token in whose share of the total weight u, of [0, 1), falls. */
static int32_t pick(const choice *c, double u)
{
    double target = u * total_weight(c), sum = 0;
    int32_t chosen = 0;
    for (int32_t id = 0; id < c->n && sum <= target; id++) {
        if (c->weight[id] <= 0) continue;
        sum += c->weight[id];
        chosen = id;
    }
    return chosen;
}

/* z from logits and the tokens seen; a token seen twice is penalised once. */
static tern_status penalise(tern_ctx *ctx, choice *c, const float *logits, const int32_t *seen, size_t n_seen, double penalty)
{
    c->max = -INFINITY;
    for (int32_t id = 0; id < c->n; id++) {
        if (isnan(logits[id])) return tern_fail(ctx, TERN_ERR_NUMERIC, "logit %d of %d is NaN", id, c->n);
        c->z[id] = (double)logits[id];
    }
    for (size_t i = 0; i < n_seen && penalty != 1; i++) {
        double z = (double)logits[seen[i]];
        c->z[seen[i]] = z > 0 ? z / penalty : z * penalty;
    }
    bool finite = false;
    for (int32_t id = 0; id < c->n; id++) {
        if (c->z[id] > c->max) c->max = c->z[id];
        finite |= isfinite(c->z[id]);
    }
    return finite ? TERN_OK : tern_fail(ctx, TERN_ERR_NUMERIC, "none of %d logits is finite", c->n);
}

static int32_t first_of_largest(const choice *c)
{
    int32_t id = 0;
    while (c->z[id] != c->max) id++;
    return id;
}

/* Greedy and nothing else: the same token as below, by one comparison a logit. -1: a NaN or an infinite largest, which the long way explains. */
static int32_t largest_of(const float *logits, int32_t n)
{
    int32_t at = 0;
    for (int32_t id = 1; id < n && !isnan(logits[at]); id++)
        if (!(logits[id] <= logits[at])) at = id;
    return isfinite(logits[at]) ? at : -1;
}

static int32_t draw(choice *c, const tern_sampling *s, int64_t position)
{
    tern_random r = tern_philox(s->seed, (uint64_t)position, 0);
    double u = (double)((uint64_t)r.word[0] << 21 | r.word[1] >> 11) * 0x1p-53;
    keep_top_k(c, s->top_k);
    weigh(c);
    keep_top_p(c, (double)s->top_p);
    keep_min_p(c, (double)s->min_p);
    return pick(c, u);
}

tern_status tern_sample(tern_ctx *ctx, const tern_sampling *s, const float *logits, int64_t vocab, const int32_t *seen, size_t n_seen, int64_t position, int32_t *token)
{
    tern_status st = tern_sampling_check(ctx, s);
    if (st != TERN_OK) return st;
    if (vocab < 1 || vocab > INT32_MAX) return tern_fail(ctx, TERN_ERR_ARGUMENT, "vocab is %" PRId64 ", not a number from 1 to %d", vocab, INT32_MAX);
    for (size_t i = 0; i < n_seen; i++)
        if (seen[i] < 0 || seen[i] >= vocab) return tern_fail(ctx, TERN_ERR_ARGUMENT, "token %zu seen is %d, outside the vocabulary of %" PRId64, i, seen[i], vocab);

    int32_t largest = s->temperature > 0 || s->repetition_penalty != 1 ? -1 : largest_of(logits, (int32_t)vocab);
    if (largest >= 0) {
        *token = largest;
        return TERN_OK;
    }
    tern_mark mark = tern_arena_mark(&ctx->step);
    choice c = { .n = (int32_t)vocab, .last = -1, .temperature = (double)s->temperature };
    c.z = tern_arena_get(ctx, &ctx->step, (size_t)vocab, sizeof *c.z);
    c.weight = c.z ? tern_arena_get(ctx, &ctx->step, (size_t)vocab, sizeof *c.weight) : NULL;
    c.heap = c.weight ? tern_arena_get(ctx, &ctx->step, (size_t)vocab, sizeof *c.heap) : NULL;
    if (!c.heap) st = TERN_ERR_MEMORY;
    else TERN_TRY(penalise(ctx, &c, logits, seen, n_seen, (double)s->repetition_penalty));
    if (st == TERN_OK) *token = s->temperature > 0 ? draw(&c, s, position) : first_of_largest(&c);
done:
    tern_arena_reset(&ctx->step, mark);
    return st;
}
