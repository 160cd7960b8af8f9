/* DeepSpeed's tests of its ops, rebuilt: each op against its formula in double, over DeepSpeed's shapes and tolerances
 * (tests/unit/ops/transformer/inference), for f32, f16 and bf16. The largest grids are cut where a smaller size shows the same. */
#include "rig.h"

static const int64_t batches[] = { 1, 2 }, tokens[] = { 1, 128, 255 }, channels[] = { 512, 1232 };

#define EACH_SHAPE                                          \
    for (size_t ib = 0; ib < 2; ib++)                       \
        for (size_t is = 0; is < 3; is++)                   \
            for (size_t ic = 0; ic < 2; ic++)

static double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

static double gelu_erf(double x)
{
    return 0.5 * x * (1 + erf(x / sqrt(2)));
}

static double relu(double x)
{
    return x > 0 ? x : 0;
}

static double silu(double x)
{
    return x / (1 + exp(-x));
}

static double same(double x)
{
    return x;
}

static tern_op *make_op(const char *name, const tern_config *config)
{
    tern_op *op;
    RIG_OK(tern_op_create(rig, name, config, &op));
    return op;
}

static double *doubles(int64_t n)
{
    return calloc((size_t)n + 1, sizeof(double));
}

/* ---- bias_add, bias_gelu, bias_relu: test_bias_add, test_bias_gelu, test_bias_relu ---- */

static void check_bias(const char *name, double (*f)(double), tern_status (*run)(tern_op *, const tern_bias_add_args *), size_t type, int64_t b, int64_t s, int64_t c)
{
    tern_config config = rig_config(type);
    tern_dtype t = rig_types[type].t;
    tern_tensor x = rig_random(t, RIG_SHAPE(b, s, c), 1), bias = rig_random(t, RIG_SHAPE(c), 2), y = rig_new(t, RIG_SHAPE(b, s, c));
    double *want = doubles(b * s * c);
    tern_op *op = make_op(name, &config);
    for (int64_t i = 0; i < b * s * c; i++) want[i] = f(rig_get(&x, i) + rig_get(&bias, i % c));
    RIG_OK(run(op, &(tern_bias_add_args){ .input = x, .bias = bias, .output = y }));
    rig_close(name, &y, want, rig_types[type].rtol, rig_types[type].atol);
    RIG_OK(run(op, &(tern_bias_add_args){ .input = x, .bias = bias, .output = x }));    /* in place */
    assert_memory_equal(x.data, y.data, (size_t)(b * s * c) * tern_dtype_bytes(t));
    tern_op_free(op);
    free(x.data), free(bias.data), free(y.data), free(want);
}

static void test_bias_ops(void **state)
{
    (void)state;
    for (size_t type = 0; type < 3; type++)
        EACH_SHAPE {
            check_bias("bias_add", same, tern_bias_add_run, type, batches[ib], tokens[is], channels[ic]);
            check_bias("bias_gelu", gelu_tanh, tern_bias_gelu_run, type, batches[ib], tokens[is], channels[ic]);
            check_bias("bias_relu", relu, tern_bias_relu_run, type, batches[ib], tokens[is], channels[ic]);
        }
}

/* ---- gated_activation: test_bias_geglu, test_gated_silu ---- */

static void check_gated(tern_activation_type act, double (*f)(double), size_t type, int64_t rows, int64_t c)
{
    tern_config config = rig_config(type);
    tern_dtype t = rig_types[type].t;
    config.mlp_act_func_type = act;
    tern_tensor x = rig_random(t, RIG_SHAPE(1, rows, 2 * c), 1), bias = rig_random(t, RIG_SHAPE(2 * c), 2), y = rig_new(t, RIG_SHAPE(1, rows, c));
    double *want = doubles(rows * c);
    tern_op *op = make_op("gated_activation", &config);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < c; i++)
            want[r * c + i] = (rig_get(&x, r * 2 * c + i) + rig_get(&bias, i)) * f(rig_get(&x, r * 2 * c + c + i) + rig_get(&bias, c + i));
    RIG_OK(tern_gated_activation_run(op, &(tern_gated_activation_args){ .activation = x, .bias = bias, .output = y }));
    rig_close("gated_activation", &y, want, rig_types[type].rtol, rig_types[type].atol * 4);    /* a product of two numbers of several units each */
    tern_op_free(op);
    free(x.data), free(bias.data), free(y.data), free(want);
}

static void test_gated_activation(void **state)
{
    (void)state;
    for (size_t type = 0; type < 3; type++)
        for (size_t is = 0; is < 3; is++) {
            check_gated(TERN_ACT_GATED_GELU, gelu_erf, type, tokens[is], 512);
            check_gated(TERN_ACT_GATED_SILU, silu, type, tokens[is], 1232);
            check_gated(TERN_ACT_GATED_GELU_TANH, gelu_tanh, type, tokens[is], 61);
            check_gated(TERN_ACT_GATED_RELU, relu, type, tokens[is], 7);
        }
}

