/* DeepSpeed's tests of its ops, rebuilt: each op against its formula in double, over DeepSpeed's
 * shapes and types (tests/unit/ops/transformer/inference, tests/unit/ops/spatial). Every shape is
 * run, whole up to 2^21 elements a tensor on the machine's best instruction set and up to 2^18 on
 * the others: beyond, with fewer rows. Of many rows some are compared: within one rounding where
 * there is but one, else within DeepSpeed's tolerances. */
#include "formulas.h"

static const int64_t batches[] = { 1, 2 }, tokens[] = { 1, 128, 255 }, channels[] = { 512, 1232, 4096 };

#define EACH_SHAPE                                          \
    for (size_t ib = 0; ib < 2; ib++)                       \
        for (size_t is = 0; is < 3; is++)                   \
            for (size_t ic = 0; ic < 3; ic++)

static double same(double x)
{
    return x;
}

static int64_t at_most(int64_t rows, int64_t c)
{
    int64_t most;
    if (SANITIZED) most = 1 << 16;
    else if (rig_is_best()) most = 1 << 21;
    else most = 1 << 18;
    return rows * c > most ? most / c : rows;
}

/* ---- bias_add, bias_gelu, bias_relu: test_bias_add, test_bias_gelu, test_bias_relu; test_gelu
 * is bias_gelu with zeros ---- */

static void check_bias(const char *name, double (*f)(double), tern_status (*run)(tern_op *, const tern_bias_add_args *),
                       bool zeros, size_t type, int64_t b, int64_t s, int64_t c)
{
    tern_config config = rig_config(type);
    tern_dtype t = rig_types[type].t;
    s = at_most(s, b * c);
    tern_tensor x = rig_tiled(t, RIG_SHAPE(b, s, c), 1),
        bias = zeros ? rig_new(t, RIG_SHAPE(c)) : rig_random(t, RIG_SHAPE(c), 2), y = rig_new(t, RIG_SHAPE(b, s, c));
    double *want = doubles(c);
    tern_op *op = make_op(name, &config);
    RIG_OK(run(op, &(tern_bias_add_args){ .input = x, .bias = bias, .output = y }));
    for (int64_t k = 0; k < rig_samples(b * s); k++) {
        int64_t r = rig_sample(b * s, k);
        for (int64_t i = 0; i < c; i++) want[i] = f(rig_get(&x, r * c + i) + rig_get(&bias, i));
        rig_close_once(name, &y, r, want, 1e-6);
    }
    RIG_OK(run(op, &(tern_bias_add_args){ .input = x, .bias = bias, .output = x }));    /* in place */
    assert_memory_equal(x.data, y.data, (size_t)(b * s * c) * tern_dtype_bytes(t));
    tern_op_free(op);
    free(x.data);
    free(bias.data);
    free(y.data);
    free(want);
}

static void test_bias_ops(void **state)
{
    (void)state;
    for (size_t type = 0; type < 3; type++)
        EACH_SHAPE {
            check_bias("bias_add", same, tern_bias_add_run, false, type, batches[ib], tokens[is], channels[ic]);
            check_bias("bias_gelu", gelu_tanh, tern_bias_gelu_run, false, type, batches[ib], tokens[is], channels[ic]);
            check_bias("bias_gelu", gelu_tanh, tern_bias_gelu_run, true, type, batches[ib], tokens[is], channels[ic]);
            check_bias("bias_relu", relu, tern_bias_relu_run, false, type, batches[ib], tokens[is], channels[ic]);
        }
}

/* ---- nhwc_bias_add: the three tests of test_nhwc_bias_add ---- */

