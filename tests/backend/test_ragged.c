/* FastGen's tests of its ragged kernels, rebuilt for the primitives that stand in their place
 * (tests/unit/inference/v2/kernels/ragged_ops, modules): the paged cache, rotation on the way into
 * it, attention over prompts, continuations and mixed batches, and the rows that logits are made
 * of. Sequences are (new tokens, tokens seen before); the sizes are DeepSpeed's. */
#include "backend/rig.h"

enum { MOST_SEQ = 8 };

typedef struct seq {
    int32_t n_tok, past;
} seq;

typedef struct batch_row {
    seq s[MOST_SEQ];    /* no new tokens: the end */
    const char *why;
} batch_row;

static const batch_row copies[] = {
    { { { 1, 0 } }, "a first token" },
    { { { 17, 0 } }, "part of a page" },
    { { { 33, 8 } }, "goes on in a page" },
    { { { 63, 1 } }, "fills a page" },
    { { { 128, 0 } }, "whole pages" },
    { { { 177, 0 } }, "pages and a part" },
    { { { 169, 8 } }, "goes on and fills" },
    { { { 117, 88 } }, "goes on in the second page" },
    { { { 128, 0 }, { 177, 0 }, { 169, 8 }, { 117, 88 }, { 55, 0 }, { 1, 277 }, { 1, 324 } }, "a mixed batch" },
};

/* ---- Sequences and their pages, in an order of no pattern, with one page left over that must
 * not be touched ---- */

typedef struct ragged {
    tern_kv kv;
    tern_ragged batch;
    int32_t row[MOST_SEQ], n_tok[MOST_SEQ], past[MOST_SEQ], *pages;
    const int32_t *page[MOST_SEQ];
    size_t page_bytes;
} ragged;

static void ragged_make(ragged *g, const batch_row *r, tern_dtype type, int32_t n_kv_head, int32_t dim)
{
    int32_t n = 0, at = 0;
    *g = (ragged){ .kv = { .dtype = type, .n_layer = 2, .n_kv_head = n_kv_head, .key_dim = dim, .value_dim = dim } };
    for (int s = 0; s < MOST_SEQ && r->s[s].n_tok; s++) {
        g->row[s] = g->batch.n_row;
        g->n_tok[s] = r->s[s].n_tok;
        g->past[s] = r->s[s].past;
        g->batch.n_row += r->s[s].n_tok;
        g->batch.n_seq++;
        n += (r->s[s].past + r->s[s].n_tok - 1) / TERN_KV_PAGE + 1;
    }
    g->kv.n_page = n + 1;
    g->pages = malloc((size_t)(n + 1) * sizeof *g->pages);
    for (int32_t i = 0; i <= n; i++) {
        int32_t other = (int32_t)rig_below(i + 1);
        g->pages[i] = g->pages[other];
        g->pages[other] = i;
    }
    for (int s = 0; s < g->batch.n_seq; s++) {
        g->page[s] = g->pages + at;
        at += (g->past[s] + g->n_tok[s] - 1) / TERN_KV_PAGE + 1;
    }
    g->batch.row = g->row;
    g->batch.n_tok = g->n_tok;
    g->batch.past = g->past;
    g->batch.page = g->page;
    g->page_bytes = tern_kv_bytes(&g->kv, 1);
    g->kv.data = malloc(tern_kv_bytes(&g->kv, g->kv.n_page));
    memset(g->kv.data, 0x3A, tern_kv_bytes(&g->kv, g->kv.n_page));
}

static void ragged_free(ragged *g)
{
    free(g->kv.data);
    free(g->pages);
}

/* The page that no sequence has is as it was. */
static void check_spare(tern_ctx *ctx, const ragged *g, const char *why)
{
    const unsigned char *spare = (const unsigned char *)g->kv.data + (size_t)g->pages[g->kv.n_page - 1] * g->page_bytes;
    for (size_t i = 0; i < g->page_bytes; i++)
        if (spare[i] != 0x3A)
            fail_msg("%s (%s): byte %zu of a page that is not in use was written", why, rig_name(ctx), i);
}

/* k, v [n_row, heads * dim] into layer 1, behind what the sequences have. */
static void put(tern_ctx *ctx, const ragged *g, const tern_ragged *batch, const float *k, const float *v)
{
    int64_t ld = (int64_t)g->kv.n_kv_head * g->kv.key_dim;
    tern_kv_write w = { &g->kv, 1, batch, k, v, ld, ld };
    assert_int_equal(ctx->backend->kv_write(ctx, &w), TERN_OK);
}