/* ---- Norms: test_layer_norm, test_rms_norm, and their residual forms ---- */

static void norm_row(const double *x, int64_t n, const tern_tensor *gamma, const tern_tensor *beta, bool rms, double *y)
{
    double mean = 0, var = 0;
    for (int64_t i = 0; i < n && !rms; i++) mean += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++) var += (x[i] - mean) * (x[i] - mean) / (double)n;
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) / sqrt(var + 1e-5) * rig_get(gamma, i) + (beta->data ? rig_get(beta, i) : 0);
}

static void check_norms(size_t type, int64_t rows, int64_t c)
{
    tern_config config = rig_config(type);
    tern_dtype t = rig_types[type].t;
    double rtol = rig_types[type].rtol, atol = rig_types[type].atol;
    config.layer_norm_eps = 1e-5;
    tern_tensor x = rig_random(t, RIG_SHAPE(1, rows, c), 1), r = rig_random(t, RIG_SHAPE(1, rows, c), 2), bias = rig_random(t, RIG_SHAPE(c), 3), gamma = rig_random(t, RIG_SHAPE(c), 4),
                beta = rig_random(t, RIG_SHAPE(c), 5), none = { 0 }, y = rig_new(t, RIG_SHAPE(1, rows, c)), s = rig_new(t, RIG_SHAPE(1, rows, c));
    double *plain = doubles(rows * c), *sum = doubles(rows * c), *both = doubles(rows * c), *want = doubles(rows * c);
    for (int64_t i = 0; i < rows * c; i++) {
        plain[i] = rig_get(&x, i);
        both[i] = plain[i] + rig_get(&r, i);
        sum[i] = both[i] + rig_get(&bias, i % c);
    }
    tern_op *ln = make_op("layer_norm", &config), *lnr = make_op("layer_norm_residual", &config), *store = make_op("layer_norm_residual_store_pre_ln_res", &config),
            *rms = make_op("rms_norm", &config), *pre = make_op("pre_rms_norm", &config);

    for (int64_t i = 0; i < rows; i++) norm_row(plain + i * c, c, &gamma, &beta, false, want + i * c);
    RIG_OK(tern_layer_norm_run(ln, &(tern_layer_norm_args){ .input = x, .gamma = gamma, .beta = beta, .output = y }));
    rig_close("layer_norm", &y, want, rtol, atol);
    for (int64_t i = 0; i < rows; i++) norm_row(sum + i * c, c, &gamma, &beta, false, want + i * c);
    RIG_OK(tern_layer_norm_residual_run(lnr, &(tern_layer_norm_residual_args){ .input = x, .residual = r, .bias = bias, .gamma = gamma, .beta = beta, .output = y }));
    rig_close("layer_norm_residual", &y, want, rtol, atol);
    RIG_OK(tern_layer_norm_residual_store_pre_ln_res_run(store, &(tern_layer_norm_residual_store_pre_ln_res_args){
        .input = x, .residual = r, .bias = bias, .gamma = gamma, .beta = beta, .norm_output = y, .res_output = s }));
    rig_close("store_pre_ln_res, norm", &y, want, rtol, atol);
    rig_close("store_pre_ln_res, sum", &s, sum, rtol, atol);
    for (int64_t i = 0; i < rows; i++) norm_row(plain + i * c, c, &gamma, &none, true, want + i * c);
    RIG_OK(tern_rms_norm_run(rms, &(tern_rms_norm_args){ .input = x, .gamma = gamma, .output = y }));
    rig_close("rms_norm", &y, want, rtol, atol);
    for (int64_t i = 0; i < rows; i++) norm_row(both + i * c, c, &gamma, &none, true, want + i * c);
    RIG_OK(tern_pre_rms_norm_run(pre, &(tern_pre_rms_norm_args){ .input = x, .residual = r, .gamma = gamma, .output = y, .residual_output = s }));
    rig_close("pre_rms_norm", &y, want, rtol, atol);
    rig_close("pre_rms_norm, residual", &s, both, rtol, atol);    /* DeepSpeed's test leaves this output out */

    tern_op_free(ln), tern_op_free(lnr), tern_op_free(store), tern_op_free(rms), tern_op_free(pre);
    free(x.data), free(r.data), free(bias.data), free(gamma.data), free(beta.data), free(y.data), free(s.data), free(plain), free(sum), free(both), free(want);
}

static void test_norms(void **state)
{
    static const int64_t wide[] = { 384, 512, 1024, 14432, 1, 3, 16385 };    /* 16385: beyond the 16384 channels that DeepSpeed's kernels launch for */
    (void)state;
    for (size_t type = 0; type < 3; type++)
        for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
            check_norms(type, 1, wide[i]);
            check_norms(type, wide[i] > 2000 ? 2 : 128, wide[i]);
        }
}

/* ---- residual_add: test_residual_add ---- */

