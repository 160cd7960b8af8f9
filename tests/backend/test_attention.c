/* Attention over the paged cache against its formula in double, for every option; and the promise
 * that a token's bits depend on its own sequence alone: not on chunks, on the batch, on threads, or
 * on what lies in pages beyond the written tokens. */
#include "backend/rig.h"

enum { NO_MASK, MASK_KEYS, MASK_FULL, MASK_HOLES, MASK_ROW_NONE, MASK_SHARED_HEADS };
enum { MOST_SEQ = 3, SINGLES = 50 };

typedef struct row {
    int n_head, n_kv_head, key_dim, value_dim;
    tern_dtype kv;
    int n_seq, past[MOST_SEQ], n_tok[MOST_SEQ];
    bool causal;
    int window;
    float softcap;
    bool slope, alibi, sink;
    int mask;
    tern_dtype compute, round;
    const char *why;
} row;

static const row rows[] = {
    { 4, 4, 16, 16, TERN_F32, 1, { 0 }, { 9 }, .causal = true, .why = "a short prompt, one kv head a head" },
    { 1, 1, 1, 1, TERN_F32, 1, { 0 }, { 1 }, .causal = true, .why = "the least of everything" },
    { 8, 2, 32, 32, TERN_F32, 1, { 0 }, { 300 }, .causal = true,
      .why = "grouped queries, several pages, two key blocks" },
    { 6, 1, 24, 24, TERN_F16, 1, { 700 }, { 1 }, .causal = true,
      .why = "one kv head, a single token, f16, three blocks" },
    { 8, 4, 40, 40, TERN_BF16, 2, { 255, 256 }, { 3, 1 }, .causal = true,
      .why = "two sequences at a block's edge, bf16" },
    { 4, 2, 16, 16, TERN_F32, 3, { 0, 63, 64 }, { 65, 2, 1 }, .causal = false, .why = "an encoder's view: every key" },
    { 4, 2, 16, 16, TERN_F32, 1, { 0 }, { 40 }, .causal = true, .window = 40, .why = "a window of all keys" },
    { 4, 2, 16, 16, TERN_F32, 1, { 0 }, { 40 }, .causal = true, .window = 39, .why = "a window one key short" },
    { 4, 2, 16, 16, TERN_F32, 1, { 0 }, { 40 }, .causal = true, .window = 41, .why = "a window one key long" },
    { 4, 2, 16, 16, TERN_F32, 2, { 600, 10 }, { 70, 70 }, .causal = true, .window = 100,
      .why = "a window that skips whole blocks" },
    { 6, 1, 16, 16, TERN_F32, 2, { 1000, 30 }, { 1, 2 }, .causal = true, .window = 300,
      .why = "a decode step whose first blocks are out of reach" },
    { 4, 2, 16, 16, TERN_F32, 1, { 0 }, { 70 }, .causal = true, .window = 1, .why = "a window of the token itself" },
    { 4, 2, 16, 16, TERN_F32, 1, { 0 }, { 300 }, .causal = false, .window = 20,
      .why = "a window without a causal limit" },
    { 4, 2, 32, 32, TERN_F32, 1, { 250 }, { 20 }, .causal = true, .softcap = 2, .why = "soft capping" },
    { 4, 2, 32, 32, TERN_F32, 2, { 250, 3 }, { 20, 5 }, .causal = true, .slope = true,
      .why = "slopes times absolute positions" },
    { 4, 4, 16, 16, TERN_F32, 2, { 0, 5 }, { 30, 25 }, .causal = true, .alibi = true,
      .why = "an alibi tensor, one row a head" },
    { 4, 2, 16, 16, TERN_F32, 2, { 0, 5 }, { 30, 25 }, .causal = true, .mask = MASK_KEYS,
      .why = "a mask by sequence and key" },
    { 4, 2, 16, 16, TERN_F32, 2, { 0, 5 }, { 300, 280 }, .causal = false, .mask = MASK_FULL,
      .why = "a mask by everything" },
    { 4, 2, 16, 16, TERN_F32, 2, { 0, 5 }, { 30, 25 }, .causal = false, .mask = MASK_SHARED_HEADS,
      .why = "a mask by row and key, broadcast over sequences and heads" },
    { 4, 2, 16, 16, TERN_F32, 2, { 0, 260 }, { 300, 40 }, .causal = true, .mask = MASK_HOLES,
      .why = "-inf for many keys" },
    { 4, 2, 16, 16, TERN_F32, 1, { 0 }, { 30 }, .causal = true, .mask = MASK_ROW_NONE,
      .why = "rows that see no key give zeros" },
    { 4, 2, 16, 16, TERN_F32, 1, { 0 }, { 30 }, .causal = true, .mask = MASK_ROW_NONE, .sink = true,
      .why = "a sink alone gives zeros" },
    { 8, 2, 32, 32, TERN_F32, 2, { 500, 0 }, { 1, 20 }, .causal = true, .sink = true, .why = "sinks" },
    { 4, 1, 48, 20, TERN_F32, 1, { 300 }, { 7 }, .causal = true, .why = "values narrower than keys" },
    { 2, 2, 12, 80, TERN_BF16, 1, { 3 }, { 100 }, .causal = true, .why = "values wider than keys" },
    { 71, 1, 8, 8, TERN_F32, 1, { 60 }, { 9 }, .causal = true, .why = "more heads in a group than a tile has rows" },
    { 4, 2, 16, 16, TERN_F16, 1, { 20 }, { 30 }, .causal = true, .round = TERN_F16,
      .why = "the context rounded to f16" },
    { 4, 2, 16, 16, TERN_BF16, 1, { 20 }, { 30 }, .causal = true, .round = TERN_BF16,
      .why = "the context rounded to bf16" },
    { 8, 1, 64, 64, TERN_BF16, 1, { 0 }, { 150 }, .causal = true, .compute = TERN_BF16,
      .why = "bf16 products: a prompt, pages and tiles whole and not" },
    { 6, 2, 80, 40, TERN_BF16, 2, { 700, 31 }, { 1, 33 }, .causal = true, .compute = TERN_BF16,
      .why = "bf16 products: more than a cell of channels, half a tile of values" },
    { 3, 3, 7, 9, TERN_BF16, 1, { 0 }, { 37 }, .causal = true, .compute = TERN_BF16,
      .why = "bf16 products: odd channels and tokens" },
    { 4, 2, 16, 16, TERN_F32, 1, { 5 }, { 20 }, .causal = true, .compute = TERN_BF16,
      .why = "bf16 products over a cache of f32 stay f32" },
    { 4, 2, 16, 16, TERN_F32, 3, { 3, 0, 600 }, { 0, 0, 2 }, .causal = true, .why = "sequences without rows" },
    { 4, 2, 16, 16, TERN_F32, 0, { 0 }, { 0 }, .causal = true, .why = "an empty batch" },
    { 8, 4, 24, 24, TERN_BF16, 2, { 0, 260 }, { 300, 50 }, .causal = true, .window = 300, .softcap = 30, .slope = true,
      .sink = true, .mask = MASK_HOLES, .why = "all at once" },
    { 8, 4, 24, 24, TERN_BF16, 2, { 0, 260 }, { 300, 50 }, .causal = true, .window = 300, .softcap = 30, .slope = true,
      .sink = true, .mask = MASK_HOLES, .compute = TERN_BF16, .why = "all at once, bf16 products" },
};