/* The tokens that a sequence has before the batch: written as a batch of their own. */
static void put_past(tern_ctx *ctx, const ragged *g, int s, const float *k, const float *v)
{
    int32_t row = 0, past = 0;
    tern_ragged b = { .n_seq = 1, .n_row = g->past[s], .row = &row, .n_tok = &g->past[s], .past = &past,
                      .page = &g->page[s] };
    if (g->past[s]) put(ctx, g, &b, k, v);
}

/* Token t of a sequence of the cache against x [dim] a head, rounded as the cache's type. got
 * [heads, n, dim]. */
static void check_token(tern_ctx *ctx, const ragged *g, const char *why, const float *got, int32_t n, int32_t t,
                        const float *x)
{
    for (int64_t h = 0; h < g->kv.n_kv_head; h++)
        for (int64_t d = 0; d < g->kv.key_dim; d++) {
            double a = got[(h * n + t) * g->kv.key_dim + d], b = rig_round(g->kv.dtype, x[h * g->kv.key_dim + d]);
            if (a != b)
                fail_msg("%s, %d channels (%s): token %d, head %d, channel %d is %g, not %g", why, g->kv.key_dim,
                         rig_name(ctx), (int)t, (int)h, (int)d, a, b);
        }
}

/* ---- test_blocked_kv_copy: what is in the cache is k and v, to the bit; what was there before
 * stays ---- */

static void check_copy(tern_ctx *ctx, const batch_row *r, tern_dtype type, int32_t dim)
{
    enum { HEADS = 16, MOST = 400 };
    size_t ld = (size_t)(HEADS * dim);
    ragged g;
    ragged_make(&g, r, type, HEADS, dim);
    float *k = rig_floats((size_t)g.batch.n_row * ld, 1), *v = rig_floats((size_t)g.batch.n_row * ld, 1),
        *old_k = rig_floats(MOST * ld, 1), *old_v = rig_floats(MOST * ld, 1);
    float *got_k = rig_floats(2 * MOST * ld, 1), *got_v = rig_floats(2 * MOST * ld, 1);
    for (int s = 0; s < g.batch.n_seq; s++) put_past(ctx, &g, s, old_k, old_v);
    put(ctx, &g, &g.batch, k, v);
    for (int s = 0; s < g.batch.n_seq; s++) {
        int32_t n = g.past[s] + g.n_tok[s];
        tern_kv_read read = { &g.kv, 1, s, n, &g.batch, got_k, got_v };
        assert_int_equal(ctx->backend->kv_read(ctx, &read), TERN_OK);
        for (int32_t t = 0; t < n; t++) {
            size_t at = (size_t)(t < g.past[s] ? t : g.row[s] + t - g.past[s]) * ld;
            check_token(ctx, &g, r->why, got_k, n, t, t < g.past[s] ? old_k + at : k + at);
            check_token(ctx, &g, r->why, got_v, n, t, t < g.past[s] ? old_v + at : v + at);
        }
    }
    check_spare(ctx, &g, r->why);
    ragged_free(&g);
    free(k);
    free(v);
    free(old_k);
    free(old_v);
    free(got_k);
    free(got_v);
}

static void test_kv_copy(void **state)
{
    static const int32_t dims[] = { 64, 80, 96, 128 };
    static const tern_dtype types[] = { TERN_F16, TERN_BF16, TERN_F32 };
    tern_ctx *ctx;
    (void)state;
    rig_seed = 1;
    RIG_EACH(ctx) {
        if (tern_ctx_threads(ctx) > 1) continue;    /* test_pieces_give_the_same_bits has the others */
        for (size_t i = 0; i < sizeof copies / sizeof *copies; i++)
            for (size_t d = 0; d < 4; d++) check_copy(ctx, &copies[i], types[(i + d) % 3], dims[d]);
    }
}

/* ---- test_blocked_rotary_emb: q rotated in place, k rotated on its way into the cache, v as it
 * is ---- */

typedef struct rotate_row {
    int32_t dim, rotary_dim;
    bool trained;              /* frequencies of no formula */
    batch_row batch;
} rotate_row;

