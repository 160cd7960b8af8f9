/* The backend's primitives on rows (norms, activations, sums, rope, lookups, conversions, softmax,
 * experts, the quantizer) against their formulas in double, on every instruction set, with bits
 * that do not depend on the number of threads. */
#include "backend/rig.h"

static const tern_dtype rounds[] = { TERN_F32, TERN_F16, TERN_BF16 };

/* Keeps the result of one thread, and holds those of more threads against it. */
static void same_as_one_thread(tern_ctx *ctx, const char *why, float **one, const float *got, size_t n)
{
    if (tern_ctx_threads(ctx) == 1) {
        free(*one);
        *one = rig_copy(got, n);
    } else {
        rig_same_bits(ctx, why, got, *one, n);
    }
}

/* ---- norms ----------------------------------------------------------------------------------- */

typedef struct norm_row {
    tern_norm_kind kind;
    int64_t n_row, dim;
    bool add, add_bias, w, b, sum, in_place, sum_is_x;
    const char *why;
} norm_row;

static const norm_row norm_rows[] = {
    { NORM_RMS, 5, 64, .w = true, .why = "RMS" },
    { NORM_RMS, 3, 1000, .w = true, .add = true, .sum = true, .why = "RMS of a sum that is kept" },
    { NORM_RMS, 3, 77, .why = "RMS without weights" },
    { NORM_RMS, 70, 33, .w = true, .add = true, .in_place = true, .why = "RMS of a sum that is not kept, in place" },
    { NORM_RMS, 4, 600, .w = true, .add = true, .add_bias = true, .sum = true, .sum_is_x = true,
      .why = "a residual stream, updated" },
    { NORM_LAYER, 5, 64, .w = true, .b = true, .why = "layer norm" },
    { NORM_LAYER, 2, 1, .w = true, .b = true, .why = "one channel" },
    { NORM_LAYER, 3, 770, .w = true, .b = true, .add = true, .add_bias = true, .sum = true,
      .why = "layer norm of a sum with a bias" },
    { NORM_LAYER, 3, 1030, .add_bias = true, .in_place = true, .why = "layer norm without weights, of a biased x" },
    { NORM_LAYER, 2, 20000, .w = true, .b = true, .why = "more channels than CUDA kernels take" },
    { NORM_RMS, 0, 16, .w = true, .why = "no rows" },
};

static void expect_norm(const norm_row *r, tern_dtype type, const float *x, const float *add, const float *add_bias,
                        const float *w, const float *b, double *y, double *sum)
{
    double mean = 0, var = 0, d = (double)r->dim;
    for (int64_t i = 0; i < r->dim; i++) {
        if (add || add_bias) sum[i] = rig_round(type, (double)x[i] + (add_bias ? add_bias[i] : 0) + (add ? add[i] : 0));
        else sum[i] = x[i];
    }
    for (int64_t i = 0; i < r->dim; i++) mean += r->kind == NORM_LAYER ? sum[i] / d : 0;
    for (int64_t i = 0; i < r->dim; i++) var += (sum[i] - mean) * (sum[i] - mean) / d;
    for (int64_t i = 0; i < r->dim; i++) {
        y[i] = (sum[i] - mean) / sqrt(var + 1e-5);
        if (r->kind == NORM_RMS) y[i] = rig_round(type, y[i]);
        y[i] = rig_round(type, y[i] * (w ? w[i] : 1) + (b ? b[i] : 0));
    }
}

