/* Attention over the paged cache: one algorithm for prompts, chunks and single tokens of many
 * sequences. Ops call it through the table.
 *
 * Work is cut into tiles: some tokens of one sequence times the query heads that share a kv head,
 * which are the rows of two small matrix products. Keys are taken in blocks of TERN_KEY_BLOCK by
 * absolute position; a block gives each row (largest score, sum of exponentials, weighted values)
 * by itself, and blocks are merged in ascending order. A block in which a row sees nothing leaves
 * that row as it is, so skipping it is the same. Hence the bits of a row depend on its own position
 * and keys alone.
 *
 * Where there are fewer tiles than threads could use, the blocks of a tile are tiles of their own
 * and are merged when all are done. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "backend/cpu/cpu.h"

enum { TILE_ROWS = 128, TILE_TOKENS = 64, TILES_A_THREAD = 2, BLOCK_RUNS = 4, MOST_PARTIALS = 1024,
       /* a line more than a power of two, so that rows do not fall on each other in a cache */
       SCORE_LD = TERN_KEY_BLOCK + 16 };

/* What a set of keys gives a number of rows: merged in ascending order of the keys. */
typedef struct partial {
    float *max, *sum;    /* [m] */
    float *value;        /* [m, value_dim] */
} partial;

/* Tokens [first, first + n) of sequence seq, and the key blocks [block, end_block) that any of them
 * sees. */
typedef struct query_tile {
    int32_t seq, first, n;
    int32_t block, end_block;
    int64_t partial_at;    /* of its first block's partial, where blocks are tiles */
} query_tile;

typedef struct job {
    const tern_kernels *k;
    const tern_attention *a;
    k_gemm_nn_fn *product;
    k_pack_nn_fn *pack;        /* of queries, in place; null: they enter as they are */
    k_exp_row_fn *exp_row;     /* leaves weights as the product wants them */
    int64_t cell;              /* what a row of weights is filled up to */
    int64_t ldq;               /* of a worker's queries */
    int32_t group, tile_tokens, most_rows;
    query_tile *tile;
    int64_t n_tile, n_item;
    unsigned char *scratch;    /* one piece per worker */
    size_t scratch_bytes;
    float *partials;           /* null: each tile goes through its blocks itself */
    size_t partial_floats;     /* of one block */
    int64_t n_partial;         /* per kv head */
} job;

/* A worker's scratch for most_rows rows. */
typedef struct scratch {
    float *q;        /* [m, ldq], scaled, packed */
    float *score;    /* [m, SCORE_LD] */
    float *ramp;     /* [TERN_KEY_BLOCK] absolute positions of the block */
    float *page;     /* a page's values, as recompute_token has them */
    partial whole, block;
} scratch;

static size_t partial_floats(const job *j)
{
    size_t rows = cpu_line_bytes((size_t)j->most_rows * sizeof(float)) / sizeof(float);
    return 2 * rows +
           cpu_line_bytes((size_t)j->most_rows * (size_t)j->a->kv->value_dim * sizeof(float)) / sizeof(float);
}

static partial partial_at(const job *j, float *p)
{
    size_t rows = cpu_line_bytes((size_t)j->most_rows * sizeof(float)) / sizeof(float);
    return (partial){ p, p + rows, p + 2 * rows };
}

static size_t query_floats(const job *j)
{
    return cpu_line_bytes((size_t)j->most_rows * (size_t)j->ldq * sizeof(float)) / sizeof(float);
}

static size_t scratch_floats(const job *j)
{
    return query_floats(j) + (size_t)j->most_rows * SCORE_LD + TERN_KEY_BLOCK +
           (size_t)TERN_KV_PAGE * (size_t)j->a->kv->value_dim + 2 * j->partial_floats;
}

static scratch scratch_of(const job *j, int worker)
{
    float *p = (float *)(void *)(j->scratch + (size_t)worker * j->scratch_bytes);
    scratch d = { .q = p };
    d.score = p + query_floats(j);
    d.ramp = d.score + (size_t)j->most_rows * SCORE_LD;
    d.page = d.ramp + TERN_KEY_BLOCK;
    p = d.page + (size_t)TERN_KV_PAGE * (size_t)j->a->kv->value_dim;
    d.whole = partial_at(j, p);
    d.block = partial_at(j, p + j->partial_floats);
    return d;
}