static void test_nhwc_bias_add(void **state)
{
    static const int64_t images[] = { 1, 2, 10 }, sides[] = { 16, 32, 64 },
        widths[] = { 192, 384, 320, 576, 640, 768, 960, 1152, 1280, 1536, 1600, 1920, 2240, 2560 };
    (void)state;
    for (size_t form = 0; form < 3 * 3 * 14; form++) {
        int64_t n = images[form % 3], side = sides[form / 3 % 3], c = widths[form / 9],
            rows = at_most(n * side * side, c);
        size_t type = form % 2 ? 1 : form / 2 % 3;    /* f16 as in DeepSpeed, and the other types in turn */
        tern_config config = rig_config(type);
        tern_dtype t = rig_types[type].t;
        const int64_t whole[] = { n, side, side, c }, cut[] = { 1, 1, rows, c },
            *shape = rows == n * side * side ? whole : cut;
        tern_tensor x = rig_tiled(t, 4, shape, 1), other = rig_tiled(t, 4, shape, 2), bias =
            rig_random(t, RIG_SHAPE(c), 3), other_bias = rig_random(t, RIG_SHAPE(c), 4), y = rig_new(t, 4, shape);
        double *want = doubles(c);
        tern_op *op = make_op("nhwc_bias_add", &config);
        for (int how = 0; how < 3; how++) {
            tern_nhwc_bias_add_args a = { .input = x, .bias = bias, .output = y };
            if (how) a.other = other;
            if (how == 2) a.other_bias = other_bias;
            RIG_OK(tern_nhwc_bias_add_run(op, &a));
            for (int64_t k = 0; k < rig_samples(rows); k++) {
                int64_t r = rig_sample(rows, k);
                for (int64_t i = 0; i < c; i++)
                    want[i] = rig_get(&x, r * c + i) + rig_get(&bias, i) + (how ? rig_get(&other, r * c + i) : 0) +
                              (how == 2 ? rig_get(&other_bias, i) : 0);
                rig_close_once("nhwc_bias_add", &y, r, want, 1e-6);
            }
        }
        tern_op_free(op);
        free(x.data);
        free(other.data);
        free(bias.data);
        free(other_bias.data);
        free(y.data);
        free(want);
    }
}

/* ---- gated_activation: test_bias_geglu, test_gated_silu, and FastGen's test_gated_activation
 * ---- */

static void check_gated(tern_activation_type act, double (*f)(double), size_t type, int64_t b, int64_t s, int64_t c,
                        bool biased)
{
    tern_config config = rig_config(type);
    tern_dtype t = rig_types[type].t;
    config.mlp_act_func_type = act;
    s = at_most(s, b * 2 * c);
    tern_tensor x = rig_tiled(t, RIG_SHAPE(b, s, 2 * c), 1), bias =
        biased ? rig_random(t, RIG_SHAPE(2 * c), 2) : rig_new(t, RIG_SHAPE(2 * c)), y = rig_new(t, RIG_SHAPE(b, s, c));
    double *want = doubles(c);
    tern_op *op = make_op("gated_activation", &config);
    tern_gated_activation_args a = { .activation = x, .output = y };
    if (biased) a.bias = bias;
    RIG_OK(tern_gated_activation_run(op, &a));
    for (int64_t k = 0; k < rig_samples(b * s); k++) {
        int64_t r = rig_sample(b * s, k);
        for (int64_t i = 0; i < c; i++)
            want[i] = (rig_get(&x, r * 2 * c + i) + rig_get(&bias, i)) *
                      f(rig_get(&x, r * 2 * c + c + i) + rig_get(&bias, c + i));
        rig_close_row("gated_activation", &y, r, want, rig_types[type].rtol, rig_types[type].atol);
    }
    tern_op_free(op);
    free(x.data);
    free(bias.data);
    free(y.data);
    free(want);
}