static void check_residual_add(size_t type, int64_t rows, int64_t c, bool after, bool pre, bool add_bias, int mp)
{
    tern_config config = rig_config(type);
    tern_dtype t = rig_types[type].t;
    config.mlp_after_attn = after;
    config.pre_layer_norm = pre;
    config.mp_size = mp;
    tern_tensor h = rig_random(t, RIG_SHAPE(1, rows, c), 1), r = rig_random(t, RIG_SHAPE(1, rows, c), 2), a = rig_random(t, RIG_SHAPE(1, rows, c), 3), ab = rig_random(t, RIG_SHAPE(c), 4),
                fb = rig_random(t, RIG_SHAPE(c), 5), y = rig_new(t, RIG_SHAPE(1, rows, c));
    double *want = doubles(rows * c);
    for (int64_t i = 0; i < rows * c; i++) {
        double hv = rig_get(&h, i), rv = rig_get(&r, i), av = rig_get(&a, i), abv = rig_get(&ab, i % c), fbv = rig_get(&fb, i % c);
        want[i] = !after ? hv + av + (rv + fbv + (add_bias ? abv : 0)) / mp : pre ? (rv + av + fbv + abv) / mp + hv : rv + hv + fbv;
    }
    tern_op *op = make_op("residual_add", &config);
    tern_residual_add_args args = { .hidden_state = h, .residual = r, .attention_output = a, .attention_bias = ab, .final_bias = fb, .output = y, .no_bias = !add_bias };
    RIG_OK(tern_residual_add_run(op, &args));
    rig_close("residual_add", &y, want, rig_types[type].rtol, type == 1 ? 4e-3 : rig_types[type].atol);
    tern_tensor *const in_place[] = { &r, &h, &a };
    for (int i = 0; i < 3; i++) {    /* output in the memory of each row of inputs */
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
    free(h.data), free(r.data), free(a.data), free(ab.data), free(fb.data), free(y.data), free(want);
}

static void test_residual_add(void **state)
{
    (void)state;
    for (size_t type = 0; type < 3; type++)
        for (int bits = 0; bits < 16; bits++)
            for (size_t is = 0; is < 3; is++) check_residual_add(type, tokens[is], 512, bits & 1, bits & 2, bits & 4, bits & 8 ? 2 : 1);
}

/* RMS models: DeepSpeed's kernels count the attention's output twice (mlp_gemm has added it to the residual in place). Here r + a + h, once. */
static void test_rms_residual_is_added_once(void **state)
{
    enum { E = 8, I = 6, ROWS = 3 };
    tern_config config = rig_config(0);
    config.norm_type = TERN_NORM_RMS;
    config.mlp_act_func_type = TERN_ACT_GATED_SILU;
    tern_tensor a = rig_random(TERN_F32, RIG_SHAPE(ROWS, E), 1), r = rig_random(TERN_F32, RIG_SHAPE(ROWS, E), 2), before = rig_random(TERN_F32, RIG_SHAPE(ROWS, E), 2);
    tern_tensor w1 = rig_random(TERN_F32, RIG_SHAPE(E, 2 * I), 3), w2 = rig_random(TERN_F32, RIG_SHAPE(I, E), 4), gamma = rig_random(TERN_F32, RIG_SHAPE(E), 5);
    tern_tensor m = rig_new(TERN_F32, RIG_SHAPE(ROWS, E)), sum = rig_new(TERN_F32, RIG_SHAPE(ROWS, E)), y = rig_new(TERN_F32, RIG_SHAPE(ROWS, E));
    tern_op *mlp = make_op("mlp_gemm", &config), *add = make_op("residual_add", &config);
    double want[ROWS * E];
    (void)state;
    RIG_OK(tern_mlp_gemm_run(mlp, &(tern_mlp_gemm_args){ .input = a, .residual = r, .weight_interm = w1, .weight_out = w2, .gamma = gamma, .output = m, .residual_add = sum }));
    assert_memory_equal(r.data, before.data, ROWS * E * sizeof(float));
    RIG_OK(tern_residual_add_run(add, &(tern_residual_add_args){ .hidden_state = m, .residual = r, .attention_output = a, .output = y }));
    for (int i = 0; i < ROWS * E; i++) want[i] = rig_get(&r, i) + rig_get(&a, i) + rig_get(&m, i);
    rig_close("r + a + m", &y, want, 1e-6, 1e-6);
    for (int i = 0; i < ROWS * E; i++) want[i] = rig_get(&r, i) + rig_get(&a, i);
    rig_close("residual_add of mlp_gemm", &sum, want, 1e-6, 1e-6);
    tern_op_free(mlp), tern_op_free(add);
    free(a.data), free(r.data), free(before.data), free(w1.data), free(w2.data), free(gamma.data), free(m.data), free(sum.data), free(y.data);
}

/* ---- moe_res_matmul: test_moe_res_matmult, and the contract per token ---- */

static void check_moe_res(size_t type, int64_t rows, int64_t m, bool by_token)
{
    tern_config config = rig_config(type);
    tern_dtype t = rig_types[type].t;
    tern_tensor r = rig_random(t, RIG_SHAPE(1, rows, m), 1), o = rig_random(t, RIG_SHAPE(1, rows, m), 2), y = rig_new(t, RIG_SHAPE(1, rows, m));
    tern_tensor coef = by_token ? rig_random(t, RIG_SHAPE(1, rows, 2), 3) : rig_random(t, RIG_SHAPE(1, 2 * m, 1), 3);
    double *want = doubles(rows * m);
    for (int64_t i = 0; i < rows * m; i++) {
        double cr = rig_get(&coef, by_token ? i / m * 2 + 1 : i % m), co = rig_get(&coef, by_token ? i / m * 2 : m + i % m);
        want[i] = rig_get(&r, i) * cr + rig_get(&o, i) * co;
    }
    tern_op *op = make_op("moe_res_matmul", &config);
    RIG_OK(tern_moe_res_matmul_run(op, &(tern_moe_res_matmul_args){ .residual = r, .coef = coef, .output = o, .result = y }));
    rig_close("moe_res_matmul", &y, want, rig_types[type].rtol, rig_types[type].atol * 2);
    RIG_OK(tern_moe_res_matmul_run(op, &(tern_moe_res_matmul_args){ .residual = r, .coef = coef, .output = o, .result = o }));
    assert_memory_equal(o.data, y.data, (size_t)(rows * m) * tern_dtype_bytes(t));
    tern_op_free(op);
    free(r.data), free(o.data), free(y.data), free(coef.data), free(want);
}

static void test_moe_res_matmul(void **state)
{
    static const int64_t sizes[] = { 16, 64 }, counts[] = { 1, 4 };
    (void)state;
    for (size_t type = 0; type < 3; type++)
        for (size_t i = 0; i < 2; i++)
            for (size_t c = 0; c < 2; c++) {
                check_moe_res(type, sizes[i] * counts[c], sizes[i], false);
                check_moe_res(type, sizes[i] * counts[c], sizes[i], true);
            }
}

/* ---- softmax: test_softmax, and what it leaves out ---- */

static void test_softmax(void **state)
{
    static const int64_t rows[] = { 1, 128, 7 }, keys[] = { 512, 9000, 130 };    /* 9000: beyond the 8192 keys that DeepSpeed's registers hold */
    (void)state;
    for (size_t type = 0; type < 2; type++)
        for (size_t i = 0; i < 3; i++) {
            tern_config config = rig_config(type);
            tern_dtype t = rig_types[type].t;
            int64_t s = i == 1 ? 2 : rows[i], l = keys[i];
            tern_tensor x = rig_random(t, RIG_SHAPE(2, 2, s, l), 1), y = rig_new(t, RIG_SHAPE(2, 2, s, l));
            double *want = doubles(4 * s * l);
            for (int64_t r = 0; r < 4 * s; r++) {
                double sum = 0;
                for (int64_t j = 0; j < l; j++) sum += exp(0.5 * rig_get(&x, r * l + j));
                for (int64_t j = 0; j < l; j++) want[r * l + j] = exp(0.5 * rig_get(&x, r * l + j)) / sum;
            }
            tern_op *op = make_op("softmax", &config);
            RIG_OK(tern_softmax_run(op, &(tern_softmax_args){ .attn_scores = x, .not_triangular = true, .layer_scale = 0.5, .output = y }));
            rig_close("softmax", &y, want, rig_types[type].rtol, type ? 2e-3 : 1e-7);
            tern_op_free(op);
            free(x.data), free(y.data), free(want);
        }
}

/* Rows at -inf are zeros, a NaN makes its whole row NaN and no other, -10000 hides a key without hiding the row. */
static void test_softmax_of_special_rows(void **state)
{
    tern_config config = rig_config(0);
    tern_tensor x = rig_new(TERN_F32, RIG_SHAPE(1, 1, 4, 3)), mask = rig_new(TERN_F32, RIG_SHAPE(1, 1, 4, 3)), y = rig_new(TERN_F32, RIG_SHAPE(1, 1, 4, 3));
    tern_op *op = make_op("softmax", &config);
    (void)state;
    for (int j = 0; j < 3; j++) rig_put(&mask, j, -INFINITY);
    rig_put(&x, 4, NAN);
    rig_put(&mask, 6, -10000);
    for (int j = 9; j < 12; j++) rig_put(&mask, j, -10000);
    RIG_OK(tern_softmax_run(op, &(tern_softmax_args){ .attn_scores = x, .attn_mask = mask, .not_triangular = true, .layer_scale = 1, .output = y }));
    static const double want[] = { 0, 0, 0, NAN, NAN, NAN, 0, 0.5, 0.5, 1 / 3.0, 1 / 3.0, 1 / 3.0 };
    for (int i = 0; i < 12; i++) {
        double got = rig_get(&y, i);
        if (isnan(want[i]) ? !isnan(got) : fabs(got - want[i]) > 1e-6) fail_msg("element %d is %g, not %g", i, got, want[i]);
    }
    tern_op_free(op);
    free(x.data), free(mask.data), free(y.data);
}

/* ---- Products: both orientations, every activation, int8 by groups, ranks ---- */

static tern_tensor transposed(const tern_tensor *w)
{
    int64_t k = w->shape[0], n = w->shape[1];
    tern_tensor t = rig_new(w->dtype, RIG_SHAPE(n, k));
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < n; j++) rig_put(&t, j * k + i, rig_get(w, i * n + j));
    return t;
}