/* ---- which keys a token sees ----------------------------------------------------------------- */

static int64_t keys_start(const tern_attention *a, int64_t position)
{
    return a->window > 0 && position - a->window + 1 > 0 ? position - a->window + 1 : 0;
}

static int64_t keys_end(const tern_attention *a, int32_t seq, int64_t position)
{
    return a->causal ? position + 1 : (int64_t)a->batch->past[seq] + a->batch->n_tok[seq];
}

/* ---- one block of one tile ------------------------------------------------------------------- */

/* The tile's queries as rows (token, head), times the scale. */
static void take_queries(const job *j, const query_tile *t, int32_t kv_head, float *q)
{
    const tern_attention *a = j->a;
    int64_t dim = a->kv->key_dim;
    for (int32_t i = 0; i < t->n; i++, q += j->group * j->ldq) {
        const float *from = a->q + (a->batch->row[t->seq] + t->first + i) * a->ldq + (int64_t)kv_head * j->group * dim;
        if (!j->pack) j->k->scale_row(q, a->scale, from, (size_t)(j->group * dim));
        for (int32_t h = 0; j->pack && h < j->group; h++) {
            j->k->scale_row(q + h * j->ldq, a->scale, from + h * dim, (size_t)dim);
            j->pack(q + h * j->ldq, (size_t)dim);
        }
    }
}

static void fill(float *s, int64_t lo, int64_t hi, float v)
{
    for (int64_t i = lo; i < hi; i++) s[i] = v;
}

static const float *bias_row(const tern_score_bias *b, int64_t seq, int64_t head, int64_t row)
{
    return b->data ? b->data + seq * b->stride_seq + head * b->stride_head + row * b->stride_row : NULL;
}

/* One row's scores over the block's n keys from position base on, of which it sees [lo, hi):
 * capped, biased, and made the exponentials above the largest of them, which goes to *max; zeros
 * where it sees nothing. Returns their sum. */
static float weigh_row(const job *j, const scratch *d, float *s, int32_t seq, int32_t head, int64_t token, int64_t base,
                       int64_t lo, int64_t hi, int64_t n, float *max)
{
    const tern_attention *a = j->a;
    const float *alibi = bias_row(&a->alibi, seq, head, token), *mask = bias_row(&a->mask, seq, head, token);
    *max = -INFINITY;
    if (lo >= hi) {
        fill(s, 0, n, 0);
        return 0;
    }
    size_t seen = (size_t)(hi - lo);
    if (a->softcap > 0) j->k->softcap_row(s + lo, s + lo, a->softcap, seen);
    if (a->slope) j->k->axpb_row(s + lo, a->slope[head], d->ramp + lo, s + lo, seen);
    if (alibi) cpu_add_row(j->k, s + lo, s + lo, alibi + base + lo, hi - lo);
    if (mask) cpu_add_row(j->k, s + lo, s + lo, mask + base + lo, hi - lo);
    fill(s, 0, lo, -INFINITY);
    fill(s, hi, n, 0);
    return j->exp_row(s, (size_t)hi, max);
}

typedef struct span {
    int64_t base, lo, hi;    /* the block's first position; the keys [lo, hi) in it that the tile sees at all */
} span;

static span span_of(const job *j, const query_tile *t, int32_t block)
{
    const tern_attention *a = j->a;
    int64_t first = (int64_t)a->batch->past[t->seq] + t->first;
    span s = { .base = (int64_t)block * TERN_KEY_BLOCK };
    s.lo = keys_start(a, first) - s.base;
    s.hi = keys_end(a, t->seq, first + t->n - 1) - s.base;
    if (s.lo < 0) s.lo = 0;
    if (s.hi > TERN_KEY_BLOCK) s.hi = TERN_KEY_BLOCK;
    return s;
}

static const void *keys_at(const job *j, const query_tile *t, int32_t kv_head, int64_t position)
{
    const tern_attention *a = j->a;
    return cpu_kv_keys(a->kv, a->batch->page[t->seq][position / TERN_KV_PAGE], a->layer, kv_head);
}

