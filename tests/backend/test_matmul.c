/* Matrix products of the backend against their formula in double, for every stored type,
 * orientation, epilogue and instruction set; and the promises on bits: the same whatever the
 * threads, the number of rows, the orientation, or the alignment of the weights. */
#include "backend/rig.h"

typedef struct shape {
    int64_t n_row, in, out[3];
    const char *why;
} shape;

static const shape shapes[] = {
    { 1, 64, { 48, 16, 16 }, "decode: a single row" },
    { 1, 1, { 1, 1, 1 }, "the least of everything" },
    { 3, 33, { 17, 5, 1 }, "tails on all axes" },
    { 0, 8, { 8, 8, 8 }, "no rows: nothing is touched" },
    { 37, 70, { 150, 67, 33 }, "several row blocks and panels" },
    { 17, 2101, { 20, 8, 1 }, "rows long enough that a panel has the fewest outputs" },
};

enum { PLAIN, BIAS, ACT, BIAS_ACT, RESIDUAL, RESIDUAL_IN_PLACE, GATED, GATED_ALL, N_EPILOGUES };

typedef struct setup {
    const shape *s;
    tern_dtype dtype, compute, round;
    bool transposed, misaligned;
    int epilogue;
    tern_act act;
    const char *why;
} setup;

/* A problem's numbers: weights as values [out, in], as stored, and all else. */
typedef struct problem {
    setup u;
    int n_part;
    int64_t ldx, ldy;
    float *x, *bias[3], *residual, *scale[3];
    float *value[3];
    char *stored[3];
    int64_t ld[3];
    double *want[3], *slack[3];
} problem;

static int64_t groups_of(int64_t out)
{
    return out % 2 ? out : out / 2;
}

static void make_weight(problem *p, int i)
{
    const setup *u = &p->u;
    int64_t out = u->s->out[i], in = u->s->in, n_group = groups_of(out);
    size_t size = tern_dtype_bytes(u->dtype), n = (size_t)(out * in);
    p->value[i] = rig_floats(n, 0.5f);
    p->scale[i] = rig_floats((size_t)n_group, 0.004f);
    p->ld[i] = (u->transposed ? out : in) + 3;
    p->stored[i] = malloc((size_t)(p->ld[i] * (u->transposed ? in : out)) * size + 1);
    assert_non_null(p->stored[i]);
    for (int64_t o = 0; o < out; o++)
        for (int64_t k = 0; k < in; k++) {
            float *v = &p->value[i][o * in + k];
            char *at = p->stored[i] + (size_t)u->misaligned +
                       (size_t)(u->transposed ? k * p->ld[i] + o : o * p->ld[i] + k) * size;
            if (u->dtype == TERN_I8) {
                int8_t q = (int8_t)(rig_below(256) - 128);
                memcpy(at, &q, 1);
                *v = (float)rig_round(u->round, p->scale[i][o / (out / n_group)] * (float)q);
            } else {
                rig_store(at, u->dtype, v, 1);
                *v = (float)rig_round(u->dtype, *v);
            }
        }
}

static double finish(const setup *u, double sum, const float *bias)
{
    double v = rig_round(u->round, sum);
    return bias ? rig_round(u->round, v + *bias) : v;
}

/* x . w in double, both as the compute type has them; size is the sum of the products'
 * magnitudes. */
static double dot(const float *x, const float *w, int64_t n, double *size)
{
    double sum = 0, all = 0;
    for (int64_t k = 0; k < n; k++) {
        double product = (double)x[k] * w[k];
        sum += product;
        all += fabs(product);
    }
    *size = all;
    return sum;
}

static float *as_computed(tern_dtype compute, const float *from, int64_t n)
{
    float *p = rig_copy(from, (size_t)n);
    for (int64_t i = 0; i < n && compute != TERN_F32; i++) p[i] = (float)rig_round(compute, p[i]);
    return p;
}

/* By what share of its products' magnitudes a sum may be off. In f16 the first of each is off by
 * 2^-11; of many, signs and magnitudes cancel. */
static double sums_slack(tern_dtype compute)
{
    return compute == TERN_F16 ? 0x1p-10 : 2e-6;
}