static const rotate_row rotations[] = {
    { 64, 64, false, { { { 1, 0 } }, "one token" } },
    { 80, 80, false, { { { 17, 0 } }, "part of a page" } },
    { 96, 96, false, { { { 33, 8 } }, "goes on in a page" } },
    { 64, 64, false, { { { 63, 1 } }, "fills a page" } },
    { 80, 80, true, { { { 128, 0 } }, "trained frequencies" } },
    { 96, 96, true, { { { 177, 0 } }, "trained frequencies, pages and a part" } },
    { 64, 64, true, { { { 169, 8 } }, "trained frequencies, goes on" } },
    { 80, 64, false, { { { 117, 88 } }, "64 channels of 80" } },
    { 96, 64, false, { { { 128, 0 }, { 177, 0 }, { 169, 8 }, { 117, 88 }, { 55, 0 }, { 1, 277 }, { 1, 324 } },
                       "64 channels of 96, a mixed batch" } },
    { 80, 40, true, { { { 128, 0 }, { 177, 0 }, { 1, 277 } }, "half of 80, trained frequencies" } },
    { 64, 64, false, { { { 1, 4095 } }, "position 4095: the phase is an f32 number" } },
};

/* x [heads, dim] of one token, rotated at position by formula. */
static void rotate(const rotate_row *r, const float *freq, int32_t position, int64_t heads, const float *x, double *y)
{
    int64_t n = r->rotary_dim / 2;
    for (int64_t h = 0; h < heads; h++, x += r->dim, y += r->dim) {
        for (int64_t d = 0; d < r->dim; d++) y[d] = x[d];
        for (int64_t m = 0; m < n; m++) {
            float phase = (float)position * freq[m];
            y[m] = x[m] * cos(phase) - x[m + n] * sin(phase);
            y[m + n] = x[m + n] * cos(phase) + x[m] * sin(phase);
        }
    }
}

static void check_rotation(tern_ctx *ctx, const rotate_row *r, tern_dtype type)
{
    enum { HEADS = 16, KV_HEADS = 4 };
    ragged g;
    ragged_make(&g, &r->batch, type, KV_HEADS, r->dim);
    size_t ldq = (size_t)(HEADS * r->dim), ldk = (size_t)(KV_HEADS * r->dim), n = (size_t)g.batch.n_row;
    int64_t pairs = r->rotary_dim / 2;
    /* DeepSpeed's for position 4095; it allows the other rows more */
    double atol = 1e-5;
    if (type == TERN_BF16) atol = 2e-2;
    else if (type == TERN_F16) atol = 2e-3;
    float *q = rig_floats(n * ldq, 1), *k = rig_floats(n * ldk, 1), *v = rig_floats(n * ldk, 1),
        *freq = rig_floats((size_t)pairs, 1), *got = rig_floats(5000 * ldk, 1);
    float *cosine = rig_floats(n * (size_t)pairs, 1), *sine = rig_floats(n * (size_t)pairs, 1);
    int32_t *position = malloc(n * sizeof *position);
    double *want = malloc(ldq * sizeof *want);
    for (int64_t m = 0; m < pairs && !r->trained; m++) freq[m] = (float)pow(10000, -2.0 * (double)m / r->rotary_dim);
    for (int s = 0; s < g.batch.n_seq; s++)
        for (int32_t i = 0; i < g.n_tok[s]; i++) position[g.row[s] + i] = g.past[s] + i;
    for (size_t i = 0; i < n * ldq; i++) q[i] = (float)rig_round(type, q[i]);
    for (size_t i = 0; i < n * ldk; i++) k[i] = (float)rig_round(type, k[i]);
    float *old_q = rig_copy(q, n * ldq), *old_k = rig_copy(k, n * ldk);
    tern_rope_table table = { position, freq, 1, cosine, sine, (int64_t)n, pairs };
    tern_rope rotate_q = { q, (int64_t)ldq, (int64_t)n, HEADS, r->dim, 0, pairs, cosine, sine, false, type };
    tern_rope rotate_k = { k, (int64_t)ldk, (int64_t)n, KV_HEADS, r->dim, 0, pairs, cosine, sine, false, type };
    assert_int_equal(ctx->backend->rope_table(ctx, &table), TERN_OK);
    assert_int_equal(ctx->backend->rope(ctx, &rotate_q), TERN_OK);
    assert_int_equal(ctx->backend->rope(ctx, &rotate_k), TERN_OK);
    put(ctx, &g, &g.batch, k, v);
    for (int s = 0; s < g.batch.n_seq; s++) {
        int32_t total = g.past[s] + g.n_tok[s];
        tern_kv_read read = { &g.kv, 1, s, total, &g.batch, got, NULL };
        assert_int_equal(ctx->backend->kv_read(ctx, &read), TERN_OK);
        for (int32_t t = g.past[s]; t < total; t++) {
            size_t row = (size_t)(g.row[s] + t - g.past[s]);
            rotate(r, freq, t, HEADS, old_q + row * ldq, want);
            for (size_t d = 0; d < ldq; d++) rig_near(ctx, r->batch.why, d, q[row * ldq + d], want[d], atol);
            rotate(r, freq, t, KV_HEADS, old_k + row * ldk, want);
            for (size_t d = 0; d < ldk; d++) {
                size_t at = (d / (size_t)r->dim * (size_t)total + (size_t)t) * (size_t)r->dim + d % (size_t)r->dim;
                rig_near(ctx, r->batch.why, d, got[at], want[d], atol);
            }
        }
    }
    check_spare(ctx, &g, r->batch.why);
    ragged_free(&g);
    free(q);
    free(k);
    free(v);
    free(freq);
    free(got);
    free(cosine);
    free(sine);
    free(position);
    free(want);
    free(old_q);
    free(old_k);
}