static void test_gated_activation(void **state)
{
    static const struct { int64_t b, s, c; const char *why; } fastgen[] = {
        { 1, 1372, 8192, "two axes there" }, { 2, 743, 11008, "three axes" }, { 1, 832, 24076, "DeepSpeed's widest" },
        { 1, 2, 24580, "49160 columns, refused there" },
        { 1, 5, 61, "no multiple of 16 bytes, refused there" }, { 1, 128, 7, "narrower than a vector" },
    };
    (void)state;
    for (size_t type = 0; type < 3; type++)
        EACH_SHAPE {
            check_gated(TERN_ACT_GATED_GELU, gelu_erf, type, batches[ib], tokens[is], channels[ic], true);
            check_gated(TERN_ACT_GATED_SILU, silu, type, batches[ib], tokens[is], channels[ic], true);
        }
    for (size_t type = 0; type < 3; type++)
        for (size_t i = 0; i < sizeof fastgen / sizeof *fastgen; i++)
            for (int biased = 0; biased < 2; biased++) {
                check_gated(TERN_ACT_GATED_GELU_TANH, gelu_tanh, type, fastgen[i].b, fastgen[i].s, fastgen[i].c,
                            biased);
                check_gated(TERN_ACT_GATED_RELU, relu, type, fastgen[i].b, fastgen[i].s, fastgen[i].c, biased);
                check_gated(TERN_ACT_GATED_SILU, silu, type, fastgen[i].b, fastgen[i].s, fastgen[i].c, biased);
            }
}

/* ---- Norms: test_layer_norm, test_rms_norm and their residual forms, and FastGen's
 * test_pre_ln, test_post_ln, test_rms_norm ---- */

typedef struct norm_case {
    tern_tensor x, r, bias, gamma, beta;
    size_t type;
    int64_t rows, c;
} norm_case;

/* Compares y with the norm of x, x + residual or x + residual + bias, and sum (if there is one)
 * with what was normalized. */
static void check_norm_rows(const char *what, const norm_case *n, bool residual, bool bias, bool rms,
                            const tern_tensor *y, const tern_tensor *sum)
{
    double *row = doubles(n->c), *want = doubles(n->c);
    tern_tensor none = { 0 };
    for (int64_t k = 0; k < rig_samples(n->rows); k++) {
        int64_t r = rig_sample(n->rows, k);
        for (int64_t i = 0; i < n->c; i++)
            row[i] = rig_get(&n->x, r * n->c + i) + (bias ? rig_get(&n->bias, i) : 0) +
                     (residual ? rig_get(&n->r, r * n->c + i) : 0);
        norm_row(row, n->c, &n->gamma, rms ? &none : &n->beta, rms, want);
        rig_close_row(what, y, r, want, rig_types[n->type].rtol, rig_types[n->type].atol);
        /* a mean of thousands, added one by one; the other norms are rounded in between */
        if (!residual && !rms) rig_close_once(what, y, r, want, 4e-6);
        if (sum) rig_close_once(what, sum, r, row, 1e-6);
    }
    free(row);
    free(want);
}

static void check_norms(size_t type, int64_t rows, int64_t c)
{
    tern_config config = rig_config(type);
    tern_dtype t = rig_types[type].t;
    config.layer_norm_eps = 1e-5;
    norm_case n = { .x = rig_tiled(t, RIG_SHAPE(1, rows, c), 1), .r = rig_tiled(t, RIG_SHAPE(1, rows, c), 2),
                    .bias = rig_random(t, RIG_SHAPE(c), 3),
                    .gamma = rig_random(t, RIG_SHAPE(c), 4), .beta = rig_new(t, RIG_SHAPE(c)), .type = type,
                    .rows = rows, .c = c };
    tern_tensor y = rig_new(t, RIG_SHAPE(1, rows, c)), s = rig_new(t, RIG_SHAPE(1, rows, c));
    for (int64_t i = 0; i < c; i++) rig_put(&n.beta, i, rig_uniform(5, (uint64_t)i));
    tern_op *ln = make_op("layer_norm", &config), *lnr = make_op("layer_norm_residual", &config),
            *store = make_op("layer_norm_residual_store_pre_ln_res", &config), *rms = make_op("rms_norm", &config),
            *pre = make_op("pre_rms_norm", &config);

    RIG_OK(tern_layer_norm_run(ln,
                               &(tern_layer_norm_args){ .input = n.x, .gamma = n.gamma, .beta = n.beta, .output = y }));
    check_norm_rows("layer_norm", &n, false, false, false, &y, NULL);
    RIG_OK(tern_layer_norm_residual_run(lnr, &(tern_layer_norm_residual_args){
        .input = n.x, .residual = n.r, .bias = n.bias, .gamma = n.gamma, .beta = n.beta, .output = y }));
    check_norm_rows("layer_norm_residual", &n, true, true, false, &y, NULL);
    RIG_OK(tern_layer_norm_residual_run(lnr, &(tern_layer_norm_residual_args){ .input = n.x, .residual = n.r, .gamma =
        n.gamma, .beta = n.beta, .output = y }));
    check_norm_rows("layer_norm_residual without a bias", &n, true, false, false, &y, NULL);
    RIG_OK(tern_layer_norm_residual_store_pre_ln_res_run(store, &(tern_layer_norm_residual_store_pre_ln_res_args){
        .input = n.x, .residual = n.r, .bias = n.bias, .gamma = n.gamma, .beta = n.beta, .norm_output = y,
        .res_output = s }));
    check_norm_rows("layer_norm_residual_store_pre_ln_res", &n, true, true, false, &y, &s);
    RIG_OK(tern_rms_norm_run(rms, &(tern_rms_norm_args){ .input = n.x, .gamma = n.gamma, .output = y }));
    check_norm_rows("rms_norm", &n, false, false, true, &y, NULL);
    RIG_OK(tern_pre_rms_norm_run(pre, &(tern_pre_rms_norm_args){ .input = n.x, .residual = n.r, .gamma = n.gamma,
                                                                 .output = y, .residual_output = s }));
    check_norm_rows("pre_rms_norm", &n, true, false, true, &y, &s);    /* DeepSpeed's test leaves the sum out */

    tern_op_free(ln);
    tern_op_free(lnr);
    tern_op_free(store);
    tern_op_free(rms);
    tern_op_free(pre);
    free(n.x.data);
    free(n.r.data);
    free(n.bias.data);
    free(n.gamma.data);
    free(n.beta.data);
    free(y.data);
    free(s.data);
}

