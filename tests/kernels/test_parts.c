/* Attention and mixtures of experts on the rows that the benchmark times: sampled tokens against
 * the formula in double, on every instruction set, and the bits of a row's tokens with one thread
 * and with three. CTest runs it. */
#include "cli/bench/parts.h"
#include "kernels/check.h"

enum { CTXS = 32, SAMPLES = 12, MOST_CHOSEN = 8 };

static tern_ctx *ctxs[CTXS];    /* pairs: one thread, three threads */
static size_t n_ctx;

/* The scalar kernels are tests/backend's: these rows are too large for them. */
static int setup(void **state)
{
    (void)state;
    for (size_t i = 1; tern_isa_name(i); i++) {
        if (!tern_isa_usable(i)) print_message("skipped: %s, which this CPU cannot run\n", tern_isa_name(i));
        for (int threads = 1; tern_isa_usable(i) && threads <= 3; threads += 2)
            if (n_ctx == CTXS ||
                tern_ctx_create(&(tern_ctx_options){ .isa = tern_isa_name(i), .threads = threads }, &ctxs[n_ctx++]))
                return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    while (n_ctx) tern_ctx_free(ctxs[--n_ctx]);
    return 0;
}

/* The i-th of the tokens that are looked at: the first, the last, and some between. */
static int sample(int n_tok, int i)
{
    return n_tok <= SAMPLES ? i : (int)((int64_t)i * (n_tok - 1) / (SAMPLES - 1));
}

static int samples(int n_tok)
{
    return n_tok < SAMPLES ? n_tok : SAMPLES;
}

static void check_near(const tern_ctx *ctx, const char *why, int token, int at, double got, double want,
                       double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%s, %s: element %d of token %d is %.9g, not %.9g within %.3g", tern_ctx_isa(ctx), why, at, token, got,
                 want, tolerance);
}

static void check_same(const tern_ctx *ctx, const char *why, const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], sizeof *got))
            fail_msg("%s, %s: element %zu is %a with three threads, %a with one", tern_ctx_isa(ctx), why, i,
                     (double)got[i], (double)want[i]);
}

/* ---- attention ------------------------------------------------------------------------------- */

/* As the cache has it, or as it meets that in a product. */
static double stored(const attention_shape *s, float v)
{
    return s->f32 ? v : tern_f32_from_bf16(tern_bf16_from_f32(v));
}

/* The context of one token and head, z being scratch for a score a key. */
static void expect_context(const attention_case *c, int token, int head, double *z, double *out)
{
    const attention_shape *s = c->s;
    int keys = s->both_ways ? attention_keys(s) : s->past + token + 1, kv_head = head / (s->n_head / s->n_kv_head);
    const float *q = c->q + ((size_t)token * (size_t)s->n_head + (size_t)head) * (size_t)s->dim;
    double most = -INFINITY, sum = 0;
    for (int j = 0; j < keys; j++) {
        const float *k = c->k + ((size_t)j * (size_t)s->n_kv_head + (size_t)kv_head) * (size_t)s->dim;
        z[j] = 0;
        for (int d = 0; d < s->dim; d++) z[j] += stored(s, q[d] * c->a.scale) * stored(s, k[d]);
        most = z[j] > most ? z[j] : most;
    }
    for (int d = 0; d < s->dim; d++) out[d] = 0;
    for (int j = 0; j < keys; j++) {
        const float *v = c->v + ((size_t)j * (size_t)s->n_kv_head + (size_t)kv_head) * (size_t)s->dim;
        double p = exp(z[j] - most);
        sum += p;
        for (int d = 0; d < s->dim; d++) out[d] += p * stored(s, v[d]);
    }
    for (int d = 0; d < s->dim; d++) out[d] /= sum;
}

static void check_attention(const attention_shape *s)
{
    attention_case c;
    assert_int_equal(attention_open(ctxs[0], &c, s, 1), TERN_OK);
    size_t width = (size_t)s->n_head * (size_t)s->dim, n = (size_t)(s->n_seq * s->n_tok) * width;
    double *want = malloc(SAMPLES * width * sizeof *want), *z = malloc((size_t)attention_keys(s) * sizeof *z);
    float *one = malloc(n * sizeof *one);
    /* a weight that is rounded to bf16 moves by 2^-9 of itself; values are within 1 */
    double tolerance = s->f32 ? 2e-5 : 2e-5 + 0x1p-9;
    for (int i = 0; i < samples(s->n_tok); i++)
        for (int h = 0; h < s->n_head; h++)
            expect_context(&c, sample(s->n_tok, i), h, z, want + (size_t)i * width + (size_t)(h * s->dim));
    for (size_t x = 0; x < n_ctx; x++) {
        for (size_t i = 0; i < n; i++) c.out[i] = NAN;
        assert_int_equal(attention_run(ctxs[x], &c), TERN_OK);
        for (int i = 0; i < samples(s->n_tok); i++)
            for (int e = 0; e < (int)width; e++)
                check_near(ctxs[x], s->why, sample(s->n_tok, i), e,
                           c.out[(size_t)sample(s->n_tok, i) * width + (size_t)e], want[(size_t)i * width + (size_t)e],
                           tolerance);
        if (x % 2) check_same(ctxs[x], s->why, c.out, one, n);
        else memcpy(one, c.out, n * sizeof *one);
    }
    free(one);
    free(z);
    free(want);
    attention_close(&c);
}