static void test_rotary(void **state)
{
    static const tern_dtype types[] = { TERN_F16, TERN_BF16, TERN_F32 };
    tern_ctx *ctx;
    (void)state;
    rig_seed = 2;
    RIG_EACH(ctx) {
        if (tern_ctx_threads(ctx) > 1) continue;
        for (size_t i = 0; i < sizeof rotations / sizeof *rotations; i++)
            for (size_t t = 0; t < 3; t++) check_rotation(ctx, &rotations[i], types[t]);
    }
}

/* ---- test_blocked_flash, test_blocked_attn, and the pairs of test_atom_builder ---- */

typedef struct flash_row {
    int32_t n_head, n_kv_head, dim;
    bool large;                /* on the machine's best instruction set alone */
    batch_row batch;
} flash_row;

#define PROMPTS(dim) \
    { 16, 16, dim, false, { { { 2, 0 } }, "a prompt of 2" } }, \
        { 16, 16, dim, false, { { { 33, 0 } }, "a prompt of 33" } }, \
    { 16, 16, dim, false, { { { 65, 0 } }, "a prompt of 65" } }, \
        { 16, 16, dim, false, { { { 128, 0 } }, "a prompt of 128" } }, \
    { 16, 16, dim, false, { { { 256, 0 } }, "a prompt of 256" } }, \
        { 16, 16, dim, true, { { { 2037, 0 } }, "a prompt of 2037" } }

static const flash_row flashes[] = {
    PROMPTS(64),
    PROMPTS(128),
    { 16, 16, 64, false, { { { 128, 0 }, { 128, 0 } }, "two prompts" } },
    { 16, 16, 64, false, { { { 192, 0 }, { 38, 0 } }, "two unequal prompts" } },
    { 16, 16, 64, true, { { { 514, 0 }, { 713, 0 } }, "two long prompts" } },
    { 16, 16, 64, true, { { { 83, 0 }, { 312, 0 }, { 610, 0 } }, "three prompts" } },
    { 16, 16, 64, false, { { { 1, 34 } }, "a token" } },
    { 16, 16, 64, false, { { { 43, 40 } }, "a chunk" } },
    { 16, 16, 64, false, { { { 1, 144 } }, "a token behind two pages" } },
    { 16, 16, 64, false, { { { 64, 128 } }, "a page behind two" } },
    { 16, 16, 64, false, { { { 332, 628 } }, "a long chunk" } },
    { 32, 8, 64, false, { { { 128, 0 }, { 64, 128 }, { 1, 34 } }, "32 heads, 8 of keys" } },
    { 64, 16, 64, false, { { { 128, 0 }, { 64, 128 }, { 1, 34 } }, "64 heads, 16 of keys" } },
    { 40, 8, 128, false, { { { 128, 0 }, { 64, 128 }, { 1, 34 } }, "40 heads, 8 of keys" } },
    { 16, 16, 64, true,
      { { { 332, 628 }, { 1, 718 }, { 1, 323 }, { 180, 5 }, { 224, 0 } }, "prompts, chunks and tokens in one batch" } },
    { 16, 16, 64, false,
      { { { 1, 0 }, { 1, 228 }, { 383, 0 }, { 1, 494 } }, "the pairs whose pieces test_atom_builder counts" } },
};