static void check_norm(const norm_row *r, tern_dtype type)
{
    size_t n = (size_t)(r->n_row * r->dim), dim = (size_t)r->dim;
    float *x = rig_floats(n, 1), *add = r->add ? rig_floats(n, 1) : NULL,
        *add_bias = r->add_bias ? rig_floats(dim, 1) : NULL;
    float *w = r->w ? rig_floats(dim, 1) : NULL, *b = r->b ? rig_floats(dim, 1) : NULL, *one = NULL, *one_sum = NULL;
    double *want = malloc((n + 1) * sizeof *want), *want_sum = malloc((n + 1) * sizeof *want_sum);
    tern_ctx *ctx;
    for (int64_t i = 0; i < r->n_row; i++)
        expect_norm(r, type, x + i * r->dim, add ? add + i * r->dim : NULL, add_bias, w, b, want + i * r->dim,
                    want_sum + i * r->dim);
    RIG_EACH(ctx) {
        float *in = rig_copy(x, n), *y = r->in_place ? in : rig_floats(n, 1),
            *sum = r->sum_is_x ? in : rig_floats(n, 1);
        tern_norm a = { r->kind, in, add, add_bias, w, b, y, r->sum ? sum : NULL, r->dim, r->dim, r->dim, r->dim,
                        r->n_row, r->dim, 1e-5f, type };
        assert_int_equal(ctx->backend->norm(ctx, &a), TERN_OK);
        for (size_t i = 0; i < n; i++) {
            rig_near(ctx, r->why, i, y[i], want[i],
                     4e-6 * (fabs(want[i]) + 1) + 6 * rig_eps(type) * (fabs(want[i]) + 1e-3));
            if (r->sum) rig_near(ctx, "the sum", i, sum[i], want_sum[i], 1e-6 + 2 * rig_eps(type) * fabs(want_sum[i]));
        }
        same_as_one_thread(ctx, r->why, &one, y, n);
        if (r->sum) same_as_one_thread(ctx, r->why, &one_sum, sum, n);
        if (!r->in_place) free(y);
        if (!r->sum_is_x) free(sum);
        free(in);
    }
    free(x);
    free(add);
    free(add_bias);
    free(w);
    free(b);
    free(one);
    free(one_sum);
    free(want);
    free(want_sum);
}

static void test_norm(void **state)
{
    (void)state;
    rig_seed = 1;
    for (size_t i = 0; i < sizeof norm_rows / sizeof *norm_rows; i++)
        for (size_t t = 0; t < 3; t++) check_norm(&norm_rows[i], rounds[t]);
}

/* ---- activation ------------------------------------------------------------------------------ */

/* The activation primitive has one more function than epilogues. */
static double act_of(tern_act act, double x)
{
    if (act == ACT_CLAMP) {
        if (x < -1.5) return -1.5;
        if (x > 1.5) return 1.5;
        return x;
    }
    return act == ACT_SOFTCAP ? 1.5 * tanh(x / 1.5) : rig_act(act, x);
}

static void check_activation(tern_act act, bool gated, bool gate_first, bool biased, bool in_place, tern_dtype type,
                             int64_t n_row, int64_t dim)
{
    int64_t width = gated ? 2 * dim : dim, ldy = in_place ? width : dim + 1;
    float *x = rig_floats((size_t)(n_row * width), 4), *bias = biased ? rig_floats((size_t)width, 1) : NULL,
        *one = NULL;
    tern_ctx *ctx;
    char why[128];
    snprintf(why, sizeof why, "act %d%s%s%s%s", (int)act, gated ? " gated" : "", gate_first ? " gate first" : "",
             biased ? " biased" : "", in_place ? " in place" : "");
    RIG_EACH(ctx) {
        float *in = rig_copy(x, (size_t)(n_row * width)), *y = in_place ? in : rig_floats((size_t)(n_row * ldy), 1);
        tern_activation a = { act, gated, gate_first, in, bias, y, width, ldy, n_row, dim, 1.5f, type, 0 };
        assert_int_equal(ctx->backend->activation(ctx, &a), TERN_OK);
        for (int64_t r = 0; r < n_row; r++)
            for (int64_t i = 0; i < dim; i++) {
                int64_t v = gated && gate_first ? dim + i : i, g = gated && !gate_first ? dim + i : i;
                double value = (double)x[r * width + v] + (bias ? bias[v] : 0),
                    gate = (double)x[r * width + g] + (bias ? bias[g] : 0), want;
                if (gated)
                    want = rig_round(type,
                                     rig_round(type, value) * rig_round(type, act_of(act, rig_round(type, gate))));
                else want = rig_round(type, act_of(act, value));
                rig_near(ctx, why, (size_t)(r * dim + i), y[r * ldy + i], want,
                         4e-6 * (fabs(want) + 1) + 8 * rig_eps(type) * (fabs(want) + 1e-4));
            }
        if (!in_place) {
            for (int64_t r = 0; r < n_row; r++) y[r * ldy + dim] = 0;
            same_as_one_thread(ctx, why, &one, y, (size_t)(n_row * ldy));
            free(y);
        }
        free(in);
    }
    free(x);
    free(bias);
    free(one);
}