static void test_norms(void **state)
{
    static const int64_t sequences[] = { 1, 32 }, lengths[] = { 1, 128 },
        wide[] = { 384, 512, 768, 1024, 2048, 8192, 14432 };
    static const struct { int64_t rows, c; const char *why; } others[] = {
        { 1, 4096, "FastGen" }, { 37, 2048, "FastGen" }, { 112, 14432, "FastGen" }, { 1024, 6144, "FastGen" },
        { 37, 8192, "its modules" }, { 1280, 768, "its modules" },
        { 2048, 5120, "its modules" }, { 7, 1, "one channel" }, { 128, 3, "fewer channels than lanes" },
        { 2, 16385, "beyond the 16384 that DeepSpeed's kernels launch for" },
    };
    (void)state;
    for (size_t type = 0; type < 3; type++) {
        for (size_t form = 0; form < 4 * 7; form++)
            check_norms(type, at_most(sequences[form % 2] * lengths[form / 2 % 2], wide[form / 4]), wide[form / 4]);
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            check_norms(type, at_most(others[i].rows, others[i].c), others[i].c);
    }
}

/* ---- residual_add: test_residual_add ---- */

static void check_residual_add(size_t type, int64_t b, int64_t s, int64_t c, bool after, bool pre, bool add_bias,
                               int mp)
{
    tern_config config = rig_config(type);
    tern_dtype t = rig_types[type].t;
    s = at_most(s, b * c);
    int64_t rows = b * s;
    config.mlp_after_attn = after;
    config.pre_layer_norm = pre;
    config.mp_size = mp;
    tern_tensor h = rig_tiled(t, RIG_SHAPE(b, s, c), 1), r = rig_tiled(t, RIG_SHAPE(b, s, c), 2),
        a = rig_tiled(t, RIG_SHAPE(b, s, c), 3), ab = rig_random(t, RIG_SHAPE(c), 4),
        fb = rig_random(t, RIG_SHAPE(c), 5), y = rig_new(t, RIG_SHAPE(b, s, c));
    double *want = doubles(c);
    tern_op *op = make_op("residual_add", &config);
    tern_residual_add_args args = {
        .hidden_state = h, .residual = r, .attention_output = a, .attention_bias = ab, .final_bias = fb, .output = y,
        .no_bias = !add_bias };
    RIG_OK(tern_residual_add_run(op, &args));
    for (int64_t k = 0; k < rig_samples(rows); k++) {
        int64_t at = rig_sample(rows, k);
        for (int64_t i = 0; i < c; i++) {
            double hv = rig_get(&h, at * c + i), rv = rig_get(&r, at * c + i), av = rig_get(&a, at * c + i),
                abv = rig_get(&ab, i), fbv = rig_get(&fb, i);
            if (!after) want[i] = hv + av + (rv + fbv + (add_bias ? abv : 0)) / mp;
            else if (pre) want[i] = (rv + av + fbv + abv) / mp + hv;
            else want[i] = rv + hv + fbv;
        }
        rig_close_once("residual_add", &y, at, want, 1e-6);
    }
    tern_tensor *const in_place[] = { &r, &h, &a };
    for (int i = 0; i < 3 && rows < 200; i++) {    /* output in the memory of each row of inputs */
        tern_tensor *into = in_place[i], kept = rig_new(t, RIG_SHAPE(1, rows, c));
        size_t bytes = (size_t)(rows * c) * tern_dtype_bytes(t);
        memcpy(kept.data, into->data, bytes);
        args.output = *into;
        RIG_OK(tern_residual_add_run(op, &args));
        assert_memory_equal(into->data, y.data, bytes);
        memcpy(into->data, kept.data, bytes);
        free(kept.data);
    }
    tern_op_free(op);
    free(h.data);
    free(r.data);
    free(a.data);
    free(ab.data);
    free(fb.data);
    free(y.data);
    free(want);
}