static const void *values_at(const job *j, const query_tile *t, int32_t kv_head, int64_t position)
{
    const tern_attention *a = j->a;
    return cpu_kv_values(a->kv, a->batch->page[t->seq][position / TERN_KV_PAGE], a->layer, kv_head);
}

/* score [m, hi) = q kT, page by page, for the pages that the span touches. While one is multiplied,
 * the next is fetched; at last the first values. */
static void score_block(const job *j, const scratch *d, const query_tile *t, int32_t kv_head, span s)
{
    size_t m = (size_t)t->n * (size_t)j->group, dim = (size_t)j->a->kv->key_dim;
    int64_t start = s.lo / TERN_KV_PAGE * TERN_KV_PAGE;
    for (int64_t at = start; at < s.hi; at += TERN_KV_PAGE) {
        int64_t n = s.hi - at < TERN_KV_PAGE ? s.hi - at : TERN_KV_PAGE, after = at + TERN_KV_PAGE;
        const void *next = after < s.hi ? keys_at(j, t, kv_head, s.base + after)
                                        : values_at(j, t, kv_head, s.base + start);
        j->product(d->score + at, SCORE_LD, d->q, (size_t)j->ldq, keys_at(j, t, kv_head, s.base + at), TERN_KV_PAGE, m,
                   (size_t)n, dim, false, next);
    }
}

/* value [m, value_dim] = p v over the same pages. next: the keys that follow these values. */
static void weigh_block(const job *j, const scratch *d, const query_tile *t, int32_t kv_head, span s, float *value,
                        const void *next)
{
    size_t m = (size_t)t->n * (size_t)j->group, dim = (size_t)j->a->kv->value_dim;
    int64_t start = s.lo / TERN_KV_PAGE * TERN_KV_PAGE;
    for (int64_t at = start; at < s.hi; at += TERN_KV_PAGE) {
        int64_t n = s.hi - at < TERN_KV_PAGE ? s.hi - at : TERN_KV_PAGE, after = at + TERN_KV_PAGE;
        const void *then = after < s.hi ? values_at(j, t, kv_head, s.base + after) : next;
        j->product(value, dim, d->score + at, SCORE_LD, values_at(j, t, kv_head, s.base + at), dim, m, dim, (size_t)n,
                   at > start, then);
    }
}

/* A number less itself is zero, if it is finite. */
static bool all_finite(const float *v, int64_t n)
{
    typedef float f32x16 __attribute__((vector_size(64)));
    f32x16 zeros = { 0 };
    float sum = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        f32x16 x;
        memcpy(&x, v + i, sizeof x);
        zeros += x - x;
    }
    for (; i < n; i++) sum += v[i] - v[i];
    for (int lane = 0; lane < 16; lane++) sum += zeros[lane];
    return sum == 0;
}

/* The keys [lo, hi) of the span's block that token i of the tile sees. */
static span seen_by(const job *j, const query_tile *t, int32_t i, span s)
{
    int64_t position = (int64_t)j->a->batch->past[t->seq] + t->first + i, lo = keys_start(j->a, position) - s.base,
        hi = keys_end(j->a, t->seq, position) - s.base;
    return (span){ s.base, lo < 0 ? 0 : lo, hi < s.hi ? hi : s.hi };
}

/* Token i's rows of value once more, the values that it does not see being zeros: its weights for
 * them are zero, and so is the product unless such a value is infinite or NaN. */
static void recompute_token(const job *j, const scratch *d, const query_tile *t, int32_t kv_head, int32_t i, span s,
                            float *value)
{
    int64_t start = s.lo / TERN_KV_PAGE * TERN_KV_PAGE, first = (int64_t)i * j->group;
    size_t dim = (size_t)j->a->kv->value_dim;
    span seen = seen_by(j, t, i, s);
    for (int64_t at = start; at < s.hi; at += TERN_KV_PAGE) {
        int64_t n = s.hi - at < TERN_KV_PAGE ? s.hi - at : TERN_KV_PAGE;
        cpu_kv_values_between(j->a->kv, d->page, values_at(j, t, kv_head, s.base + at), seen.lo - at, seen.hi - at);
        j->product(value + first * (int64_t)dim, dim, d->score + first * SCORE_LD + at, SCORE_LD, d->page, dim,
                   (size_t)j->group, dim, (size_t)n, at > start, NULL);
    }
}