static void test_activation(void **state)
{
    (void)state;
    rig_seed = 2;
    for (int act = 0; act < N_ACTS; act++)
        for (int gated = 0; gated < 2; gated++)
            for (int form = 0; form < 4; form++)
                check_activation((tern_act)act, gated, form & 1, form < 2, form == 3, rounds[(act + form) % 3],
                                 3 + form, act % 2 ? 37 : 1100);
    check_activation(ACT_SILU, true, false, false, false, TERN_F32, 0, 8);
    check_activation(ACT_SILU, true, false, true, false, TERN_F32, 300, 70);
}

/* ---- add ------------------------------------------------------------------------------------- */

static void test_add(void **state)
{
    enum { N_ROW = 40, DIM = 530, LD = DIM + 2, N = N_ROW * LD };
    float *a = rig_floats(N, 1), *b = rig_floats(N, 1), *c = rig_floats(N, 1), *bias = rig_floats(DIM, 1);
    tern_ctx *ctx;
    (void)state;
    for (int form = 0; form < 24; form++) {
        tern_dtype type = rounds[form % 3];
        bool has_b = form & 1, has_c = form & 2, has_bias = form & 4, in_place = form >= 12;
        float *one = NULL;
        RIG_EACH(ctx) {
            float *own = rig_copy(a, N), *y = in_place ? own : rig_copy(a, N);
            tern_add d = { own, has_bias ? bias : NULL, has_c ? c : NULL, has_b ? b : NULL, y, 0.5f, LD, LD, LD, LD,
                           N_ROW, DIM, type };
            assert_int_equal(ctx->backend->add(ctx, &d), TERN_OK);
            for (int r = 0; r < N_ROW; r++)
                for (int i = 0; i < DIM; i++) {
                    size_t at = (size_t)(r * LD + i);
                    double want = rig_round(type, 0.5 * ((double)a[at] + (has_bias ? bias[i] : 0) +
                                                         (has_c ? c[at] : 0)) + (has_b ? b[at] : 0));
                    rig_near(ctx, "add", at, y[at], want, 1e-6 + 2 * rig_eps(type) * fabs(want));
                }
            same_as_one_thread(ctx, "add", &one, y, N);
            if (!in_place) free(y);
            free(own);
        }
        free(one);
    }
    free(a);
    free(b);
    free(c);
    free(bias);
}

/* ---- rope ------------------------------------------------------------------------------------ */

static void check_rope(bool pair, int64_t head_dim, int64_t first, int64_t n, tern_dtype type)
{
    enum { N_ROW = 50, N_HEAD = 3 };
    int64_t ld = N_HEAD * head_dim + 5;
    int32_t position[N_ROW];
    float *x = rig_floats((size_t)(N_ROW * ld), 1), *freq = rig_floats((size_t)n, 1), *one = NULL;
    float *cosine = rig_floats((size_t)(N_ROW * n), 1), *sine = rig_floats((size_t)(N_ROW * n), 1);
    tern_ctx *ctx;
    for (int r = 0; r < N_ROW; r++) position[r] = (int32_t)rig_below(r < 25 ? 100 : 100000);
    RIG_EACH(ctx) {
        float *y = rig_copy(x, (size_t)(N_ROW * ld));
        tern_rope_table t = { position, freq, 1.25f, cosine, sine, N_ROW, n };
        tern_rope a = { y, ld, N_ROW, N_HEAD, head_dim, first, n, cosine, sine, pair, type };
        assert_int_equal(ctx->backend->rope_table(ctx, &t), TERN_OK);
        assert_int_equal(ctx->backend->rope(ctx, &a), TERN_OK);
        for (int64_t r = 0; r < N_ROW; r++)
            for (int64_t c = 0; c < ld; c++) {
                int64_t i = c % head_dim - first, at = r * ld + c;
                double want = x[at];
                if (c < N_HEAD * head_dim && i >= 0 && i < 2 * n) {
                    int64_t m = pair ? i / 2 : i % n, low = pair ? i - i % 2 : i % n, high = pair ? low + 1 : low + n;
                    float angle = (float)position[r] * freq[m];
                    double a0 = x[at - i + low], b0 = x[at - i + high], cs = 1.25 * cos(angle), sn = 1.25 * sin(angle);
                    want = rig_round(type, i == low ? a0 * cs - b0 * sn : b0 * cs + a0 * sn);
                }
                rig_near(ctx, pair ? "rope, pairs" : "rope, halves", (size_t)at, y[at], want,
                         1e-6 + 2 * rig_eps(type) * fabs(want));
            }
        same_as_one_thread(ctx, "rope", &one, y, (size_t)(N_ROW * ld));
        free(y);
    }
    free(x);
    free(freq);
    free(one);
    free(cosine);
    free(sine);
}