static void test_residual_add(void **state)
{
    (void)state;
    for (size_t type = 0; type < 3; type++)
        for (int bits = 0; bits < 16; bits++)
            EACH_SHAPE check_residual_add(type, batches[ib], tokens[is], channels[ic], bits & 1, bits & 2, bits & 4,
                                          bits & 8 ? 2 : 1);
}

/* RMS models: DeepSpeed's kernels count the attention's output twice (mlp_gemm has added it to the
 * residual in place). Here r + a + h, once. */
static void test_rms_residual_is_added_once(void **state)
{
    enum { E = 8, I = 6, ROWS = 3 };
    tern_config config = rig_config(0);
    config.norm_type = TERN_NORM_RMS;
    config.mlp_act_func_type = TERN_ACT_GATED_SILU;
    tern_tensor a = rig_random(TERN_F32, RIG_SHAPE(ROWS, E), 1), r = rig_random(TERN_F32, RIG_SHAPE(ROWS, E), 2),
                before = rig_random(TERN_F32, RIG_SHAPE(ROWS, E), 2);
    tern_tensor w1 = rig_random(TERN_F32, RIG_SHAPE(E, 2 * I), 3), w2 = rig_random(TERN_F32, RIG_SHAPE(I, E), 4),
                gamma = rig_random(TERN_F32, RIG_SHAPE(E), 5);
    tern_tensor m = rig_new(TERN_F32, RIG_SHAPE(ROWS, E)), sum = rig_new(TERN_F32, RIG_SHAPE(ROWS, E)),
        y = rig_new(TERN_F32, RIG_SHAPE(ROWS, E));
    tern_op *mlp = make_op("mlp_gemm", &config), *add = make_op("residual_add", &config);
    double want[ROWS * E];
    (void)state;
    RIG_OK(tern_mlp_gemm_run(mlp, &(tern_mlp_gemm_args){
        .input = a, .residual = r, .weight_interm = w1, .weight_out = w2, .gamma = gamma, .output = m,
        .residual_add = sum }));
    assert_memory_equal(r.data, before.data, ROWS * E * sizeof(float));
    RIG_OK(tern_residual_add_run(add, &(tern_residual_add_args){ .hidden_state = m, .residual = r,
                                                                 .attention_output = a, .output = y }));
    for (int i = 0; i < ROWS * E; i++) want[i] = rig_get(&r, i) + rig_get(&a, i) + rig_get(&m, i);
    rig_close("r + a + m", &y, want, 1e-6, 1e-6);
    for (int i = 0; i < ROWS * E; i++) want[i] = rig_get(&r, i) + rig_get(&a, i);
    rig_close("residual_add of mlp_gemm", &sum, want, 1e-6, 1e-6);
    tern_op_free(mlp);
    tern_op_free(add);
    free(a.data);
    free(r.data);
    free(before.data);
    free(w1.data);
    free(w2.data);
    free(gamma.data);
    free(m.data);
    free(sum.data);
    free(y.data);
}