/* What a token does not see must not reach it, whatever it is. */
static void recompute_rows(const job *j, const scratch *d, const query_tile *t, int32_t kv_head, span s, float *value)
{
    int64_t start = s.lo / TERN_KV_PAGE * TERN_KV_PAGE, each = (int64_t)j->group * j->a->kv->value_dim;
    for (int32_t i = 0; i < t->n; i++) {
        span seen = seen_by(j, t, i, s);
        if ((seen.lo > start || seen.hi < s.hi) && seen.lo < seen.hi && !all_finite(value + i * each, each))
            recompute_token(j, d, t, kv_head, i, s, value);
    }
}

/* What one block gives the tile's rows. d->q holds the queries. then: the block after this one
 * follows. */
static void run_block(const job *j, const scratch *d, const query_tile *t, int32_t kv_head, int32_t block, bool then,
                      partial *out)
{
    const tern_attention *a = j->a;
    span s = span_of(j, t, block);
    int64_t n = (s.hi + j->cell - 1) / j->cell * j->cell;
    score_block(j, d, t, kv_head, s);
    if (a->slope)
        for (int64_t i = 0; i < s.hi; i++) d->ramp[i] = (float)(s.base + i);
    for (int32_t i = 0; i < t->n; i++) {
        span seen = seen_by(j, t, i, s);
        for (int32_t r = i * j->group; r < (i + 1) * j->group; r++) {
            int32_t head = kv_head * j->group + r % j->group;
            out->sum[r] = weigh_row(j, d, d->score + (int64_t)r * SCORE_LD, t->seq, head, t->first + i, s.base, seen.lo,
                                    seen.hi, n, &out->max[r]);
        }
    }
    weigh_block(j, d, t, kv_head, s, out->value, then ? keys_at(j, t, kv_head, s.base + TERN_KEY_BLOCK) : NULL);
    recompute_rows(j, d, t, kv_head, s, out->value);
}

/* ---- merging --------------------------------------------------------------------------------- */

/* into (the keys so far) and block (later ones) of row r. A NaN on either side stays. */
static void merge_row(const job *j, partial *into, const partial *block, int32_t r)
{
    size_t dim = (size_t)j->a->kv->value_dim;
    float *value = into->value + (size_t)r * dim;
    const float *more = block->value + (size_t)r * dim;
    if (block->max[r] == -INFINITY) return;
    if (into->max[r] == -INFINITY) {
        into->max[r] = block->max[r];
        into->sum[r] = block->sum[r];
        memcpy(value, more, dim * sizeof *value);
        return;
    }
    float max = block->max[r] <= into->max[r] ? into->max[r] : block->max[r];
    float keep = expf(into->max[r] - max), take = expf(block->max[r] - max);
    if (keep != 1.0f) j->k->scale_row(value, keep, value, dim);
    j->k->axpb_row(value, take, more, value, dim);
    into->sum[r] = into->sum[r] * keep + block->sum[r] * take;
    into->max[r] = max;
}

static void start_rows(partial *whole, int32_t m)
{
    for (int32_t r = 0; r < m; r++) whole->max[r] = -INFINITY;
}

static void merge_rows(const job *j, partial *into, const partial *block, int32_t m)
{
    for (int32_t r = 0; r < m; r++) merge_row(j, into, block, r);
}

/* The rows' results: values over the sum, in which a sink takes part. */
static void finish_rows(const job *j, const query_tile *t, int32_t kv_head, const partial *whole)
{
    const tern_attention *a = j->a;
    int64_t dim = a->kv->value_dim;
    for (int32_t r = 0; r < t->n * j->group; r++) {
        int32_t head = kv_head * j->group + r % j->group;
        float *out = a->out + (a->batch->row[t->seq] + t->first + r / j->group) * a->ldout + head * dim;
        float sum = whole->sum[r], keep = 1.0f, max = whole->max[r];
        if (max == -INFINITY) {
            memset(out, 0, (size_t)dim * sizeof *out);
            continue;
        }
        if (a->sink) {
            float top = a->sink[head] > max ? a->sink[head] : max;
            keep = expf(max - top);
            sum = sum * keep + expf(a->sink[head] - top);
        }
        j->k->scale_row(out, keep / sum, whole->value + (int64_t)r * dim, (size_t)dim);
        cpu_round_row(j->k, a->round, out, dim);
    }
}