static void test_rope(void **state)
{
    (void)state;
    rig_seed = 4;
    for (size_t t = 0; t < 3; t++)
        for (int pair = 0; pair < 2; pair++) {
            check_rope(pair, 64, 0, 32, rounds[t]);
            check_rope(pair, 20, 0, 3, rounds[t]);
            check_rope(pair, 24, 16, 4, rounds[t]);
        }
}

/* ---- lookup, convert ------------------------------------------------------------------------- */

static void test_lookup(void **state)
{
    enum { N = 9, DIM = 600, N_ROW = 70 };
    int32_t id[N_ROW];
    float *value = rig_floats(N * DIM, 1), *old = rig_floats(N_ROW * DIM, 1);
    char *table = malloc(N * DIM * 4 + 1);
    tern_ctx *ctx;
    (void)state;
    for (int r = 0; r < N_ROW; r++) id[r] = (int32_t)rig_below(N);
    for (int form = 0; form < 12; form++) {
        tern_dtype type = rounds[form % 3];
        bool add = form >= 6, misaligned = form & 1;
        float *one = NULL;
        rig_store(table + misaligned, type, value, N * DIM);
        RIG_EACH(ctx) {
            float *y = rig_copy(old, N_ROW * DIM);
            tern_lookup g = { table + misaligned, type, N_ROW, DIM, DIM, id, 1.5f, add, y };
            assert_int_equal(ctx->backend->lookup(ctx, &g), TERN_OK);
            for (size_t i = 0; i < N_ROW * DIM; i++)
                rig_near(ctx, "lookup", i, y[i],
                         1.5 * rig_round(type, value[id[i / DIM] * DIM + (int)(i % DIM)]) + (add ? old[i] : 0), 1e-6);
            same_as_one_thread(ctx, "lookup", &one, y, N_ROW * DIM);
            free(y);
        }
        free(one);
    }
    free(value);
    free(old);
    free(table);
}

static void test_convert(void **state)
{
    enum { N = 40001 };
    float *value = rig_floats(N, 100);
    char *from = malloc(N * 4 + 1), *to = malloc(N * 4 + 1), *want = malloc(N * 4 + 1);
    tern_ctx *ctx;
    (void)state;
    value[0] = INFINITY;
    value[1] = -0.0f;
    value[2] = 1e-7f;
    value[3] = 7e4f;
    value[4] = 3e38f;
    for (int form = 0; form < 54; form++) {
        tern_dtype a = rounds[form % 3], b = rounds[form / 3 % 3], through = rounds[form / 9 % 3];
        bool misaligned = form >= 27;
        rig_store(from + misaligned, a, value, N);
        for (size_t i = 0; i < N; i++) {
            float v = (float)rig_round(through, rig_round(a, value[i]));
            rig_store(want + i * tern_dtype_bytes(b), b, &v, 1);
        }
        RIG_EACH(ctx) {
            tern_convert c = { from + misaligned, to + misaligned, a, b, through, N };
            memset(to, 0, N * 4 + 1);
            assert_int_equal(ctx->backend->convert(ctx, &c), TERN_OK);
            if (memcmp(to + misaligned, want, N * tern_dtype_bytes(b)))
                fail_msg("%s to %s through %s (%s)", tern_dtype_name(a), tern_dtype_name(b), tern_dtype_name(through),
                         rig_name(ctx));
        }
    }
    free(value);
    free(from);
    free(to);
    free(want);
}

/* ---- softmax --------------------------------------------------------------------------------- */

typedef struct softmax_row {
    int64_t n_seq, n_head, n_row, n_key;
    bool causal, alibi, mask, holes;
    int64_t window;
    const char *why;
} softmax_row;