/* ---- moe_res_matmul: test_moe_res_matmult, and the contract per token ---- */

static void check_moe_res(size_t type, int64_t b, int64_t s, int64_t m, bool by_token)
{
    int64_t rows = b * s;
    tern_config config = rig_config(type);
    tern_dtype t = rig_types[type].t;
    tern_tensor r = rig_random(t, RIG_SHAPE(b, s, m), 1), o = rig_random(t, RIG_SHAPE(b, s, m), 2),
        y = rig_new(t, RIG_SHAPE(b, s, m));
    tern_tensor coef = by_token ? rig_random(t, RIG_SHAPE(b, s, 2), 3) : rig_random(t, RIG_SHAPE(1, 2 * m, 1), 3);
    double *want = doubles(rows * m);
    for (int64_t i = 0; i < rows * m; i++) {
        double cr = rig_get(&coef, by_token ? i / m * 2 + 1 : i % m),
            co = rig_get(&coef, by_token ? i / m * 2 : m + i % m);
        /* in T, as there */
        want[i] = rig_round(t, rig_round(t, rig_get(&r, i) * cr) + rig_round(t, rig_get(&o, i) * co));
    }
    tern_op *op = make_op("moe_res_matmul", &config);
    RIG_OK(tern_moe_res_matmul_run(op, &(tern_moe_res_matmul_args){ .residual = r, .coef = coef, .output = o,
                                                                    .result = y }));
    rig_close("moe_res_matmul", &y, want, rig_types[type].rtol, rig_types[type].atol);
    RIG_OK(tern_moe_res_matmul_run(op, &(tern_moe_res_matmul_args){ .residual = r, .coef = coef, .output = o,
                                                                    .result = o }));
    assert_memory_equal(o.data, y.data, (size_t)(rows * m) * tern_dtype_bytes(t));
    tern_op_free(op);
    free(r.data);
    free(o.data);
    free(y.data);
    free(coef.data);
    free(want);
}

static void test_moe_res_matmul(void **state)
{
    static const int64_t sizes[] = { 16, 64 }, counts[] = { 1, 4 };
    (void)state;
    for (size_t type = 0; type < 3; type++)
        for (size_t i = 0; i < 2; i++)
            for (size_t c = 0; c < 2; c++) {
                check_moe_res(type, counts[c], sizes[i] * counts[c], sizes[i], false);
                check_moe_res(type, counts[c], sizes[i] * counts[c], sizes[i], true);
            }
}

/* ---- softmax: test_softmax, and what it leaves out ---- */

static void check_softmax(size_t type, int64_t b, int64_t h, int64_t s, int64_t l, double scale)
{
    tern_config config = rig_config(type);
    tern_dtype t = rig_types[type].t;
    tern_tensor x = rig_tiled(t, RIG_SHAPE(b, h, s, l), 1), y = rig_new(t, RIG_SHAPE(b, h, s, l));
    double *want = doubles(l);
    tern_op *op = make_op("softmax", &config);
    RIG_OK(tern_softmax_run(op, &(tern_softmax_args){ .attn_scores = x, .not_triangular = true, .layer_scale = scale,
                                                      .output = y }));
    for (int64_t k = 0; k < rig_samples(b * h * s); k++) {
        int64_t r = rig_sample(b * h * s, k);
        double sum = 0;
        for (int64_t j = 0; j < l; j++) sum += want[j] = exp(scale * rig_get(&x, r * l + j));
        for (int64_t j = 0; j < l; j++) want[j] /= sum;
        /* numbers of about 1/l: DeepSpeed's atol would take zeros for right */
        rig_close_once("softmax", &y, r, want, 1e-7);
    }
    tern_op_free(op);
    free(x.data);
    free(y.data);
    free(want);
}

