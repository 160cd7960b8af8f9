/* DeepSpeed's tests of its ops, rebuilt: each op against its formula in double, over DeepSpeed's shapes and tolerances
 * (tests/unit/ops/transformer/inference), for f32, f16 and bf16. The largest grids are cut where a smaller size shows the same. */
#include "formulas.h"

static const int64_t batches[] = { 1, 2 }, tokens[] = { 1, 128, 255 }, channels[] = { 512, 1232 };

#define EACH_SHAPE                                          \
    for (size_t ib = 0; ib < 2; ib++)                       \
        for (size_t is = 0; is < 3; is++)                   \
            for (size_t ic = 0; ic < 2; ic++)

static double same(double x)
{
    return x;
}

/* ---- bias_add, bias_gelu, bias_relu: test_bias_add, test_bias_gelu, test_bias_relu ---- */

static void check_bias(const char *name, double (*f)(double), tern_status (*run)(tern_op *, const tern_bias_add_args *), size_t type, int64_t b,
                       int64_t s, int64_t c)
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

static void check_norms(size_t type, int64_t rows, int64_t c)
{
    tern_config config = rig_config(type);
    tern_dtype t = rig_types[type].t;
    double rtol = rig_types[type].rtol, atol = rig_types[type].atol;
    config.layer_norm_eps = 1e-5;
    tern_tensor x = rig_random(t, RIG_SHAPE(1, rows, c), 1), r = rig_random(t, RIG_SHAPE(1, rows, c), 2), bias = rig_random(t, RIG_SHAPE(c), 3),
                gamma = rig_random(t, RIG_SHAPE(c), 4), beta = rig_random(t, RIG_SHAPE(c), 5), none = { 0 }, y = rig_new(t, RIG_SHAPE(1, rows, c)),
                s = rig_new(t, RIG_SHAPE(1, rows, c));
    double *plain = doubles(rows * c), *sum = doubles(rows * c), *both = doubles(rows * c), *want = doubles(rows * c);
    for (int64_t i = 0; i < rows * c; i++) {
        plain[i] = rig_get(&x, i);
        both[i] = plain[i] + rig_get(&r, i);
        sum[i] = both[i] + rig_get(&bias, i % c);
    }
    tern_op *ln = make_op("layer_norm", &config), *lnr = make_op("layer_norm_residual", &config),
            *store = make_op("layer_norm_residual_store_pre_ln_res", &config), *rms = make_op("rms_norm", &config),
            *pre = make_op("pre_rms_norm", &config);

    for (int64_t i = 0; i < rows; i++) norm_row(plain + i * c, c, &gamma, &beta, false, want + i * c);
    RIG_OK(tern_layer_norm_run(ln, &(tern_layer_norm_args){ .input = x, .gamma = gamma, .beta = beta, .output = y }));
    rig_close("layer_norm", &y, want, rtol, atol);
    for (int64_t i = 0; i < rows; i++) norm_row(sum + i * c, c, &gamma, &beta, false, want + i * c);
    RIG_OK(tern_layer_norm_residual_run(lnr, &(tern_layer_norm_residual_args){
        .input = x, .residual = r, .bias = bias, .gamma = gamma, .beta = beta, .output = y }));
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
    free(x.data), free(r.data), free(bias.data), free(gamma.data), free(beta.data), free(y.data), free(s.data), free(plain), free(sum), free(both),
        free(want);
}