/* y [rows, n] = x [rows, k] . w [k, n] + bias */
static void product(const double *x, const tern_tensor *w, const tern_tensor *bias, int64_t rows, double *y)
{
    int64_t k = w->shape[0], n = w->shape[1];
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < n; j++) {
            double sum = bias && bias->data ? rig_get(bias, j) : 0;
            for (int64_t i = 0; i < k; i++) sum += x[r * k + i] * rig_get(w, i * n + j);
            y[r * n + j] = sum;
        }
}

typedef struct mlp_row {
    tern_activation_type act;
    double (*f)(double);
    bool gated;
} mlp_row;

static const mlp_row activations[] = {
    { TERN_ACT_GELU, gelu_tanh, false },      { TERN_ACT_RELU, relu, false },           { TERN_ACT_GELU_ERF, gelu_erf, false }, { TERN_ACT_SILU, silu, false },
    { TERN_ACT_GATED_GELU, gelu_erf, true },  { TERN_ACT_GATED_SILU, silu, true },      { TERN_ACT_GATED_RELU, relu, true },    { TERN_ACT_GATED_GELU_TANH, gelu_tanh, true },
};

/* mlp_gemm and gelu_gemm; weights [in, out] and [out, in], the gate fused and apart, all with the same bits. */
static void check_mlp(const mlp_row *row, size_t type, bool rms)
{
    enum { R = 5, E = 24, I = 17 };
    tern_dtype t = rig_types[type].t;
    int64_t wide = row->gated ? 2 * I : I;
    tern_config config = rig_config(type);
    config.layer_norm_eps = 1e-5;
    config.mlp_act_func_type = row->act;
    config.norm_type = rms ? TERN_NORM_RMS : TERN_NORM_LAYER;
    tern_tensor a = rig_random(t, RIG_SHAPE(R, E), 1), r = rig_random(t, RIG_SHAPE(R, E), 2), gamma = rig_random(t, RIG_SHAPE(E), 3), beta = rms ? (tern_tensor){ 0 } : rig_random(t, RIG_SHAPE(E), 4);
    tern_tensor w1 = rig_random(t, RIG_SHAPE(E, wide), 5), w2 = rig_random(t, RIG_SHAPE(I, E), 6), y = rig_new(t, RIG_SHAPE(R, E)), y2 = rig_new(t, RIG_SHAPE(R, E));
    for (int64_t i = 0; i < E * wide; i++) rig_put(&w1, i, 0.2 * rig_get(&w1, i));
    for (int64_t i = 0; i < I * E; i++) rig_put(&w2, i, 0.2 * rig_get(&w2, i));
    tern_tensor w1t = transposed(&w1), w2t = transposed(&w2);
    double sum[R * E], n[R * E], *h = doubles(R * wide), act[R * I], want[R * E];
    for (int i = 0; i < R * E; i++) sum[i] = rig_get(&a, i) + rig_get(&r, i);
    for (int i = 0; i < R; i++) norm_row(sum + i * E, E, &gamma, &beta, rms, n + i * E);
    product(n, &w1, NULL, R, h);
    for (int i = 0; i < R * I; i++) act[i] = row->gated ? h[i / I * wide + i % I] * row->f(h[i / I * wide + I + i % I]) : row->f(h[i]);
    product(act, &w2, NULL, R, want);

    tern_mlp_gemm_args args = { .input = a, .residual = r, .weight_interm = w1, .weight_out = w2, .gamma = gamma, .beta = beta, .output = y };
    bool apart_only = row->gated && !rms;
    tern_op *op = make_op("mlp_gemm", &config);
    if (!apart_only) {
        RIG_OK(tern_mlp_gemm_run(op, &args));
        rig_close("mlp_gemm", &y, want, rig_types[type].rtol, rig_types[type].atol);
    }
    tern_op_free(op);

    config.transposed_mode = true;
    op = make_op("mlp_gemm", &config);
    args.weight_interm = w1t, args.weight_out = w2t, args.output = y2;
    if (!apart_only) {
        RIG_OK(tern_mlp_gemm_run(op, &args));
        assert_memory_equal(y.data, y2.data, R * E * tern_dtype_bytes(t));
    }
    if (row->gated) {
        args.weight_interm = tern_tensor_of(w1t.data, t, RIG_SHAPE(I, E));
        args.weight_gate = tern_tensor_of((char *)w1t.data + I * E * tern_dtype_bytes(t), t, RIG_SHAPE(I, E));
        args.output = y2;
        RIG_OK(tern_mlp_gemm_run(op, &args));
        rig_close("mlp_gemm, the gate apart", &y2, want, rig_types[type].rtol, rig_types[type].atol);
        if (!apart_only) assert_memory_equal(y.data, y2.data, R * E * tern_dtype_bytes(t));
    }
    tern_op_free(op);
    free(a.data), free(r.data), free(gamma.data), free(beta.data), free(w1.data), free(w2.data), free(w1t.data), free(w2t.data), free(y.data), free(y2.data), free(h);
}