/* A batch's numbers: k, v of all tokens of each sequence as the cache rounds them, q of the new
 * rows. */
typedef struct problem {
    const row *r;
    /* first row of a sequence in q; past + n_tok; the longest total */
    int32_t start[MOST_SEQ], total[MOST_SEQ], n_row, most;
    float *q, *k[MOST_SEQ], *v[MOST_SEQ];
    float *slope, *sink, *alibi, *mask;
    tern_score_bias alibi_bias, mask_bias;
    int32_t *page[MOST_SEQ], n_page;
} problem;

static void make_mask(problem *p)
{
    const row *r = p->r;
    int64_t most = p->most, by_row = p->n_row * most, by_head = r->n_head * by_row;
    p->mask = rig_floats((size_t)(r->n_seq * by_head), 2);
    p->mask_bias = (tern_score_bias){ p->mask, by_head, by_row, most };
    if (r->mask == MASK_KEYS) p->mask_bias = (tern_score_bias){ p->mask, most, 0, 0 };
    if (r->mask == MASK_SHARED_HEADS) p->mask_bias = (tern_score_bias){ p->mask, 0, 0, most };
    for (int64_t i = 0; i < r->n_seq * by_head; i++) {
        if (r->mask == MASK_HOLES && rig_below(3)) p->mask[i] = -INFINITY;
        if (r->mask == MASK_ROW_NONE && i / most % 2) p->mask[i] = -INFINITY;
    }
}