static void expect(problem *p)
{
    const setup *u = &p->u;
    bool gated = u->epilogue >= GATED;
    double sums = sums_slack(u->compute);
    float *x = as_computed(u->compute, p->x, u->s->n_row * p->ldx), *w[3];
    for (int i = 0; i < p->n_part; i++) w[i] = as_computed(u->compute, p->value[i], u->s->out[i] * u->s->in);
    for (int i = 0; i < p->n_part; i++)
        for (int64_t r = 0; r < u->s->n_row; r++)
            for (int64_t o = 0; o < u->s->out[i]; o++) {
                double size, other, at = p->u.s->n_row ? (double)(r * p->ldy + o) : 0, eps = 8 * rig_eps(u->round);
                double v = finish(u, dot(x + r * p->ldx, w[i] + o * u->s->in, u->s->in, &size), p->bias[i]
                                      ? &p->bias[i][o] : NULL), slack = sums * size + 1e-6 + eps * (fabs(v) + 0.1);
                if (!gated || i == 0) {
                    slack *= u->act == ACT_RELU_SQUARED ? 2 * fabs(v) + 2 : 2;
                    v = u->act ? rig_round(u->round, rig_act(u->act, v)) : v;
                }
                if (gated && i == 0) {
                    double gate = v;
                    v = finish(u, dot(x + r * p->ldx, w[1] + o * u->s->in, u->s->in, &other),
                               p->bias[1] ? &p->bias[1][o] : NULL);
                    slack = slack * (fabs(v) + 1) + (sums * other + 1e-6 + eps * (fabs(v) + 0.1)) * (fabs(gate) + 1);
                    v = rig_round(u->round, gate * v);
                }
                if (p->residual && i == 0) v = rig_round(u->round, v + p->residual[(int64_t)at]);
                p->want[i][(int64_t)at] = v;
                p->slack[i][(int64_t)at] = slack + eps * fabs(v);
            }
    free(x);
    for (int i = 0; i < p->n_part; i++) free(w[i]);
}

static void make(problem *p, setup u)
{
    *p = (problem){ .u = u, .n_part = u.epilogue >= GATED ? 2 : 3 };
    bool gated = u.epilogue >= GATED, biased = u.epilogue == BIAS || u.epilogue == BIAS_ACT || u.epilogue == GATED_ALL;
    int64_t widest = 0;
    p->ldx = u.s->in + 2;
    for (int i = 0; i < 3; i++) widest = u.s->out[i] > widest ? u.s->out[i] : widest;
    p->ldy = widest + 1;
    p->x = rig_floats((size_t)(u.s->n_row * p->ldx), 1);
    if (u.epilogue == RESIDUAL || u.epilogue == RESIDUAL_IN_PLACE || u.epilogue == GATED_ALL)
        p->residual = rig_floats((size_t)(u.s->n_row * p->ldy), 1);
    static shape even;
    if (gated) {
        even = *u.s;
        even.out[1] = even.out[0];
        p->u.s = &even;
    }
    for (int i = 0; i < p->n_part; i++) {
        make_weight(p, i);
        if (biased && (gated || i != 1)) p->bias[i] = rig_floats((size_t)p->u.s->out[i], 1);
        p->want[i] = calloc((size_t)(u.s->n_row * p->ldy) + 1, sizeof(double));
        p->slack[i] = calloc((size_t)(u.s->n_row * p->ldy) + 1, sizeof(double));
    }
    expect(p);
}

static void unmake(problem *p)
{
    free(p->x);
    free(p->residual);
    for (int i = 0; i < 3; i++) {
        free(p->bias[i]);
        free(p->scale[i]);
        free(p->value[i]);
        free(p->stored[i]);
        free(p->want[i]);
        free(p->slack[i]);
    }
}

static const float UNTOUCHED = 12345.0f;

/* Runs the problem's rows [first, first + n) into y[part], which has all rows. */
static void run(tern_ctx *ctx, const problem *p, int64_t first, int64_t n, float *y[3])
{
    const setup *u = &p->u;
    tern_matmul m = {
        .x = p->x + first * p->ldx, .ldx = p->ldx, .n_row = n, .n_part = p->n_part, .act = u->act,
        .gated = u->epilogue >= GATED, .residual = p->residual ? p->residual + first * p->ldy : NULL,
        .ld_residual = p->ldy, .compute = u->compute, .round = u->round,
    };
    for (int i = 0; i < p->n_part; i++) {
        m.part[i] = (tern_matmul_part){
            .w = { p->stored[i] + u->misaligned, u->dtype, u->transposed, u->s->out[i], u->s->in, p->ld[i], p->scale[i],
                   groups_of(u->s->out[i]), u->round },
            .bias = p->bias[i], .y = y[i] + first * p->ldy, .ldy = p->ldy,
        };
    }
    if (u->epilogue == RESIDUAL_IN_PLACE) {
        for (int64_t r = first; r < first + n; r++)
            memcpy(y[0] + r * p->ldy, p->residual + r * p->ldy, (size_t)u->s->out[0] * sizeof(float));
        m.residual = m.part[0].y;
    }
    if (m.gated) m.part[1].y = NULL;
    assert_int_equal(ctx->backend->matmul(ctx, &m), TERN_OK);
}