static const softmax_row softmax_rows[] = {
    { 1, 1, 1, 1, .why = "one score" },
    { 2, 3, 4, 50, .why = "every key" },
    { 2, 3, 5, 5, .causal = true, .why = "a prompt" },
    { 2, 2, 3, 9, .causal = true, .why = "a chunk that goes on from six keys" },
    { 1, 2, 1, 40, .causal = true, .window = 7, .why = "a decode step sees seven keys, itself among them" },
    { 1, 2, 30, 30, .causal = true, .window = 7, .why = "a window in a prompt" },
    { 2, 2, 3, 300, .alibi = true, .mask = true, .why = "alibi and mask" },
    { 2, 2, 30, 30, .causal = true, .mask = true, .holes = true, .why = "-inf in the mask, whole rows of it too" },
    { 1, 1, 2, 9000, .why = "more keys than CUDA kernels take" },
    { 2, 0, 3, 4, .why = "no heads" },
};

static void check_softmax(const softmax_row *r, tern_dtype type, bool in_place)
{
    size_t n = (size_t)(r->n_seq * r->n_head * r->n_row * r->n_key);
    float *x = rig_floats(n, 5), *alibi = rig_floats((size_t)(r->n_seq * r->n_head * r->n_key), 2),
        *mask = rig_floats((size_t)(r->n_seq * r->n_row * r->n_key), 2), *one = NULL;
    tern_ctx *ctx;
    if (r->holes)
        for (int64_t i = 0; i < r->n_seq * r->n_row * r->n_key; i++)
            if (rig_below(2) || i / r->n_key % 4 == 3) mask[i] = -INFINITY;
    RIG_EACH(ctx) {
        float *in = rig_copy(x, n), *y = in_place ? in : rig_floats(n, 1);
        tern_softmax s = {
            .x = in, .y = y, .n_seq = r->n_seq, .n_head = r->n_head, .n_row = r->n_row, .n_key = r->n_key,
            .scale = 0.3f, .causal = r->causal, .window = r->window, .round = type,
            .alibi = { r->alibi ? alibi : NULL, r->n_head * r->n_key, r->n_key, 0 },
            .mask = { r->mask ? mask : NULL, r->n_row * r->n_key, 0, r->n_key },
        };
        assert_int_equal(ctx->backend->softmax(ctx, &s), TERN_OK);
        for (int64_t i = 0; i < r->n_seq * r->n_head * r->n_row; i++) {
            int64_t row = i % r->n_row, head = i / r->n_row % r->n_head, seq = i / r->n_row / r->n_head,
                p = r->n_key - r->n_row + row;
            double *z = malloc((size_t)r->n_key * sizeof *z), max = -INFINITY, sum = 0;
            for (int64_t j = 0; j < r->n_key; j++) {
                z[j] = 0.3 * x[i * r->n_key + j] + (r->alibi ? alibi[(seq * r->n_head + head) * r->n_key + j] : 0) +
                       (r->mask ? mask[(seq * r->n_row + row) * r->n_key + j] : 0);
                if ((r->causal && j > p) || (r->window && j <= p - r->window)) z[j] = -INFINITY;
                max = fmax(max, z[j]);
            }
            for (int64_t j = 0; j < r->n_key; j++) sum += z[j] > -INFINITY ? exp(z[j] - max) : 0;
            for (int64_t j = 0; j < r->n_key; j++) {
                double want = rig_round(type, z[j] > -INFINITY ? exp(z[j] - max) / sum : 0);
                rig_near(ctx, r->why, (size_t)(i * r->n_key + j), y[i * r->n_key + j], want,
                         2e-6 + 2 * rig_eps(type) * want);
            }
            free(z);
        }
        same_as_one_thread(ctx, r->why, &one, y, n);
        if (!in_place) free(y);
        free(in);
    }
    free(x);
    free(alibi);
    free(mask);
    free(one);
}

static void test_softmax(void **state)
{
    (void)state;
    rig_seed = 6;
    for (size_t i = 0; i < sizeof softmax_rows / sizeof *softmax_rows; i++)
        for (size_t t = 0; t < 3; t++) check_softmax(&softmax_rows[i], rounds[t], t == 1);
}

/* ---- experts, the quantizer ------------------------------------------------------------------ */