static void make(problem *p, const row *r)
{
    *p = (problem){ .r = r };
    for (int s = 0; s < r->n_seq; s++) {
        p->start[s] = p->n_row;
        p->n_row += r->n_tok[s];
        p->total[s] = r->past[s] + r->n_tok[s];
        if (p->total[s] > p->most) p->most = p->total[s];
        p->k[s] = rig_floats((size_t)(p->total[s] * r->n_kv_head * r->key_dim), 1);
        p->v[s] = rig_floats((size_t)(p->total[s] * r->n_kv_head * r->value_dim), 1);
        p->n_page += p->total[s] / TERN_KV_PAGE + 1;
    }
    p->q = rig_floats((size_t)(p->n_row * r->n_head * r->key_dim), 2);
    if (r->slope) p->slope = rig_floats((size_t)r->n_head, 0.05f);
    if (r->sink) p->sink = rig_floats((size_t)r->n_head, 3);
    if (r->alibi) {
        p->alibi = rig_floats((size_t)(r->n_seq * r->n_head * p->most), 2);
        p->alibi_bias = (tern_score_bias){ p->alibi, (int64_t)r->n_head * p->most, p->most, 0 };
    }
    if (r->mask) make_mask(p);
    int32_t *all = malloc((size_t)(p->n_page + 1) * sizeof *all);
    for (int32_t i = 0; i < p->n_page; i++) {
        int32_t at = (int32_t)rig_below(i + 1);
        all[i] = all[at];
        all[at] = i;
    }
    for (int s = 0, next = 0; s < r->n_seq; s++) {
        p->page[s] = all + next;
        next += p->total[s] / TERN_KV_PAGE + 1;
    }
    if (!r->n_seq) p->page[0] = all;
}

static void unmake(problem *p)
{
    for (int s = 0; s < MOST_SEQ; s++) {
        free(p->k[s]);
        free(p->v[s]);
    }
    free(p->page[0]);
    free(p->q);
    free(p->slope);
    free(p->sink);
    free(p->alibi);
    free(p->mask);
}

static bool packs(const row *r)
{
    return r->kv == TERN_BF16 && r->compute == TERN_BF16;
}

/* One row of one head, as the formula says. */
static void expect_head(const problem *p, int s, int i, int h, double *out)
{
    const row *r = p->r;
    int kv_head = h / (r->n_head / r->n_kv_head), position = r->past[s] + i, n = p->total[s];
    const float *q = p->q + ((size_t)(p->start[s] + i) * (size_t)r->n_head + (size_t)h) * (size_t)r->key_dim;
    double *z = malloc((size_t)n * sizeof *z), max = -INFINITY, sum = 0;
    float scale = 0.7f / sqrtf((float)r->key_dim);
    for (int j = 0; j < n; j++) {
        const float *k = p->k[s] + ((size_t)j * (size_t)r->n_kv_head + (size_t)kv_head) * (size_t)r->key_dim;
        z[j] = 0;
        for (int d = 0; d < r->key_dim; d++)
            z[j] += (packs(r) ? rig_round(TERN_BF16, q[d] * scale) : (double)q[d] * scale) * rig_round(r->kv, k[d]);
        if (r->softcap > 0) z[j] = r->softcap * tanh(z[j] / r->softcap);
        if (p->slope) z[j] += (double)p->slope[h] * j;
        if (p->alibi) z[j] += p->alibi[((size_t)s * (size_t)r->n_head + (size_t)h) * (size_t)p->most + (size_t)j];
        if (p->mask)
            z[j] += p->mask[s * p->mask_bias.stride_seq + h * p->mask_bias.stride_head + i * p->mask_bias.stride_row +
                            j];
        if ((r->causal && j > position) || (r->window && j <= position - r->window)) z[j] = -INFINITY;
        if (z[j] > max) max = z[j];
    }
    for (int d = 0; d < r->value_dim; d++) out[d] = 0;
    if (max > -INFINITY) {
        for (int j = 0; j < n; j++) sum += exp(z[j] - max);
        if (p->sink) sum += exp(p->sink[h] - max);
        for (int j = 0; j < n; j++)
            for (int d = 0; d < r->value_dim; d++)
                out[d] += exp(z[j] - max) / sum *
                          rig_round(r->kv, p->v[s][((size_t)j * (size_t)r->n_kv_head + (size_t)kv_head) *
                                                   (size_t)r->value_dim + (size_t)d]);
    }
    free(z);
}