static void test_mlp_gemm(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        for (size_t type = 0; type < 3; type++) {
            check_mlp(&activations[i], type, false);
            check_mlp(&activations[i], type, true);
        }
}

/* qkv_gemm in one piece and in three, [in, out] and [out, in]: the same bits, and the normalised input. */
static void test_qkv_gemm(void **state)
{
    enum { R = 6, E = 33, Q = 20, K = 10 };
    (void)state;
    for (size_t type = 0; type < 3; type++) {
        tern_dtype t = rig_types[type].t;
        tern_config config = rig_config(type);
        config.layer_norm_eps = 1e-5;
        tern_tensor x = rig_random(t, RIG_SHAPE(R, E), 1), gamma = rig_random(t, RIG_SHAPE(E), 2), beta = rig_random(t, RIG_SHAPE(E), 3), w = rig_random(t, RIG_SHAPE(E, Q + 2 * K), 4);
        tern_tensor bias = rig_random(t, RIG_SHAPE(Q + 2 * K), 5), y = rig_new(t, RIG_SHAPE(R, Q + 2 * K)), y2 = rig_new(t, RIG_SHAPE(R, Q + 2 * K)), n = rig_new(t, RIG_SHAPE(R, E)), wt = transposed(&w);
        size_t bytes = tern_dtype_bytes(t);
        double row[R * E], normed[R * E], want[R * (Q + 2 * K)];
        for (int i = 0; i < R * E; i++) row[i] = rig_get(&x, i);
        for (int i = 0; i < R; i++) norm_row(row + i * E, E, &gamma, &beta, false, normed + i * E);
        product(normed, &w, &bias, R, want);
        tern_op *op = make_op("qkv_gemm", &config);
        RIG_OK(tern_qkv_gemm_run(op, &(tern_qkv_gemm_args){ .input = x, .weight = w, .bias = bias, .gamma = gamma, .beta = beta, .output = y, .inp_norm = n }));
        rig_close("qkv_gemm", &y, want, rig_types[type].rtol, type ? 0.1 : 5e-5);    /* sums of 33 products of some units each */
        rig_close("inp_norm", &n, normed, rig_types[type].rtol, rig_types[type].atol);
        tern_op_free(op);
        config.transposed_mode = true;
        op = make_op("qkv_gemm", &config);
        tern_qkv_gemm_args three = { .input = x, .gamma = gamma, .beta = beta, .output = y2 };
        three.weight = tern_tensor_of(wt.data, t, RIG_SHAPE(Q, E));
        three.weight_k = tern_tensor_of((char *)wt.data + Q * E * bytes, t, RIG_SHAPE(K, E));
        three.weight_v = tern_tensor_of((char *)wt.data + (Q + K) * E * bytes, t, RIG_SHAPE(K, E));
        three.bias = tern_tensor_of(bias.data, t, RIG_SHAPE(Q));
        three.bias_k = tern_tensor_of((char *)bias.data + Q * bytes, t, RIG_SHAPE(K));
        three.bias_v = tern_tensor_of((char *)bias.data + (Q + K) * bytes, t, RIG_SHAPE(K));
        RIG_OK(tern_qkv_gemm_run(op, &three));
        assert_memory_equal(y.data, y2.data, R * (Q + 2 * K) * bytes);
        tern_op_free(op);
        free(x.data), free(gamma.data), free(beta.data), free(w.data), free(bias.data), free(y.data), free(y2.data), free(n.data), free(wt.data);
    }
}