static void test_experts(void **state)
{
    enum { N_TOKEN = 30, K = 3, DIM = 700, N_SLOT = 80 };
    int32_t token[N_SLOT], slot[N_TOKEN * K];
    float *x = rig_floats(N_TOKEN * DIM, 1), *weight = rig_floats(N_TOKEN * K, 1),
        *expert = rig_floats(N_SLOT * DIM, 1), *old = rig_floats(N_TOKEN * DIM, 1);
    tern_ctx *ctx;
    (void)state;
    for (int r = 0; r < N_SLOT; r++) token[r] = (int32_t)rig_below(N_TOKEN + 1) - 1;
    for (int r = 0; r < N_TOKEN * K; r++)
        slot[r] = (int32_t)rig_below(N_SLOT + 9) - 9 < 0 ? -1 : (int32_t)rig_below(N_SLOT);
    slot[0] = slot[1] = slot[2] = -1;
    slot[3] = 0;
    for (int form = 0; form < 6; form++) {
        tern_dtype type = rounds[form % 3];
        float *one = NULL;
        RIG_EACH(ctx) {
            float *out = rig_floats(N_SLOT * DIM, 1), *y = rig_copy(old, N_TOKEN * DIM);
            tern_gather_rows d = { x, out, token, DIM, DIM, N_SLOT, DIM };
            tern_combine c = { expert, y, slot, weight, DIM, DIM, N_TOKEN, K, DIM, form >= 3, type };
            assert_int_equal(ctx->backend->gather_rows(ctx, &d), TERN_OK);
            assert_int_equal(ctx->backend->combine(ctx, &c), TERN_OK);
            for (int i = 0; i < N_SLOT * DIM; i++)
                assert_true(out[i] == (token[i / DIM] < 0 ? 0 : x[token[i / DIM] * DIM + i % DIM]));
            for (int i = 0; i < N_TOKEN * DIM; i++) {
                double want = 0;
                for (int e = 0; e < K; e++) {
                    int32_t s = slot[i / DIM * K + e];
                    want += s < 0 ? 0 : (double)weight[i / DIM * K + e] * expert[s * DIM + i % DIM];
                }
                want = rig_round(type, want);
                if (form >= 3) want = rig_round(type, want + old[i]);
                rig_near(ctx, "combine", (size_t)i, y[i], want, 1e-6 + 4 * rig_eps(type) * (fabs(want) + 1));
            }
            same_as_one_thread(ctx, "combine", &one, y, N_TOKEN * DIM);
            free(out);
            free(y);
        }
        free(one);
    }
    free(x);
    free(weight);
    free(expert);
    free(old);
}

static void test_quantize(void **state)
{
    enum { N_GROUP = 7, N = 300 };
    float *w = rig_floats(N_GROUP * N, 2);
    tern_ctx *ctx;
    (void)state;
    for (int i = 0; i < N; i++) w[3 * N + i] = 0;
    /* scale 0.02: 2.5 and 1.5 go to the even 2 */
    w[0] = 2.56f;
    w[1] = 0.05f;
    w[2] = 0.03f;
    w[3] = -2.56f;
    RIG_EACH(ctx) {
        int8_t q[N_GROUP * N];
        float scale[N_GROUP];
        tern_quantize a = { w, q, scale, N_GROUP, N };
        assert_int_equal(ctx->backend->quantize(ctx, &a), TERN_OK);
        for (int g = 0; g < N_GROUP; g++) {
            float most = 0;
            for (int i = 0; i < N; i++) most = fmaxf(most, fabsf(w[g * N + i]));
            assert_true(scale[g] == (most > 0 ? most / 128 : 1));
            for (int i = 0; i < N; i++) {
                float v = rintf(w[g * N + i] / scale[g]);
                assert_int_equal(q[g * N + i], v > 127 ? 127 : (int)v);
            }
        }
        assert_int_equal(q[0], 127);     /* the largest saturates */
        assert_int_equal(q[3], -128);
    }
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norm),    cmocka_unit_test(test_activation), cmocka_unit_test(test_add),
        cmocka_unit_test(test_rope),
        cmocka_unit_test(test_lookup),  cmocka_unit_test(test_convert),    cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_experts),
        cmocka_unit_test(test_quantize),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
