/* Draws tokens from logits: see tern/sampling.h. Called once a step by the engine, for all rows
 * that draw; scratch comes from the context's arena.
 *
 * With z the penalised logits in double and m their largest, a token's weight is exp((z - m) /
 * temperature), so that nothing overflows. "Before" means a larger z, or an equal one and a lower
 * id. Each filter keeps the tokens up to a last one in that order; the draw walks what is kept in
 * the order of ids. */
#include "engine/sampling.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/ctx.h"
#include "base/fp.h"
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
    if (!(s->temperature >= 0) || isinf(s->temperature))
        return refuse(ctx, "temperature", s->temperature, "a finite number of 0 or more");
    if (s->top_k < 0) return tern_fail(ctx, TERN_ERR_ARGUMENT, "top_k is %" PRId64 ", not 0 or more", s->top_k);
    if (!(s->top_p >= 0 && s->top_p <= 1)) return refuse(ctx, "top_p", s->top_p, "a number from 0 to 1");
    if (!(s->min_p >= 0 && s->min_p <= 1)) return refuse(ctx, "min_p", s->min_p, "a number from 0 to 1");
    if (!(s->repetition_penalty > 0) || isinf(s->repetition_penalty))
        return refuse(ctx, "repetition_penalty", s->repetition_penalty, "a finite number above 0");
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

/* z from logits and the tokens seen; a token seen twice is penalised once. False: a NaN, or no
 * finite logit. */
static bool penalise(choice *c, const tern_draw *d)
{
    double penalty = (double)d->sampling->repetition_penalty;
    bool finite = false;
    c->max = -INFINITY;
    for (int32_t id = 0; id < c->n; id++) {
        if (isnan(d->logits[id])) return false;
        c->z[id] = (double)d->logits[id];
    }
    for (size_t i = 0; i < d->n_seen && penalty != 1; i++) {
        double z = (double)d->logits[d->seen[i]];
        c->z[d->seen[i]] = z > 0 ? z / penalty : z * penalty;
    }
    for (int32_t id = 0; id < c->n; id++) {
        if (c->z[id] > c->max) c->max = c->z[id];
        finite |= isfinite(c->z[id]);
    }
    return finite;
}

static int32_t first_of_largest(const choice *c)
{
    int32_t id = 0;
    while (c->z[id] != c->max) id++;
    return id;
}

enum { LANES = 16, PIECE = 4096 };
typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t marks __attribute__((vector_size(4 * LANES)));

/* The largest of n numbers; NaN if there is one among them. */
static float largest(const float *x, int32_t n)
{
    lanes most = (lanes){ 0 } - INFINITY, v;
    marks nan = { 0 };
    int32_t i = 0;
    float top = -INFINITY;
    for (; i + LANES <= n; i += LANES) {
        memcpy(&v, x + i, sizeof v);
        marks more = v > most;
        most = (lanes)(((marks)v & more) | ((marks)most & ~more));
        nan |= v != v;
    }
    for (int l = 0; l < LANES; l++) {
        if (nan[l]) return NAN;
        if (most[l] > top) top = most[l];
    }
    for (; i < n; i++) {
        if (isnan(x[i])) return NAN;
        if (x[i] > top) top = x[i];
    }
    return top;
}

/* Greedy and nothing else: the same token as below, by two comparisons a logit; top has the largest
 * of each piece of PIECE logits. -1: a NaN or an infinite largest, which take the long way. */