/* Quantise by groups, multiply: near the product of the weight before, and exactly that of what dequantize gives. */
static void test_int8_groups(void **state)
{
    enum { R = 3, K = 16, N = 12 };
    static const int64_t groups[] = { N, N / 2, 1 };
    tern_config config = rig_config(0);
    (void)state;
    for (size_t g = 0; g < 3; g++) {
        tern_tensor w = rig_random(TERN_F32, RIG_SHAPE(N, K), 1), x = rig_random(TERN_F16, RIG_SHAPE(R, K), 2), q = rig_new(TERN_I8, RIG_SHAPE(N, K)), scale = rig_new(TERN_F32, RIG_SHAPE(groups[g]));
        tern_tensor back = rig_new(TERN_F16, RIG_SHAPE(N, K)), y = rig_new(TERN_F16, RIG_SHAPE(R, N)), y2 = rig_new(TERN_F16, RIG_SHAPE(R, N));
        for (int i = 0; i < K * N / (int)groups[g]; i++) rig_put(&w, i, 0);    /* an all-zero group */
        tern_op *quantise = make_op("quantize", &config), *dequantise = make_op("dequantize", &config), *multiply;
        RIG_OK(tern_quantize_run(quantise, &(tern_quantize_args){ .weight = w, .num_groups = groups[g], .q = q, .scale = scale }));
        assert_true(rig_get(&scale, 0) == 1);
        RIG_OK(tern_dequantize_run(dequantise, &(tern_dequantize_args){ .weight = q, .weight_scale = scale, .output = back }));
        for (int i = 0; i < N * K; i++) assert_true(fabs(rig_get(&back, i) - rig_get(&w, i)) <= rig_get(&scale, i / (N * K / (int)groups[g])) * 1.1 + 1e-6);    /* absmax saturates by one step, and f16 rounds */
        for (int transposed_mode = 0; transposed_mode < 2; transposed_mode++) {
            tern_config int8 = tern_config_default();
            int8.dtype = TERN_DTYPE_INT8;
            int8.transposed_mode = transposed_mode;
            multiply = make_op("vector_matmul", &int8);
            RIG_OK(tern_vector_matmul_run(multiply, &(tern_vector_matmul_args){ .input = x, .weight = q, .weight_scale = scale, .output = y }));
            tern_op_free(multiply);
            int8.transposed_mode = true;
            multiply = make_op("vector_matmul", &int8);
            RIG_OK(tern_vector_matmul_run(multiply, &(tern_vector_matmul_args){ .input = x, .weight = back, .output = y2 }));
            tern_op_free(multiply);
            assert_memory_equal(y.data, y2.data, R * N * 2);
        }
        tern_op_free(quantise), tern_op_free(dequantise);
        free(w.data), free(x.data), free(q.data), free(scale.data), free(back.data), free(y.data), free(y2.data);
    }
}