static void test_norms(void **state)
{
    static const int64_t wide[] = { 384, 512, 1024, 14432, 1, 3, 16385 }; /* 16385: beyond the 16384 channels that DeepSpeed's kernels launch for */
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
    tern_tensor h = rig_random(t, RIG_SHAPE(1, rows, c), 1), r = rig_random(t, RIG_SHAPE(1, rows, c), 2), a = rig_random(t, RIG_SHAPE(1, rows, c), 3),
                ab = rig_random(t, RIG_SHAPE(c), 4), fb = rig_random(t, RIG_SHAPE(c), 5), y = rig_new(t, RIG_SHAPE(1, rows, c));
    double *want = doubles(rows * c);
    for (int64_t i = 0; i < rows * c; i++) {
        double hv = rig_get(&h, i), rv = rig_get(&r, i), av = rig_get(&a, i), abv = rig_get(&ab, i % c), fbv = rig_get(&fb, i % c);
        want[i] = !after ? hv + av + (rv + fbv + (add_bias ? abv : 0)) / mp : pre ? (rv + av + fbv + abv) / mp + hv : rv + hv + fbv;
    }
    tern_op *op = make_op("residual_add", &config);
    tern_residual_add_args args = {
        .hidden_state = h, .residual = r, .attention_output = a, .attention_bias = ab, .final_bias = fb, .output = y, .no_bias = !add_bias };
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
    tern_tensor a = rig_random(TERN_F32, RIG_SHAPE(ROWS, E), 1), r = rig_random(TERN_F32, RIG_SHAPE(ROWS, E), 2),
                before = rig_random(TERN_F32, RIG_SHAPE(ROWS, E), 2);
    tern_tensor w1 = rig_random(TERN_F32, RIG_SHAPE(E, 2 * I), 3), w2 = rig_random(TERN_F32, RIG_SHAPE(I, E), 4),
                gamma = rig_random(TERN_F32, RIG_SHAPE(E), 5);
    tern_tensor m = rig_new(TERN_F32, RIG_SHAPE(ROWS, E)), sum = rig_new(TERN_F32, RIG_SHAPE(ROWS, E)), y = rig_new(TERN_F32, RIG_SHAPE(ROWS, E));
    tern_op *mlp = make_op("mlp_gemm", &config), *add = make_op("residual_add", &config);
    double want[ROWS * E];
    (void)state;
    RIG_OK(tern_mlp_gemm_run(mlp, &(tern_mlp_gemm_args){
        .input = a, .residual = r, .weight_interm = w1, .weight_out = w2, .gamma = gamma, .output = m, .residual_add = sum }));
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
    tern_tensor x = rig_new(TERN_F32, RIG_SHAPE(1, 1, 4, 3)), mask = rig_new(TERN_F32, RIG_SHAPE(1, 1, 4, 3)),
                y = rig_new(TERN_F32, RIG_SHAPE(1, 1, 4, 3));
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

/* ---- Outputs in the memory of an input ---- */

typedef tern_status in_place_fn(tern_op *op, tern_tensor x, tern_tensor r, tern_tensor gamma, tern_tensor y, tern_tensor sum);

static tern_status place_layer_norm(tern_op *op, tern_tensor x, tern_tensor r, tern_tensor gamma, tern_tensor y, tern_tensor sum)
{
    (void)r, (void)sum;
    return tern_layer_norm_run(op, &(tern_layer_norm_args){ .input = x, .gamma = gamma, .beta = gamma, .output = y });
}

static tern_status place_layer_norm_residual(tern_op *op, tern_tensor x, tern_tensor r, tern_tensor gamma, tern_tensor y, tern_tensor sum)
{
    (void)sum;
    return tern_layer_norm_residual_run(op, &(tern_layer_norm_residual_args){ .input = x, .residual = r, .bias = gamma, .gamma = gamma, .output = y });
}

static tern_status place_rms_norm(tern_op *op, tern_tensor x, tern_tensor r, tern_tensor gamma, tern_tensor y, tern_tensor sum)
{
    (void)r, (void)sum;
    return tern_rms_norm_run(op, &(tern_rms_norm_args){ .input = x, .gamma = gamma, .output = y });
}

static tern_status place_pre_rms_norm(tern_op *op, tern_tensor x, tern_tensor r, tern_tensor gamma, tern_tensor y, tern_tensor sum)
{
    return tern_pre_rms_norm_run(op, &(tern_pre_rms_norm_args){ .input = x, .residual = r, .gamma = gamma, .output = y, .residual_output = sum });
}

static tern_status place_vector_add(tern_op *op, tern_tensor x, tern_tensor r, tern_tensor gamma, tern_tensor y, tern_tensor sum)
{
    (void)gamma, (void)sum;
    return tern_vector_add_run(op, &(tern_vector_add_args){ .a = r, .b = x, .gamma = 0.5, .output = y });
}

static tern_status place_softmax(tern_op *op, tern_tensor x, tern_tensor r, tern_tensor gamma, tern_tensor y, tern_tensor sum)
{
    (void)r, (void)gamma, (void)sum;
    x = tern_tensor_of(x.data, x.dtype, RIG_SHAPE(1, 1, x.shape[0], x.shape[1]));
    y = tern_tensor_of(y.data, y.dtype, RIG_SHAPE(1, 1, y.shape[0], y.shape[1]));
    return tern_softmax_run(op, &(tern_softmax_args){ .attn_scores = x, .layer_scale = 0.5, .output = y });
}

static void test_in_place(void **state)
{
    enum { ROWS = 5, C = 37 };
    static const struct { const char *op; in_place_fn *fn; } rows[] = {
        { "layer_norm", place_layer_norm }, { "layer_norm_residual", place_layer_norm_residual }, { "rms_norm", place_rms_norm },
        { "pre_rms_norm", place_pre_rms_norm }, { "vector_add", place_vector_add }, { "softmax", place_softmax },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t type = 0; type < 3; type++) {
            tern_dtype t = rig_types[type].t;
            tern_config config = rig_config(type);
            size_t bytes = ROWS * C * tern_dtype_bytes(t);
            tern_tensor x = rig_random(t, RIG_SHAPE(ROWS, C), 1), r = rig_random(t, RIG_SHAPE(ROWS, C), 2), gamma = rig_random(t, RIG_SHAPE(C), 3);
            tern_tensor y = rig_new(t, RIG_SHAPE(ROWS, C)), sum = rig_new(t, RIG_SHAPE(ROWS, C));
            tern_op *op = make_op(rows[i].op, &config);
            RIG_OK(rows[i].fn(op, x, r, gamma, y, sum));
            RIG_OK(rows[i].fn(op, x, r, gamma, x, r));    /* the output over the input, the sum over the residual */
            if (memcmp(x.data, y.data, bytes)) fail_msg("%s: another result in place", rows[i].op);
            if (!strcmp(rows[i].op, "pre_rms_norm")) assert_memory_equal(r.data, sum.data, bytes);
            tern_op_free(op);
            free(x.data), free(r.data), free(gamma.data), free(y.data), free(sum.data);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bias_ops),
        cmocka_unit_test(test_gated_activation),
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_residual_add),
        cmocka_unit_test(test_rms_residual_is_added_once),
        cmocka_unit_test(test_moe_res_matmul),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_softmax_of_special_rows),
        cmocka_unit_test(test_in_place),
    };
    RIG_ON_EVERY_ISA(tests);
}