static void check(tern_ctx *ctx, const problem *p, float *y[3])
{
    for (int i = 0; i < (p->u.epilogue >= GATED ? 1 : p->n_part); i++)
        for (int64_t r = 0; r < p->u.s->n_row; r++)
            for (int64_t o = 0; o < p->ldy; o++) {
                size_t at = (size_t)(r * p->ldy + o);
                if (o < p->u.s->out[i]) {
                    rig_near(ctx, p->u.why, at, y[i][at], p->want[i][at], p->slack[i][at]);
                    if (y[i][at] != (float)rig_round(p->u.round, y[i][at]))
                        fail_msg("%s: element %zu is not rounded", p->u.why, at);
                } else if (y[i][at] != UNTOUCHED)
                    fail_msg("%s: element %zu beyond the outputs is written", p->u.why, at);
            }
}

static void give_outputs(const problem *p, float *y[3])
{
    for (int i = 0; i < 3; i++) {
        size_t n = (size_t)(p->u.s->n_row * p->ldy);
        y[i] = malloc((n + 1) * sizeof(float));
        for (size_t e = 0; e < n; e++) y[i][e] = UNTOUCHED;
    }
}

static void drop_outputs(float *y[3])
{
    for (int i = 0; i < 3; i++) free(y[i]);
}

/* Right within rounding everywhere; within an instruction set the bits of 1 thread are those of
 * any, and of each row alone. */
static void check_setup(setup u)
{
    problem p;
    tern_ctx *ctx;
    float *y[3], *first[3] = { 0 };
    char why[256];
    snprintf(why, sizeof why, "%s; %s%s%s weight, compute %s, round %s, epilogue %d, act %d", u.s->why,
             tern_dtype_name(u.dtype), u.transposed ? " [in, out]" : "", u.misaligned ? " misaligned" : "",
             tern_dtype_name(u.compute), tern_dtype_name(u.round), u.epilogue, (int)u.act);
    u.why = why;
    make(&p, u);
    RIG_EACH(ctx) {
        give_outputs(&p, y);
        run(ctx, &p, 0, p.u.s->n_row, y);
        check(ctx, &p, y);
        if (tern_ctx_threads(ctx) == 1) {
            float *alone[3];
            give_outputs(&p, alone);
            for (int64_t r = 0; r < p.u.s->n_row; r++) run(ctx, &p, r, 1, alone);
            for (int i = 0; i < p.n_part; i++)
                rig_same_bits(ctx, "each row alone", alone[i], y[i], (size_t)(p.u.s->n_row * p.ldy));
            drop_outputs(alone);
            drop_outputs(first);
            memcpy(first, y, sizeof y);
        } else {
            for (int i = 0; i < p.n_part; i++)
                rig_same_bits(ctx, "more threads", y[i], first[i], (size_t)(p.u.s->n_row * p.ldy));
            drop_outputs(y);
        }
    }
    drop_outputs(first);
    unmake(&p);
}

static void test_types(void **state)
{
    static const tern_dtype stored[] = { TERN_F32, TERN_F16, TERN_BF16, TERN_I8 },
        computes[] = { TERN_F32, TERN_BF16, TERN_F16 };
    static const tern_dtype rounds[] = { TERN_F32, TERN_F16, TERN_BF16 };
    (void)state;
    rig_seed = 1;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t d = 0; d < 4; d++)
            for (size_t c = 0; c < 3; c++)
                for (int t = 0; t < 2; t++) {
                    setup u = { .s = &shapes[s], .dtype = stored[d], .compute = computes[c],
                                .round = rounds[(s + d) % 3], .transposed = t };
                    u.epilogue = (int)((s + d + c) % N_EPILOGUES);
                    u.act = u.epilogue == ACT || u.epilogue == BIAS_ACT || u.epilogue >= GATED ? ACT_SILU : ACT_NONE;
                    check_setup(u);
                    if (s < 3 && stored[d] != TERN_I8) {
                        u.misaligned = true;
                        check_setup(u);
                    }
                }
}