/* A fused int8 gate whose groups end inside a half: the scales still belong to their rows. */
static void test_int8_gate_with_an_odd_number_of_groups(void **state)
{
    enum { R = 2, E = 8, I = 9, G = 3 };    /* 18 rows in 3 groups of 6; a half is 9 */
    tern_config config = tern_config_default();
    config.dtype = TERN_DTYPE_INT8;
    config.mlp_act_func_type = TERN_ACT_GATED_SILU;
    tern_tensor x = rig_random(TERN_F16, RIG_SHAPE(R, E), 1), q1 = rig_random(TERN_I8, RIG_SHAPE(2 * I, E), 2), q2 = rig_random(TERN_I8, RIG_SHAPE(E, I), 3);
    tern_tensor s1 = rig_new(TERN_F32, RIG_SHAPE(G)), s2 = rig_new(TERN_F32, RIG_SHAPE(1)), each = rig_new(TERN_F32, RIG_SHAPE(2 * I)), y = rig_new(TERN_F16, RIG_SHAPE(R, E)), y2 = rig_new(TERN_F16, RIG_SHAPE(R, E));
    (void)state;
    for (int g = 0; g < G; g++) rig_put(&s1, g, 0.01 * (g + 1));
    for (int i = 0; i < 2 * I; i++) rig_put(&each, i, rig_get(&s1, i / 6));
    rig_put(&s2, 0, 0.01);
    tern_op *op = make_op("gelu_gemm", &config);
    RIG_OK(tern_gelu_gemm_run(op, &(tern_gelu_gemm_args){ .input = x, .weight = q1, .weight_scale = s1, .weight_out = q2, .weight_out_scale = s2, .output = y }));
    RIG_OK(tern_gelu_gemm_run(op, &(tern_gelu_gemm_args){ .input = x, .weight = q1, .weight_scale = each, .weight_out = q2, .weight_out_scale = s2, .output = y2 }));
    assert_memory_equal(y.data, y2.data, R * E * 2);
    tern_op_free(op);
    free(x.data), free(q1.data), free(q2.data), free(s1.data), free(s2.data), free(each.data), free(y.data), free(y2.data);
}

/* The group quantiser: constants, halves, saturation. */
static void test_quantize_values(void **state)
{
    static const float w[2][4] = { { 128, 64, -128, 0.5f }, { 1, -0.25f, 0.00390625f, 0.01171875f } };
    static const int8_t want[2][4] = { { 127, 64, -128, 0 }, { 127, -32, 0, 2 } };    /* ties to even: 0.5 -> 0, 1.5 -> 2 */
    tern_config config = rig_config(0);
    tern_tensor q = rig_new(TERN_I8, RIG_SHAPE(2, 4)), scale = rig_new(TERN_F32, RIG_SHAPE(2));
    tern_op *op = make_op("quantize", &config);
    (void)state;
    RIG_OK(tern_quantize_run(op, &(tern_quantize_args){ .weight = tern_tensor_of((void *)w, TERN_F32, RIG_SHAPE(2, 4)), .group_size = 1, .q = q, .scale = scale }));
    assert_memory_equal(q.data, want, sizeof want);
    assert_true(rig_get(&scale, 0) == 1 && rig_get(&scale, 1) == 1 / 128.0);
    tern_op_free(op);
    free(q.data), free(scale.data);
}