/* A cache whose every byte is 0xFF: NaN in each type. */
static tern_kv make_cache(const problem *p)
{
    const row *r = p->r;
    tern_kv kv = { .dtype = r->kv, .n_layer = 2, .n_kv_head = r->n_kv_head, .key_dim = r->key_dim,
                   .value_dim = r->value_dim, .n_page = p->n_page };
    size_t n = tern_kv_bytes(&kv, p->n_page);
    kv.data = malloc(n + 1);
    memset(kv.data, 0xFF, n);
    return kv;
}

static void write_tokens(tern_ctx *ctx, const problem *p, const tern_kv *kv, int s, int first, int n)
{
    const row *r = p->r;
    int32_t start = 0, n_tok = n, past = first;
    const int32_t *page = p->page[s];
    tern_ragged batch = { .n_seq = 1, .n_row = n, .row = &start, .n_tok = &n_tok, .past = &past, .page = &page };
    int64_t ldk = (int64_t)r->n_kv_head * r->key_dim, ldv = (int64_t)r->n_kv_head * r->value_dim;
    tern_kv_write w = { kv, 1, &batch, p->k[s] + first * ldk, p->v[s] + first * ldv, ldk, ldv };
    assert_int_equal(ctx->backend->kv_write(ctx, &w), TERN_OK);
}

/* Attention of tokens [first[s], first[s] + n[s]) of the new rows of each sequence of the batch. */
static void attend(tern_ctx *ctx, const problem *p, const tern_kv *kv, const int *first, const int *n, float *out)
{
    const row *r = p->r;
    int32_t start[MOST_SEQ], n_tok[MOST_SEQ], past[MOST_SEQ], n_row = 0;
    const int32_t *page[MOST_SEQ];
    for (int s = 0; s < r->n_seq; s++) {
        start[s] = n_row;
        n_tok[s] = n[s];
        past[s] = r->past[s] + first[s];
        page[s] = p->page[s];
        n_row += n[s];
    }
    int64_t ldq = (int64_t)r->n_head * r->key_dim, ldout = (int64_t)r->n_head * r->value_dim;
    float *q = malloc((size_t)(n_row * ldq + 1) * sizeof *q), *y = malloc((size_t)(n_row * ldout + 1) * sizeof *y);
    for (int s = 0; s < r->n_seq; s++)
        memcpy(q + start[s] * ldq, p->q + (p->start[s] + first[s]) * ldq, (size_t)(n[s] * ldq) * sizeof *q);
    tern_ragged batch = { r->n_seq, n_row, start, n_tok, past, page };
    tern_attention a = {
        .kv = kv, .layer = 1, .n_head = r->n_head, .batch = &batch, .q = q, .out = y, .ldq = ldq, .ldout = ldout,
        .scale = 0.7f / sqrtf((float)r->key_dim), .softcap = r->softcap, .causal = r->causal, .window = r->window,
        .slope = p->slope, .sink = p->sink, .alibi = p->alibi_bias, .mask = p->mask_bias, .compute = r->compute,
        .round = r->round,
    };
    if (r->n_seq == 1 && p->mask) a.mask.data += first[0] * a.mask.stride_row;
    assert_int_equal(ctx->backend->attention(ctx, &a), TERN_OK);
    for (int s = 0; s < r->n_seq; s++)
        memcpy(out + (p->start[s] + first[s]) * ldout, y + start[s] * ldout, (size_t)(n[s] * ldout) * sizeof *y);
    free(q);
    free(y);
}