/* ---- tiles ----------------------------------------------------------------------------------- */

static void run_tiles(void *arg, int64_t lo, int64_t hi, int worker)
{
    const job *j = arg;
    scratch d = scratch_of(j, worker);
    for (int64_t item = lo; item < hi; item++) {
        /* one head's keys stay in a cache for all tiles; the last tiles of a prompt see the most
         * keys: they go first */
        const query_tile *t = &j->tile[j->n_tile - 1 - item % j->n_tile];
        int32_t kv_head = (int32_t)(item / j->n_tile), m = t->n * j->group;
        take_queries(j, t, kv_head, d.q);
        if (t->block == t->end_block) start_rows(&d.whole, m);
        for (int32_t b = t->block; b < t->end_block; b++) {
            run_block(j, &d, t, kv_head, b, b + 1 < t->end_block, b == t->block ? &d.whole : &d.block);
            if (b > t->block) merge_rows(j, &d.whole, &d.block, m);
        }
        finish_rows(j, t, kv_head, &d.whole);
    }
}

static partial stored_partial(const job *j, const query_tile *t, int32_t kv_head, int32_t block)
{
    int64_t index = kv_head * j->n_partial + t->partial_at + (block - t->block);
    return partial_at(j, j->partials + (size_t)index * j->partial_floats);
}

static void run_blocks(void *arg, int64_t lo, int64_t hi, int worker)
{
    const job *j = arg;
    scratch d = scratch_of(j, worker);
    for (int64_t item = lo; item < hi; item++) {
        int32_t kv_head = (int32_t)(item / j->n_partial);
        int64_t at = item % j->n_partial, i = 0;
        while (i + 1 < j->n_tile && j->tile[i + 1].partial_at <= at) i++;
        const query_tile *t = &j->tile[i];
        int32_t block = t->block + (int32_t)(at - t->partial_at);
        partial out = stored_partial(j, t, kv_head, block);
        take_queries(j, t, kv_head, d.q);
        run_block(j, &d, t, kv_head, block, item + 1 < hi && block + 1 < t->end_block, &out);
    }
}

static void merge_blocks(void *arg, int64_t lo, int64_t hi, int worker)
{
    const job *j = arg;
    scratch d = scratch_of(j, worker);
    for (int64_t item = lo; item < hi; item++) {
        const query_tile *t = &j->tile[item / j->a->kv->n_kv_head];
        int32_t kv_head = (int32_t)(item % j->a->kv->n_kv_head), m = t->n * j->group;
        start_rows(&d.whole, m);
        for (int32_t b = t->block; b < t->end_block; b++) {
            partial block = stored_partial(j, t, kv_head, b);
            merge_rows(j, &d.whole, &block, m);
        }
        finish_rows(j, t, kv_head, &d.whole);
    }
}

/* ---- the plan -------------------------------------------------------------------------------- */

static query_tile plan_tile(const job *j, int32_t seq, int32_t first, int32_t n, int64_t partial_index)
{
    const tern_attention *a = j->a;
    int64_t position = (int64_t)a->batch->past[seq] + first;
    int64_t start = keys_start(a, position), end = keys_end(a, seq, position + n - 1);
    query_tile t = { .seq = seq, .first = first, .n = n, .partial_at = partial_index };
    t.block = (int32_t)(start / TERN_KEY_BLOCK);
    t.end_block = (int32_t)((end + TERN_KEY_BLOCK - 1) / TERN_KEY_BLOCK);
    if (t.end_block < t.block) t.end_block = t.block;
    return t;
}