/* Head h of row i of sequence s by the formula; k and v [total, heads * dim] as the cache has
 * them. */
static void expect_flash(const flash_row *r, const float *q, const float *k, const float *v, int32_t position,
                         int32_t h, double *out)
{
    int64_t ld = (int64_t)r->n_kv_head * r->dim, kv = (int64_t)(h / (r->n_head / r->n_kv_head)) * r->dim;
    double *z = malloc((size_t)(position + 1) * sizeof *z), sum = 0;
    for (int64_t j = 0; j <= position; j++) {
        double dot = 0;
        for (int64_t d = 0; d < r->dim; d++) dot += (double)q[h * r->dim + d] * k[j * ld + kv + d];
        sum += z[j] = exp(dot / sqrt(r->dim));
    }
    for (int64_t d = 0; d < r->dim; d++) out[d] = 0;
    for (int64_t j = 0; j <= position; j++)
        for (int64_t d = 0; d < r->dim; d++) out[d] += z[j] / sum * v[j * ld + kv + d];
    free(z);
}

static void check_flash(tern_ctx *ctx, const flash_row *r, tern_dtype type)
{
    ragged g;
    ragged_make(&g, &r->batch, type, r->n_kv_head, r->dim);
    int64_t ldq = (int64_t)r->n_head * r->dim, ldk = (int64_t)r->n_kv_head * r->dim, n = g.batch.n_row;
    float *q = rig_floats((size_t)(n * ldq), 1), *out = rig_floats((size_t)(n * ldq), 1), *k[MOST_SEQ], *v[MOST_SEQ];
    for (int64_t i = 0; i < n * ldq; i++) q[i] = (float)rig_round(type, q[i]);
    for (int s = 0; s < g.batch.n_seq; s++) {
        int64_t total = g.past[s] + g.n_tok[s];
        int32_t row = 0, past = g.past[s];
        k[s] = rig_floats((size_t)(total * ldk), 1);
        v[s] = rig_floats((size_t)(total * ldk), 1);
        for (int64_t i = 0; i < total * ldk; i++) {
            k[s][i] = (float)rig_round(type, k[s][i]);
            v[s][i] = (float)rig_round(type, v[s][i]);
        }
        put_past(ctx, &g, s, k[s], v[s]);
        tern_ragged one = { .n_seq = 1, .n_row = g.n_tok[s], .row = &row, .n_tok = &g.n_tok[s], .past = &past,
                            .page = &g.page[s] };
        put(ctx, &g, &one, k[s] + past * ldk, v[s] + past * ldk);
    }
    tern_attention a = { .kv = &g.kv, .layer = 1, .n_head = r->n_head, .batch = &g.batch, .q = q, .out = out,
                         .ldq = ldq, .ldout = ldq,
                         .scale = (float)(1 / sqrt(r->dim)), .causal = true, .round = type };
    assert_int_equal(ctx->backend->attention(ctx, &a), TERN_OK);
    double rtol = type == TERN_F16 ? 3e-2 : 4.8e-1, atol = type == TERN_F16 ? 2e-3 : 3.2e-2, want[128];
    for (int s = 0; s < g.batch.n_seq; s++)
        /* the first and the last row, the first and the last head, and others */
        for (int sample = 0; sample < 24; sample++) {
            int32_t i;
            if (sample < 2) i = 0;
            else if (sample < 4) i = g.n_tok[s] - 1;
            else i = (int32_t)rig_below(g.n_tok[s]);
            int32_t h;
            if (sample % 2) h = r->n_head - 1;
            else if (sample < 4) h = 0;
            else h = (int32_t)rig_below(r->n_head);
            int64_t row = g.row[s] + i;
            expect_flash(r, q + row * ldq, k[s], v[s], g.past[s] + i, h, want);
            for (int64_t d = 0; d < r->dim; d++)
                rig_near(ctx, r->batch.why, (size_t)(row * ldq + h * r->dim + d), out[row * ldq + h * r->dim + d],
                         want[d], atol + rtol * fabs(want[d]));
        }
    for (int s = 0; s < g.batch.n_seq; s++) {
        free(k[s]);
        free(v[s]);
    }
    ragged_free(&g);
    free(q);
    free(out);
}