static void test_formula(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const row *r = &rows[i];
        problem p;
        tern_ctx *ctx;
        const int none[MOST_SEQ] = { 0 };
        float *one_thread = NULL;
        rig_seed = i;
        make(&p, r);
        size_t n = (size_t)(p.n_row * r->n_head * r->value_dim);
        double *want = malloc((n + 1) * sizeof *want);
        for (int s = 0; s < r->n_seq; s++)
            for (int t = 0; t < r->n_tok[s]; t++)
                for (int h = 0; h < r->n_head; h++)
                    expect_head(&p, s, t, h, want +
                                ((size_t)(p.start[s] + t) * (size_t)r->n_head + (size_t)h) * (size_t)r->value_dim);
        RIG_EACH(ctx) {
            tern_kv kv = make_cache(&p);
            float *out = malloc((n + 1) * sizeof *out);
            for (int s = 0; s < r->n_seq; s++) write_tokens(ctx, &p, &kv, s, 0, p.total[s]);
            attend(ctx, &p, &kv, none, r->n_tok, out);
            /* a weight that is rounded moves by so much of itself; values are within 1 */
            double weights = packs(r) ? 0x1p-9 : 0;
            for (size_t e = 0; e < n; e++)
                rig_near(ctx, r->why, e, out[e], rig_round(r->round, want[e]),
                         weights + 1e-5 + 2 * rig_eps(r->round) * (fabs(want[e]) + 0.01));
            if (one_thread && tern_ctx_threads(ctx) > 1) rig_same_bits(ctx, r->why, out, one_thread, n);
            if (tern_ctx_threads(ctx) == 1) {
                free(one_thread);
                one_thread = rig_copy(out, n);
            }
            free(out);
            free(kv.data);
        }
        free(one_thread);
        free(want);
        unmake(&p);
    }
}

/* Sequence 0 of r alone, in chunks, against the whole batch at once. */
static void check_chunks(const row *r)
{
    static const int chunks[] = { 1, 7, 64, 100000 };
    problem p;
    tern_ctx *ctx;
    const int none[MOST_SEQ] = { 0 };
    make(&p, r);
    row alone = *r;
    alone.n_seq = 1;
    int64_t ldout = (int64_t)r->n_head * r->value_dim;
    RIG_EACH(ctx) {
        float *whole = malloc((size_t)(p.n_row * ldout + 1) * sizeof *whole),
            *parts = malloc((size_t)(p.n_row * ldout + 1) * sizeof *parts);
        tern_kv kv = make_cache(&p);
        for (int s = 0; s < r->n_seq; s++) write_tokens(ctx, &p, &kv, s, 0, p.total[s]);
        attend(ctx, &p, &kv, none, r->n_tok, whole);
        for (size_t c = strcmp(tern_ctx_isa(ctx), "scalar") ? 0 : 1; c < 4; c++) {
            problem single = p;
            single.r = &alone;
            memset(kv.data, 0xFF, tern_kv_bytes(&kv, p.n_page));
            write_tokens(ctx, &single, &kv, 0, 0, r->past[0]);
            for (int first = 0, n; first < r->n_tok[0]; first += n) {
                n = !first && chunks[c] == 1 ? r->n_tok[0] - SINGLES : chunks[c];    /* the last ones go one by one */
                if (n > r->n_tok[0] - first) n = r->n_tok[0] - first;
                write_tokens(ctx, &single, &kv, 0, r->past[0] + first, n);
                attend(ctx, &single, &kv, &first, &n, parts);
            }
            rig_same_bits(ctx, r->why, parts, whole, (size_t)(r->n_tok[0] * ldout));
        }
        free(kv.data);
        free(whole);
        free(parts);
    }
    unmake(&p);
}