/* ---- Shapes that need no multiple of anything, and none at all ---- */

static void test_empty_batches(void **state)
{
    tern_config config = rig_config(0);
    tern_tensor x = rig_new(TERN_F32, RIG_SHAPE(2, 0, 8)), w = rig_random(TERN_F32, RIG_SHAPE(8, 5), 1), gamma = rig_random(TERN_F32, RIG_SHAPE(8), 1), y = rig_new(TERN_F32, RIG_SHAPE(2, 0, 5));
    tern_tensor scores = rig_new(TERN_F32, RIG_SHAPE(0, 2, 3, 4));
    tern_op *linear = make_op("linear", &config), *norm = make_op("layer_norm", &config), *softmax = make_op("softmax", &config), *gate = make_op("topkgating", &config);
    tern_tensor logits = rig_new(TERN_F32, RIG_SHAPE(0, 4)), counts = rig_random(TERN_I64, RIG_SHAPE(4), 1), loss = rig_random(TERN_F32, RIG_SHAPE(1), 1);
    (void)state;
    RIG_OK(tern_linear_run(linear, &(tern_linear_args){ .input = x, .weight = w, .output = y }));
    RIG_OK(tern_layer_norm_run(norm, &(tern_layer_norm_args){ .input = x, .gamma = gamma, .output = x }));
    RIG_OK(tern_softmax_run(softmax, &(tern_softmax_args){ .attn_scores = scores, .layer_scale = 1, .output = scores }));
    RIG_OK(tern_topkgating_run(gate, &(tern_topkgating_args){ .logits = logits, .k = 2, .capacity_factor = 1, .min_capacity = 0, .exp_counts = counts, .l_aux = loss }));
    for (int i = 0; i < 4; i++) assert_true(rig_get(&counts, i) == 0);
    assert_true(rig_get(&loss, 0) == 0);
    tern_op_free(linear), tern_op_free(norm), tern_op_free(softmax), tern_op_free(gate);
    free(x.data), free(w.data), free(gamma.data), free(y.data), free(scores.data), free(logits.data), free(counts.data), free(loss.data);
}

/* Rows that lie apart, as slices of columns do, in every type. */
static void test_rows_apart(void **state)
{
    (void)state;
    for (size_t type = 0; type < 3; type++) {
        tern_config config = rig_config(type);
        tern_dtype t = rig_types[type].t;
        size_t bytes = tern_dtype_bytes(t);
        tern_tensor wide = rig_random(t, RIG_SHAPE(4, 30), 1), gamma = rig_random(t, RIG_SHAPE(7), 2), y = rig_random(t, RIG_SHAPE(4, 20), 3), packed = rig_new(t, RIG_SHAPE(4, 7)), want = rig_new(t, RIG_SHAPE(4, 7));
        tern_tensor x = tern_tensor_of((char *)wide.data + 11 * bytes, t, RIG_SHAPE(4, 7)), into = tern_tensor_of((char *)y.data + 5 * bytes, t, RIG_SHAPE(4, 7));
        x.stride[0] = 30;
        into.stride[0] = 20;
        for (int r = 0; r < 4; r++) memcpy((char *)packed.data + (size_t)r * 7 * bytes, (char *)x.data + (size_t)r * 30 * bytes, 7 * bytes);
        tern_op *op = make_op("rms_norm", &config);
        RIG_OK(tern_rms_norm_run(op, &(tern_rms_norm_args){ .input = packed, .gamma = gamma, .output = want }));
        RIG_OK(tern_rms_norm_run(op, &(tern_rms_norm_args){ .input = x, .gamma = gamma, .output = into }));
        for (int r = 0; r < 4; r++) assert_memory_equal((char *)into.data + (size_t)r * 20 * bytes, (char *)want.data + (size_t)r * 7 * bytes, 7 * bytes);
        tern_tensor before = rig_random(t, RIG_SHAPE(4, 20), 3);
        for (int i = 0; i < 80; i++)
            if (i % 20 < 5 || i % 20 > 11) assert_true(rig_get(&y, i) == rig_get(&before, i));
        tern_op_free(op);
        free(wide.data), free(gamma.data), free(y.data), free(packed.data), free(want.data), free(before.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bias_ops),     cmocka_unit_test(test_gated_activation), cmocka_unit_test(test_norms),
        cmocka_unit_test(test_residual_add), cmocka_unit_test(test_rms_residual_is_added_once), cmocka_unit_test(test_moe_res_matmul),
        cmocka_unit_test(test_softmax),      cmocka_unit_test(test_softmax_of_special_rows), cmocka_unit_test(test_mlp_gemm),
        cmocka_unit_test(test_qkv_gemm),     cmocka_unit_test(test_int8_groups), cmocka_unit_test(test_int8_gate_with_an_odd_number_of_groups),
        cmocka_unit_test(test_quantize_values), cmocka_unit_test(test_empty_batches), cmocka_unit_test(test_rows_apart),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