static tern_status plan_tiles(tern_ctx *ctx, job *j)
{
    const tern_ragged *b = j->a->batch;
    int64_t n = 0;
    for (int32_t s = 0; s < b->n_seq; s++) n += (b->n_tok[s] + j->tile_tokens - 1) / j->tile_tokens;
    j->tile = tern_arena_get(ctx, &ctx->step, (size_t)n, sizeof *j->tile);
    if (!j->tile) return TERN_ERR_MEMORY;
    for (int32_t s = 0; s < b->n_seq; s++)
        for (int32_t i = 0; i < b->n_tok[s]; i += j->tile_tokens) {
            query_tile t = plan_tile(j, s, i, b->n_tok[s] - i < j->tile_tokens ? b->n_tok[s] - i : j->tile_tokens,
                                     j->n_partial);
            j->n_partial += t.end_block - t.block;
            j->tile[j->n_tile++] = t;
        }
    j->n_item = j->n_tile * j->a->kv->n_kv_head;
    return TERN_OK;
}

static tern_status get_scratch(tern_ctx *ctx, job *j)
{
    int64_t threads = tern_pool_threads(ctx->pool);
    j->partial_floats = partial_floats(j);
    j->scratch_bytes = scratch_floats(j) * sizeof(float);
    j->scratch = tern_arena_get(ctx, &ctx->step, (size_t)threads, j->scratch_bytes);
    if (!j->scratch) return TERN_ERR_MEMORY;
    if (threads == 1 || j->n_item >= TILES_A_THREAD * threads || j->n_partial <= j->n_tile) return TERN_OK;
    /* space for what these sequences can grow to (up to a point), so that a long generation does
     * not take memory now and then */
    int64_t pool = j->a->kv->n_page / (TERN_KEY_BLOCK / TERN_KV_PAGE) + j->n_tile;
    int64_t n_stored = pool < MOST_PARTIALS ? pool : MOST_PARTIALS;
    if (n_stored < j->n_partial) n_stored = j->n_partial;
    j->partials = tern_arena_get(ctx, &ctx->step, (size_t)(n_stored * j->a->kv->n_kv_head),
                                 j->partial_floats * sizeof(float));
    return j->partials ? TERN_OK : TERN_ERR_MEMORY;
}

/* Under compute bf16 what meets bf16 is rounded to it. */
static void choose_product(job *j, tern_dtype type, tern_dtype compute)
{
    const tern_kernels *k = j->k;
    bool packed = type == TERN_BF16 && compute == TERN_BF16;
    int64_t dim = j->a->kv->key_dim;
    if (packed) j->product = k->gemm_nn_bf16_bf16;
    else if (type == TERN_F32) j->product = k->gemm_nn_f32;
    else if (type == TERN_BF16) j->product = k->gemm_nn_bf16;
    else j->product = k->gemm_nn_f16;
    j->pack = packed ? k->pack_nn_bf16 : NULL;
    j->exp_row = packed ? k->exp_nn_bf16_row : k->exp_row;
    j->cell = packed ? NN_CELL : 1;
    j->ldq = packed ? (dim + j->cell - 1) / j->cell * j->cell : dim;
}

tern_status cpu_attention(tern_ctx *ctx, const tern_attention *a)
{
    tern_status st = TERN_OK;
    tern_mark mark = tern_arena_mark(&ctx->step);
    job j = { .k = ctx->kernels, .a = a, .group = a->n_head / a->kv->n_kv_head };
    int32_t longest = 0;
    choose_product(&j, a->kv->dtype, a->compute);
    for (int32_t s = 0; s < a->batch->n_seq; s++)
        if (a->batch->n_tok[s] > longest) longest = a->batch->n_tok[s];
    j.tile_tokens = TILE_ROWS / j.group > 1 ? TILE_ROWS / j.group : 1;
    if (j.tile_tokens > TILE_TOKENS) j.tile_tokens = TILE_TOKENS;
    if (j.tile_tokens > longest) j.tile_tokens = longest > 0 ? longest : 1;
    j.most_rows = j.tile_tokens * j.group;
    TERN_TRY(plan_tiles(ctx, &j));
    TERN_TRY(get_scratch(ctx, &j));
    if (j.partials) {
        int64_t n = j.n_partial * a->kv->n_kv_head, share = n / (BLOCK_RUNS * tern_pool_threads(ctx->pool));
        tern_parallel_for(ctx, n, share > 0 ? share : 1, run_blocks, &j);
        tern_parallel_for(ctx, j.n_item, 1, merge_blocks, &j);
    } else {
        tern_parallel_for(ctx, j.n_item, 1, run_tiles, &j);
    }
done:
    tern_arena_reset(&ctx->step, mark);
    return st;
}