static int32_t largest_of(const float *logits, int32_t n, const float *top)
{
    float most = largest(top, (n + PIECE - 1) / PIECE);
    int32_t id = 0;
    if (!isfinite(most)) return -1;
    while (top[id / PIECE] != most) id += PIECE;
    while (logits[id] != most) id++;
    return id;
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

/* ---- Rows ------------------------------------------------------------------------------------ */

typedef struct rows_job {
    tern_draw *row;
    int64_t vocab;
    float *top;                /* [rows][pieces]: what largest_of asks; null: every row takes the long way */
    int64_t n_piece;           /* of a row */
    unsigned char *scratch;    /* a piece per worker: z, weights, heap; null: every row is greedy and nothing else */
} rows_job;

static bool plain_greedy(const tern_sampling *s)
{
    return s->temperature <= 0 && s->repetition_penalty == 1;
}

size_t tern_sampling_bytes(int64_t vocab)
{
    return ((size_t)vocab * (2 * sizeof(double) + sizeof(int32_t)) + 63) / 64 * 64;
}

static int32_t draw_row(const tern_draw *d, int64_t vocab, const float *top, unsigned char *scratch)
{
    const tern_sampling *s = d->sampling;
    int32_t token = top && plain_greedy(s) ? largest_of(d->logits, (int32_t)vocab, top) : -1;
    if (token >= 0 || !scratch) return token;
    choice c = { .n = (int32_t)vocab, .last = -1, .temperature = (double)s->temperature };
    c.z = (double *)(void *)scratch;
    c.weight = c.z + vocab;
    c.heap = (int32_t *)(void *)(c.weight + vocab);
    if (!penalise(&c, d)) return -1;
    return s->temperature > 0 ? draw(&c, s, d->position) : first_of_largest(&c);
}

static void draw_rows(void *arg, int64_t lo, int64_t hi, int worker)
{
    const rows_job *j = arg;
    unsigned char *scratch = j->scratch ? j->scratch + (size_t)worker * tern_sampling_bytes(j->vocab) : NULL;
    for (int64_t i = lo; i < hi; i++)
        *j->row[i].token = draw_row(&j->row[i], j->vocab, j->top ? j->top + i * j->n_piece : NULL, scratch);
}

/* By pieces, so that a thread reads logits where it has just written them. */
static void find_tops(void *arg, int64_t lo, int64_t hi, int worker)
{
    const rows_job *j = arg;
    (void)worker;
    for (int64_t i = lo; i < hi; i++) {
        int64_t first = i % j->n_piece * PIECE, n = j->vocab - first < PIECE ? j->vocab - first : PIECE;
        const tern_draw *d = &j->row[i / j->n_piece];
        if (plain_greedy(d->sampling)) j->top[i] = largest(d->logits + first, (int32_t)n);
    }
}

void tern_sample_rows(tern_ctx *ctx, tern_draw *row, int64_t n, int64_t vocab)
{
    TERN_OWN_FP(ctx);
    tern_mark mark = tern_arena_mark(&ctx->step);
    rows_job j = { .row = row, .vocab = vocab, .n_piece = (vocab + PIECE - 1) / PIECE };
    bool plain = true;
    for (int64_t i = 0; i < n; i++) plain = plain && plain_greedy(row[i].sampling);
    if (!plain)
        j.scratch = tern_arena_get(ctx, &ctx->step, (size_t)tern_pool_threads(ctx->pool), tern_sampling_bytes(vocab));
    j.top = tern_arena_get(ctx, &ctx->step, (size_t)(n * j.n_piece), sizeof *j.top);
    if (j.top) tern_parallel_for(ctx, n * j.n_piece, 1, find_tops, &j);
    tern_parallel_for(ctx, n, 1, draw_rows, &j);
    tern_arena_reset(&ctx->step, mark);
}

/* A row that the quick way left: one with an infinite logit or without memory has a token all the
 * same. */
static tern_status draw_or_explain(tern_ctx *ctx, tern_draw *d, int64_t vocab)
{
    for (int64_t id = 0; id < vocab; id++)
        if (isnan(d->logits[id]))
            return tern_fail(ctx, TERN_ERR_NUMERIC, "logit %" PRId64 " of %" PRId64 " is NaN", id, vocab);
    tern_mark mark = tern_arena_mark(&ctx->step);
    unsigned char *scratch = tern_arena_get(ctx, &ctx->step, 1, tern_sampling_bytes(vocab));
    if (!scratch) return TERN_ERR_MEMORY;
    *d->token = draw_row(d, vocab, NULL, scratch);
    tern_arena_reset(&ctx->step, mark);
    return *d->token >= 0 ? TERN_OK : tern_fail(ctx, TERN_ERR_NUMERIC, "none of %" PRId64 " logits is finite", vocab);
}

tern_status tern_sample(tern_ctx *ctx, const tern_sampling *s, const float *logits, int64_t vocab, const int32_t *seen,
                        size_t n_seen, int64_t position, int32_t *token)
{
    tern_status st = tern_sampling_check(ctx, s);
    if (st != TERN_OK) return st;
    if (vocab < 1 || vocab > INT32_MAX)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "vocab is %" PRId64 ", not a number from 1 to %d", vocab, INT32_MAX);
    for (size_t i = 0; i < n_seen; i++)
        if (seen[i] < 0 || seen[i] >= vocab)
            return tern_fail(ctx, TERN_ERR_ARGUMENT, "token %zu seen is %d, outside the vocabulary of %" PRId64, i,
                             seen[i], vocab);

    int32_t drawn = -1;
    tern_draw d = { .sampling = s, .logits = logits, .seen = seen, .n_seen = n_seen, .position = position,
                    .token = &drawn };
    tern_sample_rows(ctx, &d, 1, vocab);
    if (drawn < 0) TERN_TRY(draw_or_explain(ctx, &d, vocab));
    *token = drawn;
done:
    return st;
}