static void test_attention(void **state)
{
    (void)state;
    for (size_t i = 0; n_ctx && i < N_ROWS(attention_rows); i++) check_attention(&attention_rows[i]);
}

/* ---- experts --------------------------------------------------------------------------------- */

/* Where the type is bf16, what enters a product is rounded to it. */
static double entering(const experts_shape *s, double v)
{
    return s->f32 ? v : tern_f32_from_bf16(tern_bf16_from_f32((float)v));
}

static double product_of(const uint16_t *w, const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += tern_f32_from_bf16(w[i]) * x[i];
    return sum;
}

/* out += weight * expert(x); x and h have entered. */
static void add_expert(const experts_case *c, int expert, double weight, const double *x, double *h, double *out)
{
    const experts_shape *s = c->s;
    const uint16_t *gate = c->w + (size_t)expert * experts_weights(s), *up = gate + (size_t)s->ffn * (size_t)s->dim,
        *down = up + (size_t)s->ffn * (size_t)s->dim;
    for (int i = 0; i < s->ffn; i++) {
        double g = product_of(gate + (size_t)i * (size_t)s->dim, x, s->dim);
        h[i] = entering(s, g / (1 + exp(-g)) * product_of(up + (size_t)i * (size_t)s->dim, x, s->dim));
    }
    for (int d = 0; d < s->dim; d++) out[d] += weight * product_of(down + (size_t)d * (size_t)s->ffn, h, s->ffn);
}

/* Scores exp(logits) of one token; the k best, whose shares sum to 1, are added. */
static void expect_experts(const experts_case *c, int token, double *x, double *h, double *score, double *out)
{
    const experts_shape *s = c->s;
    const float *from = c->x + (size_t)token * (size_t)s->dim;
    double total = 0, share[MOST_CHOSEN], top = 0;
    int best[MOST_CHOSEN];
    for (int e = 0; e < s->n_expert; e++) {
        score[e] = 0;
        for (int d = 0; d < s->dim; d++)
            score[e] += (double)from[d] * c->router[(size_t)e * (size_t)s->dim + (size_t)d];
    }
    for (int i = 0; i < s->k; i++) {
        best[i] = 0;
        for (int e = 1; e < s->n_expert; e++)
            if (score[e] > score[best[i]]) best[i] = e;
        if (!i) top = score[best[0]];
        share[i] = exp(score[best[i]] - top);
        score[best[i]] = -INFINITY;
        total += share[i];
    }
    for (int d = 0; d < s->dim; d++) {
        x[d] = entering(s, from[d]);
        out[d] = 0;
    }
    for (int i = 0; i < s->k; i++) add_expert(c, best[i], share[i] / total, x, h, out);
}

static void check_experts(const experts_shape *s)
{
    experts_case c;
    assert_int_equal(experts_open(ctxs[0], &c, s, 1), TERN_OK);
    size_t dim = (size_t)s->dim, n = (size_t)s->n_tok * dim;
    double *want = malloc(SAMPLES * dim * sizeof *want),
        *x = malloc((dim + (size_t)s->ffn + (size_t)s->n_expert) * sizeof *x), most = 0;
    float *one = malloc(n * sizeof *one);
    for (int i = 0; i < samples(s->n_tok); i++)
        expect_experts(&c, sample(s->n_tok, i), x, x + dim, x + dim + (size_t)s->ffn, want + (size_t)i * dim);
    for (size_t i = 0; i < (size_t)samples(s->n_tok) * dim; i++) most = fabs(want[i]) > most ? fabs(want[i]) : most;
    for (size_t t = 0; t < n_ctx; t++) {
        for (size_t i = 0; i < n; i++) c.y[i] = NAN;
        assert_int_equal(experts_run(ctxs[t], &c), TERN_OK);
        for (int i = 0; i < samples(s->n_tok); i++)
            /* a hidden number that falls to the other side of a rounding moves by 2^-8 of itself */
            for (int e = 0; e < s->dim; e++)
                check_near(ctxs[t], s->why, sample(s->n_tok, i), e, c.y[(size_t)sample(s->n_tok, i) * dim + (size_t)e],
                           want[(size_t)i * dim + (size_t)e], (s->f32 ? 2e-6 : 2e-4) * most);
        if (t % 2) check_same(ctxs[t], s->why, c.y, one, n);
        else memcpy(one, c.y, n * sizeof *one);
    }
    free(one);
    free(x);
    free(want);
    experts_close(&c);
}

static void test_experts(void **state)
{
    (void)state;
    for (size_t i = 0; n_ctx && i < N_ROWS(experts_rows); i++) check_experts(&experts_rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_attention), cmocka_unit_test(test_experts) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