static void test_softmax(void **state)
{
    static const int64_t lengths[] = { 1, 128, 255, 1232 }, keys[] = { 512, 4096 };
    (void)state;
    for (size_t type = 0; type < 3; type++) {
        for (size_t form = 0; form < 16; form++) {
            int64_t b = batches[form % 2], s = lengths[form / 2 % 4], l = keys[form / 8];
            check_softmax(type, b, 1, at_most(s, b * l), l, 1);
        }
        check_softmax(type, 2, 2, 2, 9000, 0.5);    /* beyond the 8192 keys that DeepSpeed's registers hold */
        check_softmax(type, 2, 2, 7, 130, 0.5);
    }
}

/* DeepSpeed passes a tensor of one axis and one element where there is no mask or alibi: its value
 * does not matter. */
static void test_softmax_placeholders(void **state)
{
    tern_config config = rig_config(0);
    tern_tensor x = rig_random(TERN_F32, RIG_SHAPE(2, 3, 4, 5), 1), none = rig_random(TERN_F32, RIG_SHAPE(1), 2), y[2];
    tern_op *op = make_op("softmax", &config);
    (void)state;
    for (int placed = 0; placed < 2; placed++) {
        tern_softmax_args args = { .attn_scores = x, .layer_scale = 0.5,
                                   .output = y[placed] = rig_new(TERN_F32, RIG_SHAPE(2, 3, 4, 5)) };
        if (placed) args.attn_mask = args.alibi = none;
        RIG_OK(tern_softmax_run(op, &args));
    }
    assert_memory_equal(y[0].data, y[1].data, 2 * 3 * 4 * 5 * sizeof(float));
    tern_op_free(op);
    free(x.data);
    free(none.data);
    free(y[0].data);
    free(y[1].data);
}

/* Rows at -inf are zeros, a NaN makes its whole row NaN and no other, -10000 hides a key without
 * hiding the row. */
static void test_softmax_of_special_rows(void **state)
{
    tern_config config = rig_config(0);
    tern_tensor x = rig_new(TERN_F32, RIG_SHAPE(1, 1, 4, 3)), mask = rig_new(TERN_F32, RIG_SHAPE(1, 1, 4, 3)),
                y = rig_new(TERN_F32, RIG_SHAPE(1, 1, 4, 3));
    tern_op *op = make_op("softmax", &config);
    (void)state;
    for (int j = 0; j < 3; j++) rig_put(&mask, j, -INFINITY);
    rig_put(&x, 4, NAN);
    rig_put(&mask, 6, -10000);
    for (int j = 9; j < 12; j++) rig_put(&mask, j, -10000);
    RIG_OK(tern_softmax_run(op, &(tern_softmax_args){ .attn_scores = x, .attn_mask = mask, .not_triangular = true,
                                                      .layer_scale = 1, .output = y }));
    static const double want[] = { 0, 0, 0, NAN, NAN, NAN, 0, 0.5, 0.5, 1 / 3.0, 1 / 3.0, 1 / 3.0 };
    for (int i = 0; i < 12; i++) {
        double got = rig_get(&y, i);
        if (isnan(want[i]) ? !isnan(got) : fabs(got - want[i]) > 1e-6)
            fail_msg("element %d is %g, not %g", i, got, want[i]);
    }
    tern_op_free(op);
    free(x.data);
    free(mask.data);
    free(y.data);
}

/* ---- Outputs in the memory of an input ---- */

typedef tern_status in_place_fn(tern_op *op, tern_tensor x, tern_tensor r, tern_tensor gamma, tern_tensor y,
                                tern_tensor sum);

static tern_status place_layer_norm(tern_op *op, tern_tensor x, tern_tensor r, tern_tensor gamma, tern_tensor y,
                                    tern_tensor sum)
{
    (void)r;
    (void)sum;
    return tern_layer_norm_run(op, &(tern_layer_norm_args){ .input = x, .gamma = gamma, .beta = gamma, .output = y });
}