static void test_epilogues(void **state)
{
    static const tern_dtype rounds[] = { TERN_F32, TERN_F16, TERN_BF16 };
    (void)state;
    rig_seed = 2;
    for (int e = 0; e < N_EPILOGUES; e++)
        for (int act = ACT_NONE + 1; act < ACT_SOFTCAP; act++)
            for (size_t r = 0; r < 3; r++) {
                bool acts = e == ACT || e == BIAS_ACT || e >= GATED;
                if (!acts && act > 1) continue;
                check_setup((setup){ .s = &shapes[2], .dtype = TERN_F32, .round = rounds[r], .epilogue = e,
                                     .act = acts ? (tern_act)act : ACT_NONE });
                check_setup((setup){ .s = &shapes[4], .dtype = TERN_BF16, .round = rounds[r], .epilogue = e,
                                     .act = acts ? (tern_act)act : ACT_NONE });
            }
}

/* One weight in two forms gives the same bits: b's is made from a's values. */
static void same_in_both_forms(tern_dtype dtype, tern_dtype compute, bool transposed, bool misaligned, const char *why)
{
    setup u = { .s = &shapes[4], .dtype = dtype, .compute = compute, .epilogue = PLAIN, .why = why };
    problem a, b;
    tern_ctx *ctx;
    make(&a, u);
    b = a;
    b.u.transposed = transposed;
    b.u.misaligned = misaligned;
    b.n_part = a.n_part;
    for (int i = 0; i < 3; i++) {
        int64_t out = u.s->out[i], in = u.s->in;
        size_t size = tern_dtype_bytes(dtype);
        b.ld[i] = transposed ? out : in;
        b.stored[i] = malloc((size_t)(out * in) * size + 1);
        for (int64_t o = 0; o < out; o++)
            for (int64_t k = 0; k < in; k++)
                memcpy(b.stored[i] + misaligned + (size_t)(transposed ? k * out + o : o * in + k) * size,
                       a.stored[i] + (size_t)(o * a.ld[i] + k) * size, size);
    }
    RIG_EACH(ctx) {
        float *ya[3], *yb[3];
        give_outputs(&a, ya);
        give_outputs(&b, yb);
        run(ctx, &a, 0, u.s->n_row, ya);
        run(ctx, &b, 0, u.s->n_row, yb);
        for (int i = 0; i < 3; i++) rig_same_bits(ctx, why, yb[i], ya[i], (size_t)(u.s->n_row * a.ldy));
        drop_outputs(ya);
        drop_outputs(yb);
    }
    for (int i = 0; i < 3; i++) free(b.stored[i]);
    unmake(&a);
}

/* int8 weights are a way to store: the product has the bits of the widened matrix. */
static void int8_is_its_widened_matrix(tern_dtype compute)
{
    setup u = { .s = &shapes[4], .dtype = TERN_I8, .compute = compute, .epilogue = PLAIN,
                .why = "int8 and what it stands for" };
    problem a, b;
    tern_ctx *ctx;
    make(&a, u);
    b = a;
    b.u.dtype = TERN_F32;
    for (int i = 0; i < 3; i++) {
        b.ld[i] = u.s->in;
        b.stored[i] = (char *)a.value[i];
    }
    RIG_EACH(ctx) {
        float *ya[3], *yb[3];
        give_outputs(&a, ya);
        give_outputs(&b, yb);
        run(ctx, &a, 0, u.s->n_row, ya);
        run(ctx, &b, 0, u.s->n_row, yb);
        for (int i = 0; i < 3; i++) rig_same_bits(ctx, u.why, yb[i], ya[i], (size_t)(u.s->n_row * a.ldy));
        drop_outputs(ya);
        drop_outputs(yb);
    }
    unmake(&a);
}

static void test_forms(void **state)
{
    static const tern_dtype stored[] = { TERN_F32, TERN_F16, TERN_BF16, TERN_I8 },
        computes[] = { TERN_F32, TERN_BF16, TERN_F16 };
    (void)state;
    rig_seed = 3;
    for (size_t d = 0; d < 4; d++)
        for (size_t c = 0; c < 3; c++) {
            same_in_both_forms(stored[d], computes[c], true, false, "[in, out] and [out, in]");
            same_in_both_forms(stored[d], computes[c], false, true, "aligned and not");
            same_in_both_forms(stored[d], computes[c], true, true, "[in, out] misaligned, and [out, in]");
        }
    int8_is_its_widened_matrix(TERN_F32);
    int8_is_its_widened_matrix(TERN_BF16);
    int8_is_its_widened_matrix(TERN_F16);
}