static void test_same_bits(void **state)
{
    static const row chunked[] = {
        { 8, 2, 16, 16, TERN_F32, 1, { 0 }, { 280 }, .causal = true, .why = "a prompt alone" },
        { 8, 2, 16, 16, TERN_BF16, 3, { 200, 300, 5 }, { 80, 1, 90 }, .causal = true, .why = "among others" },
        { 4, 4, 12, 20, TERN_F16, 2, { 430, 0 }, { 100, 64 }, .causal = true, .window = 200, .sink = true,
          .why = "a window and sinks, on from a cached prefix" },
        { 4, 1, 16, 16, TERN_F32, 2, { 160, 0 }, { 120, 64 }, .causal = true, .softcap = 5, .slope = true,
          .why = "caps and slopes" },
        { 8, 1, 64, 64, TERN_BF16, 3, { 200, 300, 5 }, { 90, 1, 40 }, .causal = true, .compute = TERN_BF16,
          .why = "bf16 products" },
        { 4, 2, 80, 24, TERN_BF16, 2, { 430, 0 }, { 100, 64 }, .causal = true, .window = 200, .sink = true,
          .compute = TERN_BF16, .why = "bf16 products, a window" },
        { 4, 2, 8, 8, TERN_F32, 1, { 200 }, { 80 }, .causal = true, .mask = MASK_FULL, .why = "a mask by everything" },
        { 4, 2, 8, 8, TERN_F32, 1, { 200 }, { 80 }, .causal = true, .mask = MASK_HOLES, .why = "-inf for many keys" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof chunked / sizeof *chunked; i++) {
        rig_seed = 100 + i;
        check_chunks(&chunked[i]);
    }
}

static void check_nan(const row *r)
{
    const int none[MOST_SEQ] = { 0 };
    problem p;
    tern_ctx *ctx;
    rig_seed = 7;
    make(&p, r);
    p.k[0][20 * 8] = NAN;
    RIG_EACH(ctx) {
        float out[80 * 2 * 8];
        tern_kv kv = make_cache(&p);
        for (int s = 0; s < 2; s++) write_tokens(ctx, &p, &kv, s, 0, 40);
        attend(ctx, &p, &kv, none, r->n_tok, out);
        for (size_t e = 0; e < sizeof out / sizeof *out; e++)
            if (isnan(out[e]) != (e / 16 >= 20 && e / 16 < 40))
                fail_msg("%s, %s: row %zu is %g", r->why, rig_name(ctx), e / 16, out[e]);
        free(kv.data);
    }
    unmake(&p);
}

/* A NaN among what a row sees makes that row NaN, and no other; an infinite score likewise gives
 * NaN, not a crash. */
static void test_nan(void **state)
{
    static const row kinds[] = {
        { 2, 1, 8, 8, TERN_F32, 2, { 0, 0 }, { 40, 40 }, .causal = true, .why = "a NaN key" },
        { 2, 1, 8, 8, TERN_BF16, 2, { 0, 0 }, { 40, 40 }, .causal = true, .compute = TERN_BF16,
          .why = "a NaN key, bf16 products" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) check_nan(&kinds[i]);
}

/* A value that a row does not see, because it comes later or lies before the window, does not reach
 * it even if it is infinite or NaN: the row has the bits that it has beside finite values. A row
 * that sees it is not finite. */
static void test_unseen_values(void **state)
{
    static const row kinds[] = {
        { 2, 1, 8, 8, TERN_F32, 1, { 0 }, { 70 }, .causal = true, .why = "f32" },
        { 2, 1, 8, 8, TERN_BF16, 1, { 0 }, { 71 }, .causal = true, .why = "bf16, which lies in pairs" },
        { 4, 2, 16, 16, TERN_F16, 1, { 200 }, { 90 }, .causal = true, .why = "f16, over a block's edge" },
        { 2, 2, 16, 16, TERN_BF16, 1, { 3 }, { 300 }, .causal = true, .window = 9, .why = "a window" },
        { 2, 1, 16, 16, TERN_BF16, 1, { 3 }, { 300 }, .causal = true, .window = 9, .compute = TERN_BF16,
          .why = "a window, bf16 products" },
    };
    static const float odd[] = { NAN, INFINITY, -INFINITY };
    const int none[MOST_SEQ] = { 0 };
    (void)state;
    for (size_t i = 0; i < 3 * sizeof kinds / sizeof *kinds; i++) {
        const row *r = &kinds[i / 3];
        problem p;
        tern_ctx *ctx;
        rig_seed = i;
        make(&p, r);
        int at = r->n_tok[0] / 2, width = r->n_head * r->value_dim;    /* token at, element 2 of KV head 0, is odd */
        float *value = &p.v[0][(r->past[0] + at) * r->n_kv_head * r->value_dim + 2], finite = *value;
        float *want = malloc((size_t)(p.n_row * width) * sizeof *want),
            *out = malloc((size_t)(p.n_row * width) * sizeof *out);
        RIG_EACH(ctx) {
            tern_kv kv = make_cache(&p);
            *value = finite;
            write_tokens(ctx, &p, &kv, 0, 0, p.total[0]);
            attend(ctx, &p, &kv, none, r->n_tok, want);
            *value = odd[i % 3];
            write_tokens(ctx, &p, &kv, 0, 0, p.total[0]);
            attend(ctx, &p, &kv, none, r->n_tok, out);
            for (int t = 0; t < r->n_tok[0]; t++)
                for (int e = 0; e < width; e++) {
                    bool sees = t >= at && (!r->window || t < at + r->window) && e % r->value_dim == 2 &&
                                e / r->value_dim < r->n_head / r->n_kv_head;
                    if (sees ? isfinite(out[t * width + e])
                             : memcmp(&out[t * width + e], &want[t * width + e], sizeof *out))
                        fail_msg("%s, %s: element %d of row %d is %g beside %g of row %d", r->why, rig_name(ctx), e, t,
                                 out[t * width + e], odd[i % 3], at);
                }
            free(kv.data);
        }
        free(want);
        free(out);
        unmake(&p);
    }
}

/* What kv_write stores, kv_read gives back, rounded to the cache's type; a page's other tokens stay
 * as they were. */
static void test_kv(void **state)
{
    static const row kinds[] = {
        { 1, 3, 20, 12, TERN_F32, 1, { 0 }, { 150 }, .why = "f32" },
        { 1, 2, 7, 9, TERN_F16, 1, { 0 }, { 64 }, .why = "f16" },
        { 1, 1, 600, 513, TERN_BF16, 1, { 0 }, { 65 }, .why = "bf16, wide heads" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const row *r = &kinds[i];
        problem p;
        tern_ctx *ctx;
        rig_seed = i;
        make(&p, r);
        RIG_EACH(ctx) {
            tern_kv kv = make_cache(&p);
            int n = p.total[0];
            float *k = malloc((size_t)(r->n_kv_head * n * r->key_dim) * sizeof *k),
                *v = malloc((size_t)(r->n_kv_head * n * r->value_dim) * sizeof *v);
            int32_t start = 0, past = 0, n_tok = n;
            const int32_t *page = p.page[0];
            tern_ragged batch = { 1, n, &start, &n_tok, &past, &page };
            tern_kv_read read = { &kv, 1, 0, n, &batch, k, v };
            write_tokens(ctx, &p, &kv, 0, 3, n - 3);
            write_tokens(ctx, &p, &kv, 0, 0, 3);
            assert_int_equal(ctx->backend->kv_read(ctx, &read), TERN_OK);
            for (int h = 0; h < r->n_kv_head; h++)
                for (int t = 0; t < n; t++) {
                    for (int d = 0; d < r->key_dim; d++)
                        assert_true(k[(h * n + t) * r->key_dim + d] ==
                                    (float)rig_round(r->kv, p.k[0][(t * r->n_kv_head + h) * r->key_dim + d]));
                    for (int d = 0; d < r->value_dim; d++)
                        assert_true(v[(h * n + t) * r->value_dim + d] ==
                                    (float)rig_round(r->kv, p.v[0][(t * r->n_kv_head + h) * r->value_dim + d]));
                }
            read.k = NULL;
            assert_int_equal(ctx->backend->kv_read(ctx, &read), TERN_OK);
            free(k);
            free(v);
            free(kv.data);
        }
        unmake(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formula),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_unseen_values),
        cmocka_unit_test(test_kv),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