static tern_status place_layer_norm_residual(tern_op *op, tern_tensor x, tern_tensor r, tern_tensor gamma,
                                             tern_tensor y, tern_tensor sum)
{
    (void)sum;
    return tern_layer_norm_residual_run(op, &(tern_layer_norm_residual_args){ .input = x, .residual = r, .bias = gamma,
                                                                              .gamma = gamma, .output = y });
}

static tern_status place_rms_norm(tern_op *op, tern_tensor x, tern_tensor r, tern_tensor gamma, tern_tensor y,
                                  tern_tensor sum)
{
    (void)r;
    (void)sum;
    return tern_rms_norm_run(op, &(tern_rms_norm_args){ .input = x, .gamma = gamma, .output = y });
}

static tern_status place_pre_rms_norm(tern_op *op, tern_tensor x, tern_tensor r, tern_tensor gamma, tern_tensor y,
                                      tern_tensor sum)
{
    return tern_pre_rms_norm_run(op, &(tern_pre_rms_norm_args){ .input = x, .residual = r, .gamma = gamma, .output = y,
                                                                .residual_output = sum });
}

static tern_status place_vector_add(tern_op *op, tern_tensor x, tern_tensor r, tern_tensor gamma, tern_tensor y,
                                    tern_tensor sum)
{
    (void)gamma;
    (void)sum;
    return tern_vector_add_run(op, &(tern_vector_add_args){ .a = r, .b = x, .gamma = 0.5, .output = y });
}

static tern_status place_softmax(tern_op *op, tern_tensor x, tern_tensor r, tern_tensor gamma, tern_tensor y,
                                 tern_tensor sum)
{
    (void)r;
    (void)gamma;
    (void)sum;
    x = tern_tensor_of(x.data, x.dtype, RIG_SHAPE(1, 1, x.shape[0], x.shape[1]));
    y = tern_tensor_of(y.data, y.dtype, RIG_SHAPE(1, 1, y.shape[0], y.shape[1]));
    return tern_softmax_run(op, &(tern_softmax_args){ .attn_scores = x, .layer_scale = 0.5, .output = y });
}

static void test_in_place(void **state)
{
    enum { ROWS = 5, C = 37 };
    static const struct { const char *op; in_place_fn *fn; } rows[] = {
        { "layer_norm", place_layer_norm }, { "layer_norm_residual", place_layer_norm_residual },
        { "rms_norm", place_rms_norm },
        { "pre_rms_norm", place_pre_rms_norm }, { "vector_add", place_vector_add }, { "softmax", place_softmax },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t type = 0; type < 3; type++) {
            tern_dtype t = rig_types[type].t;
            tern_config config = rig_config(type);
            size_t bytes = ROWS * C * tern_dtype_bytes(t);
            tern_tensor x = rig_random(t, RIG_SHAPE(ROWS, C), 1), r = rig_random(t, RIG_SHAPE(ROWS, C), 2),
                gamma = rig_random(t, RIG_SHAPE(C), 3);
            tern_tensor y = rig_new(t, RIG_SHAPE(ROWS, C)), sum = rig_new(t, RIG_SHAPE(ROWS, C));
            tern_op *op = make_op(rows[i].op, &config);
            RIG_OK(rows[i].fn(op, x, r, gamma, y, sum));
            RIG_OK(rows[i].fn(op, x, r, gamma, x, r));    /* the output over the input, the sum over the residual */
            if (memcmp(x.data, y.data, bytes)) fail_msg("%s: another result in place", rows[i].op);
            if (!strcmp(rows[i].op, "pre_rms_norm")) assert_memory_equal(r.data, sum.data, bytes);
            tern_op_free(op);
            free(x.data);
            free(r.data);
            free(gamma.data);
            free(y.data);
            free(sum.data);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bias_ops),
        cmocka_unit_test(test_nhwc_bias_add),
        cmocka_unit_test(test_gated_activation),
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_residual_add),
        cmocka_unit_test(test_rms_residual_is_added_once),
        cmocka_unit_test(test_moe_res_matmul),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_softmax_placeholders),
        cmocka_unit_test(test_softmax_of_special_rows),
        cmocka_unit_test(test_in_place),
    };
    RIG_ON_EVERY_ISA(tests);
}