/* The arena grows to the largest call once; after that no call takes memory. */
static void test_steady(void **state)
{
    problem p;
    tern_ctx *ctx;
    (void)state;
    rig_seed = 4;
    make(&p, (setup){ .s = &shapes[4], .dtype = TERN_I8, .compute = TERN_BF16, .epilogue = GATED_ALL, .act = ACT_SILU,
                      .why = "steady" });
    RIG_EACH(ctx) {
        float *y[3];
        give_outputs(&p, y);
        run(ctx, &p, 0, p.u.s->n_row, y);
        run(ctx, &p, 0, p.u.s->n_row, y);
        const void *chunk = ctx->step.first;
        run(ctx, &p, 0, p.u.s->n_row, y);
        assert_ptr_equal(ctx->step.first, chunk);
        assert_ptr_equal(ctx->step.current, chunk);
        drop_outputs(y);
    }
    unmake(&p);
}

/* Where the roundings stand, by numbers that fall differently: in bf16 1 + 2^-8 is a tie that goes
 * to 1, 1 + 2^-7 a number. */
static void test_stages(void **state)
{
    static const struct {
        float sum, bias, gate_bias, residual, want;
        bool gated;
        const char *why;
    } stages[] = {
        { 1 + 0x1p-8f, 0, 0, 0, 1, false, "the sum is rounded" },
        { 1 + 0x1p-8f, 0x1p-8f, 0, 0, 1, false, "the sum before the bias, and after it" },
        { 1 + 0x1p-8f, 0, 0, 0x1p-8f, 1, false, "the sum before the residual, and after it" },
        { 1 + 0x1p-8f, 0x1p-8f, 0x1p-8f, 0, 1, true, "gate and value each on their own" },
        { 1 + 0x1p-7f, 0, 0, 0x1p-6f, 1 + 0x1p-5f, true, "the product before the residual, and after it" },
    };
    tern_ctx *ctx;
    (void)state;
    RIG_EACH(ctx)
        for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
            float x[] = { 1, stages[i].sum - 1 }, w[] = { 1, 1 }, y = 0;
            tern_weight weight = { .data = w, .dtype = TERN_F32, .out = 1, .in = 2, .ld = 2 };
            tern_matmul m = { .x = x, .ldx = 2, .n_row = 1, .n_part = stages[i].gated ? 2 : 1, .gated = stages[i].gated,
                              .act = stages[i].gated ? ACT_RELU : ACT_NONE, .round = TERN_BF16 };
            m.part[0] = (tern_matmul_part){ weight, stages[i].gated ? &stages[i].gate_bias : &stages[i].bias, &y, 1 };
            m.part[1] = (tern_matmul_part){ weight, &stages[i].bias, NULL, 1 };
            m.residual = stages[i].residual != 0 ? &stages[i].residual : NULL;
            assert_int_equal(ctx->backend->matmul(ctx, &m), TERN_OK);
            if (y != stages[i].want)
                fail_msg("%s (%s): %.9g, not %.9g", stages[i].why, rig_name(ctx), y, stages[i].want);
        }
}

/* A weight that f16 cannot hold is an error, and not infinity; an infinite one stays what it is. */
static void test_beyond_f16(void **state)
{
    tern_ctx *ctx;
    (void)state;
    RIG_EACH(ctx) {
        float x[] = { 1, 1 }, w[] = { 1, 65520, 1, -1e30f, 1, 65519, 1, INFINITY }, y;
        for (int i = 0; i < 4; i++) {
            tern_matmul m = { .x = x, .ldx = 2, .n_row = 1, .n_part = 1, .compute = TERN_F16 };
            m.part[0] = (tern_matmul_part){ .w = { .data = w + 2 * i, .dtype = TERN_F32, .out = 1, .in = 2, .ld = 2 },
                                            .y = &y, .ldy = 1 };
            assert_int_equal(ctx->backend->matmul(ctx, &m), i < 2 ? TERN_ERR_NUMERIC : TERN_OK);
            if (i < 2) assert_non_null(strstr(tern_ctx_error(ctx), "65504"));
            else if (i == 2) assert_true(fabs(y - 65505) < 64);
            else assert_true(y == INFINITY);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_epilogues),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_steady),
        cmocka_unit_test(test_stages),
        cmocka_unit_test(test_beyond_f16),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