static void test_flash(void **state)
{
    tern_ctx *ctx;
    (void)state;
    rig_seed = 3;
    RIG_EACH(ctx) {
        if (tern_ctx_threads(ctx) > 2 || (ctx->kernels->rank && tern_ctx_threads(ctx) == 1)) continue;
        for (size_t i = 0; i < sizeof flashes / sizeof *flashes; i++) {
            if (flashes[i].large && (SANITIZED || tern_ctx_isa(ctx) != tern_ctx_isa(rig_ctx[rig_n - 1]))) continue;
            check_flash(ctx, &flashes[i], i % 2 ? TERN_BF16 : TERN_F16);
        }
    }
}

/* FastGen cuts new tokens into pieces of 128 queries, each with the blocks of keys that it sees.
 * Here no list of pieces is built: a sequence fed in pieces gives the bits that it gives whole. */
static void test_pieces_give_the_same_bits(void **state)
{
    enum { HEADS = 4, DIM = 64, LD = HEADS * DIM, PIECE = 128 };
    static const seq rows[] = { { 1, 0 }, { 1, 228 }, { 383, 0 }, { 1, 494 }, { 300, 77 } };
    tern_ctx *ctx;
    (void)state;
    rig_seed = 4;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        batch_row b = { { rows[i] }, "pieces" };
        ragged g;
        ragged_make(&g, &b, TERN_BF16, HEADS, DIM);
        size_t total = (size_t)(rows[i].n_tok + rows[i].past), n = (size_t)rows[i].n_tok;
        float *q = rig_floats(n * LD, 1), *k = rig_floats(total * LD, 1), *v = rig_floats(total * LD, 1),
            *whole = rig_floats(n * LD, 1), *cut = rig_floats(n * LD, 1);
        RIG_EACH(ctx) {
            put_past(ctx, &g, 0, k, v);
            put(ctx, &g, &g.batch, k + rows[i].past * LD, v + rows[i].past * LD);
            tern_attention a = { .kv = &g.kv, .layer = 1, .n_head = HEADS, .batch = &g.batch, .q = q, .out = whole,
                                 .ldq = LD, .ldout = LD, .scale = 0.125f, .causal = true };
            assert_int_equal(ctx->backend->attention(ctx, &a), TERN_OK);
            for (int32_t at = 0; at < rows[i].n_tok; at += PIECE) {
                int32_t row = 0, count = rows[i].n_tok - at < PIECE ? rows[i].n_tok - at : PIECE,
                    past = rows[i].past + at;
                tern_ragged piece = { .n_seq = 1, .n_row = count, .row = &row, .n_tok = &count, .past = &past,
                                      .page = g.batch.page };
                a.batch = &piece;
                a.q = q + at * LD;
                a.out = cut + at * LD;
                assert_int_equal(ctx->backend->attention(ctx, &a), TERN_OK);
            }
            rig_same_bits(ctx, "pieces of 128", cut, whole, n * LD);
        }
        ragged_free(&g);
        free(q);
        free(k);
        free(v);
        free(whole);
        free(cut);
    }
}

/* ---- test_logits_gather: the row of each sequence's last token, to the bit ---- */

static void test_logits_gather(void **state)
{
    static const int64_t dims[] = { 1024, 6144, 6784 };
    static const int32_t lists[][MOST_SEQ] = { { 1 }, { 10 }, { 128, 64, 192, 32 }, { 57, 112, 63, 89, 1, 1, 1, 1 } };
    tern_ctx *ctx;
    (void)state;
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (size_t d = 0; d < 3; d++) {
            int32_t last[MOST_SEQ], n = 0, rows = 0;
            for (; n < MOST_SEQ && lists[l][n]; n++) last[n] = (rows += lists[l][n]) - 1;
            size_t dim = (size_t)dims[d];
            float *x = rig_floats((size_t)rows * dim, 1), *y = rig_floats((size_t)n * dim, 1);
            RIG_EACH(ctx) {
                tern_gather_rows a = { x, y, last, dims[d], dims[d], n, dims[d] };
                memset(y, 0, (size_t)n * dim * sizeof *y);
                assert_int_equal(ctx->backend->gather_rows(ctx, &a), TERN_OK);
                for (int32_t s = 0; s < n; s++)
                    rig_same_bits(ctx, "a last row", y + (size_t)s * dim, x + (size_t)last[s] * dim, dim);
            }
            free(x);
            free(y);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kv_copy), cmocka_unit_test(test_rotary),        cmocka_unit_test(test_flash),
        cmocka_unit_test(test_pieces_give_the_same_bits),
        cmocka_unit_test(test_logits_gather),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
