/* Products against their formulas in double: both orientations, every activation, int8 by groups;
 * empty batches, and rows that lie apart. */
#include "formulas.h"

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
    { TERN_ACT_GELU, gelu_tanh, false },     { TERN_ACT_RELU, relu, false },
    { TERN_ACT_GELU_ERF, gelu_erf, false },  { TERN_ACT_SILU, silu, false },
    { TERN_ACT_GATED_GELU, gelu_erf, true }, { TERN_ACT_GATED_SILU, silu, true },
    { TERN_ACT_GATED_RELU, relu, true },     { TERN_ACT_GATED_GELU_TANH, gelu_tanh, true },
};

/* mlp_gemm and gelu_gemm; weights [in, out] and [out, in], the gate fused and apart, all with the
 * same bits. */
static void check_mlp(const mlp_row *row, size_t type, bool rms)
{
    enum { R = 5, E = 24, I = 17 };
    tern_dtype t = rig_types[type].t;
    int64_t wide = row->gated ? 2 * I : I;
    tern_config config = rig_config(type);
    config.layer_norm_eps = 1e-5;
    config.mlp_act_func_type = row->act;
    config.norm_type = rms ? TERN_NORM_RMS : TERN_NORM_LAYER;
    tern_tensor a = rig_random(t, RIG_SHAPE(R, E), 1), r = rig_random(t, RIG_SHAPE(R, E), 2),
        gamma = rig_random(t, RIG_SHAPE(E), 3), beta = rms ? (tern_tensor){ 0 } : rig_random(t, RIG_SHAPE(E), 4);
    tern_tensor w1 = rig_random(t, RIG_SHAPE(E, wide), 5), w2 = rig_random(t, RIG_SHAPE(I, E), 6),
        y = rig_new(t, RIG_SHAPE(R, E)), y2 = rig_new(t, RIG_SHAPE(R, E));
    for (int64_t i = 0; i < E * wide; i++) rig_put(&w1, i, 0.2 * rig_get(&w1, i));
    for (int64_t i = 0; i < I * E; i++) rig_put(&w2, i, 0.2 * rig_get(&w2, i));
    tern_tensor w1t = transposed(&w1), w2t = transposed(&w2);
    double sum[R * E], n[R * E], *h = doubles(R * wide), act[R * I], want[R * E];
    for (int i = 0; i < R * E; i++) sum[i] = rig_get(&a, i) + rig_get(&r, i);
    for (int i = 0; i < R; i++) norm_row(sum + i * E, E, &gamma, &beta, rms, n + i * E);
    product(n, &w1, NULL, R, h);
    for (int i = 0; i < R * I; i++)
        act[i] = row->gated ? h[i / I * wide + i % I] * row->f(h[i / I * wide + I + i % I]) : row->f(h[i]);
    product(act, &w2, NULL, R, want);

    tern_mlp_gemm_args args = { .input = a, .residual = r, .weight_interm = w1, .weight_out = w2, .gamma = gamma,
                                .beta = beta, .output = y };
    bool apart_only = row->gated && !rms;
    tern_op *op = make_op("mlp_gemm", &config);
    if (!apart_only) {
        RIG_OK(tern_mlp_gemm_run(op, &args));
        rig_close("mlp_gemm", &y, want, rig_types[type].rtol, rig_types[type].atol);
    }
    tern_op_free(op);

    config.transposed_mode = true;
    op = make_op("mlp_gemm", &config);
    args.weight_interm = w1t;
    args.weight_out = w2t;
    args.output = y2;
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

    /* gelu_gemm takes what is normalized already, and a bias of the first product */
    tern_tensor bias = rig_random(t, RIG_SHAPE(wide), 7);
    for (int i = 0; i < R * E; i++) n[i] = rig_get(&a, i);
    product(n, &w1, &bias, R, h);
    for (int i = 0; i < R * I; i++)
        act[i] = row->gated ? h[i / I * wide + i % I] * row->f(h[i / I * wide + I + i % I]) : row->f(h[i]);
    product(act, &w2, NULL, R, want);
    for (int transposed_mode = 0; transposed_mode < 2; transposed_mode++) {
        config.transposed_mode = transposed_mode;
        op = make_op("gelu_gemm", &config);
        RIG_OK(tern_gelu_gemm_run(op, &(tern_gelu_gemm_args){
            .input = a, .weight = transposed_mode ? w1t : w1, .weight_out = transposed_mode ? w2t : w2, .bias = bias,
            .output = transposed_mode ? y2 : y }));
        tern_op_free(op);
    }
    rig_close("gelu_gemm", &y, want, rig_types[type].rtol, rig_types[type].atol);
    assert_memory_equal(y.data, y2.data, R * E * tern_dtype_bytes(t));
    free(a.data);
    free(r.data);
    free(gamma.data);
    free(beta.data);
    free(w1.data);
    free(w2.data);
    free(w1t.data);
    free(w2t.data);
    free(y.data);
    free(y2.data);
    free(h);
    free(bias.data);
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

/* qkv_gemm in one piece and in three, [in, out] and [out, in]: the same bits, and the normalized
 * input. */
static void test_qkv_gemm(void **state)
{
    enum { R = 6, E = 33, Q = 20, K = 10 };
    (void)state;
    for (size_t type = 0; type < 3; type++) {
        tern_dtype t = rig_types[type].t;
        tern_config config = rig_config(type);
        config.layer_norm_eps = 1e-5;
        tern_tensor x = rig_random(t, RIG_SHAPE(R, E), 1), gamma = rig_random(t, RIG_SHAPE(E), 2),
            beta = rig_random(t, RIG_SHAPE(E), 3), w = rig_random(t, RIG_SHAPE(E, Q + 2 * K), 4);
        tern_tensor bias = rig_random(t, RIG_SHAPE(Q + 2 * K), 5), y = rig_new(t, RIG_SHAPE(R, Q + 2 * K)),
            y2 = rig_new(t, RIG_SHAPE(R, Q + 2 * K)), n = rig_new(t, RIG_SHAPE(R, E)), wt = transposed(&w);
        size_t bytes = tern_dtype_bytes(t);
        double row[R * E], normed[R * E], want[R * (Q + 2 * K)];
        for (int i = 0; i < R * E; i++) row[i] = rig_get(&x, i);
        for (int i = 0; i < R; i++) norm_row(row + i * E, E, &gamma, &beta, false, normed + i * E);
        product(normed, &w, &bias, R, want);
        tern_op *op = make_op("qkv_gemm", &config);
        RIG_OK(tern_qkv_gemm_run(op, &(tern_qkv_gemm_args){
            .input = x, .weight = w, .bias = bias, .gamma = gamma, .beta = beta, .output = y, .inp_norm = n }));
        /* sums of 33 products of some units each */
        rig_close("qkv_gemm", &y, want, rig_types[type].rtol, type ? 0.1 : 5e-5);
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
        free(x.data);
        free(gamma.data);
        free(beta.data);
        free(w.data);
        free(bias.data);
        free(y.data);
        free(y2.data);
        free(n.data);
        free(wt.data);
    }
}

/* Quantize by groups, multiply: near the product of the weight before, and exactly that of what
 * dequantize gives. */
static void test_int8_groups(void **state)
{
    enum { R = 3, K = 16, N = 12 };
    static const int64_t groups[] = { N, N / 2, 1 };
    tern_config config = rig_config(0);
    (void)state;
    for (size_t g = 0; g < 3; g++) {
        tern_tensor w = rig_random(TERN_F32, RIG_SHAPE(N, K), 1), x = rig_random(TERN_F16, RIG_SHAPE(R, K), 2),
            q = rig_new(TERN_I8, RIG_SHAPE(N, K)), scale = rig_new(TERN_F32, RIG_SHAPE(groups[g]));
        tern_tensor back = rig_new(TERN_F16, RIG_SHAPE(N, K)), y = rig_new(TERN_F16, RIG_SHAPE(R, N)),
            y2 = rig_new(TERN_F16, RIG_SHAPE(R, N));
        for (int i = 0; i < K * N / (int)groups[g]; i++) rig_put(&w, i, 0);    /* an all-zero group */
        tern_op *quantize = make_op("quantize", &config), *dequantize = make_op("dequantize", &config), *multiply;
        RIG_OK(tern_quantize_run(quantize, &(tern_quantize_args){ .weight = w, .num_groups = groups[g], .q = q,
                                                                  .scale = scale }));
        assert_true(rig_get(&scale, 0) == 1);
        RIG_OK(tern_dequantize_run(dequantize,
                                   &(tern_dequantize_args){ .weight = q, .weight_scale = scale, .output = back }));
        for (int i = 0; i < N * K; i++)
            assert_true(fabs(rig_get(&back, i) - rig_get(&w, i)) <=
                        /* absmax saturates by one step, and f16 rounds */
                        rig_get(&scale, i / (N * K / (int)groups[g])) * 1.1 + 1e-6);
        for (int transposed_mode = 0; transposed_mode < 2; transposed_mode++) {
            tern_config int8 = tern_config_default();
            int8.dtype = TERN_DTYPE_INT8;
            int8.transposed_mode = transposed_mode;
            multiply = make_op("vector_matmul", &int8);
            RIG_OK(tern_vector_matmul_run(multiply, &(tern_vector_matmul_args){ .input = x, .weight = q,
                                                                                .weight_scale = scale, .output = y }));
            tern_op_free(multiply);
            int8.transposed_mode = true;
            multiply = make_op("vector_matmul", &int8);
            RIG_OK(tern_vector_matmul_run(multiply,
                                          &(tern_vector_matmul_args){ .input = x, .weight = back, .output = y2 }));
            tern_op_free(multiply);
            assert_memory_equal(y.data, y2.data, R * N * 2);
        }
        tern_op_free(quantize);
        tern_op_free(dequantize);
        free(w.data);
        free(x.data);
        free(q.data);
        free(scale.data);
        free(back.data);
        free(y.data);
        free(y2.data);
    }
}

/* w [out, in] as int8 with G groups, the first all zeros, and what dequantize makes of it. */
typedef struct int8_weight {
    tern_tensor q, scale, back;
} int8_weight;

static int8_weight quantized(int64_t out, int64_t in, int64_t groups, uint64_t seed)
{
    int8_weight w = { rig_new(TERN_I8, RIG_SHAPE(out, in)), rig_new(TERN_F32, RIG_SHAPE(groups)),
                      rig_new(TERN_F16, RIG_SHAPE(out, in)) };
    tern_config config = rig_config(0);
    tern_tensor from = rig_random(TERN_F32, RIG_SHAPE(out, in), seed);
    tern_op *quantize = make_op("quantize", &config), *dequantize = make_op("dequantize", &config);
    for (int64_t i = 0; i < out * in; i++)
        rig_put(&from, i, groups > 1 && i < out * in / groups ? 0 : 0.2 * rig_get(&from, i));
    RIG_OK(tern_quantize_run(quantize, &(tern_quantize_args){ .weight = from, .num_groups = groups, .q = w.q,
                                                              .scale = w.scale }));
    RIG_OK(tern_dequantize_run(dequantize,
                               &(tern_dequantize_args){ .weight = w.q, .weight_scale = w.scale, .output = w.back }));
    tern_op_free(quantize);
    tern_op_free(dequantize);
    free(from.data);
    return w;
}

static void free_int8(int8_weight *w)
{
    free(w->q.data);
    free(w->scale.data);
    free(w->back.data);
}

/* Every product with int8 weights, for every activation and G = N, N/2, 1: to the bit what it gives
 * with the weights that dequantize makes. */
static void test_int8_products(void **state)
{
    enum { R = 3, E = 16, I = 12 };
    (void)state;
    for (size_t form = 0; form < 3 * sizeof activations / sizeof *activations; form++) {
        const mlp_row *row = &activations[form / 3];
        int64_t wide = row->gated ? 2 * I : I, step = form % 3;
        int8_weight w1 = quantized(wide, E, step == 2 ? 1 : wide >> step, 1),
            w2 = quantized(E, I, step == 2 ? 1 : E >> step, 2);
        tern_tensor x = rig_random(TERN_F16, RIG_SHAPE(R, E), 3), r = rig_random(TERN_F16, RIG_SHAPE(R, E), 4),
            gamma = rig_random(TERN_F16, RIG_SHAPE(E), 5), y[2][3];
        for (int plain = 0; plain < 2; plain++) {
            tern_config c = rig_config(1);
            c.dtype = plain ? TERN_DTYPE_FP16 : TERN_DTYPE_INT8;
            c.transposed_mode = plain;    /* int8 weights lie [out, in] whatever it says */
            c.mlp_act_func_type = row->act;
            c.norm_type = row->gated ? TERN_NORM_RMS : TERN_NORM_LAYER;
            tern_tensor a = plain ? w1.back : w1.q, b = plain ? w2.back : w2.q, none = { 0 },
                sa = plain ? none : w1.scale, sb = plain ? none : w2.scale;
            tern_op *gelu = make_op("gelu_gemm", &c), *mlp = make_op("mlp_gemm", &c), *qkv = make_op("qkv_gemm", &c);
            for (int i = 0; i < 3; i++) y[plain][i] = rig_new(TERN_F16, RIG_SHAPE(R, i < 2 ? E : wide));
            RIG_OK(tern_gelu_gemm_run(gelu, &(tern_gelu_gemm_args){ .input = x, .weight = a, .weight_scale =
                sa, .weight_out = b, .weight_out_scale = sb, .output = y[plain][0] }));
            RIG_OK(tern_mlp_gemm_run(mlp, &(tern_mlp_gemm_args){
                .input = x, .residual = r, .weight_interm = a, .weight_interm_scale = sa, .weight_out = b,
                .weight_out_scale = sb, .gamma = gamma, .output = y[plain][1] }));
            RIG_OK(tern_qkv_gemm_run(qkv, &(tern_qkv_gemm_args){ .input = x, .weight = a, .weight_scale = sa,
                                                                 .gamma = gamma, .output = y[plain][2] }));
            tern_op_free(gelu);
            tern_op_free(mlp);
            tern_op_free(qkv);
        }
        for (int i = 0; i < 3; i++) {
            assert_memory_equal(y[0][i].data, y[1][i].data, (size_t)tern_tensor_count(&y[0][i]) * 2);
            free(y[0][i].data);
            free(y[1][i].data);
        }
        free_int8(&w1);
        free_int8(&w2);
        free(x.data);
        free(r.data);
        free(gamma.data);
    }
}

/* Two ranks: each has half of the columns of the first product and half of the rows of the second,
 * and the sum of what they give is the whole. */
static void test_products_of_two_ranks(void **state)
{
    enum { R = 4, E = 24, I = 18 };
    tern_config c = rig_config(0);
    tern_tensor x = rig_random(TERN_F32, RIG_SHAPE(R, E), 1), res = rig_random(TERN_F32, RIG_SHAPE(R, E), 2),
        gamma = rig_random(TERN_F32, RIG_SHAPE(E), 3), w1 = rig_random(TERN_F32, RIG_SHAPE(I, E), 4),
        w2 = rig_random(TERN_F32, RIG_SHAPE(E, I), 5), bias = rig_random(TERN_F32, RIG_SHAPE(I), 6),
        y = rig_new(TERN_F32, RIG_SHAPE(R, E));
    (void)state;
    c.transposed_mode = true;
    c.mp_size = 2;
    for (int op = 0; op < 2; op++) {
        double sum[R * E] = { 0 }, whole[R * E];
        tern_op *run = make_op(op ? "mlp_gemm" : "gelu_gemm", &c);
        for (int part = 0; part < 3; part++) {    /* two halves, and the whole */
            int64_t n = part < 2 ? I / 2 : I, first = part == 1 ? I / 2 : 0;
            tern_tensor a = tern_tensor_of((float *)w1.data + first * E, TERN_F32, RIG_SHAPE(n, E)),
                b = tern_tensor_of((float *)w2.data + first, TERN_F32, RIG_SHAPE(E, n)),
                own = tern_tensor_of((float *)bias.data + first, TERN_F32, RIG_SHAPE(n));
            b.stride[0] = I;
            if (op) RIG_OK(tern_mlp_gemm_run(run, &(tern_mlp_gemm_args){
                .input = x, .residual = res, .weight_interm = a, .weight_out = b, .bias = own, .gamma = gamma,
                .output = y }));
            else
                RIG_OK(tern_gelu_gemm_run(run, &(tern_gelu_gemm_args){ .input = x, .weight = a, .weight_out = b,
                                                                       .bias = own, .output = y }));
            for (int i = 0; i < R * E; i++)
                *(part < 2 ? &sum[i] : &whole[i]) = (part < 2 ? sum[i] : 0) + rig_get(&y, i);
        }
        rig_close(op ? "mlp_gemm of two ranks" : "gelu_gemm of two ranks", &y, sum, rig_types[0].rtol,
                  rig_types[0].atol);
        for (int i = 0; i < R * E; i++) assert_true(whole[i] == rig_get(&y, i));
        tern_op_free(run);
    }
    free(x.data);
    free(res.data);
    free(gamma.data);
    free(w1.data);
    free(w2.data);
    free(bias.data);
    free(y.data);
}

/* A fused int8 gate whose groups end inside a half: the scales still belong to their rows. */
static void test_int8_gate_with_an_odd_number_of_groups(void **state)
{
    enum { R = 2, E = 8, I = 9, G = 3 };    /* 18 rows in 3 groups of 6; a half is 9 */
    tern_config config = tern_config_default();
    config.dtype = TERN_DTYPE_INT8;
    config.mlp_act_func_type = TERN_ACT_GATED_SILU;
    tern_tensor x = rig_random(TERN_F16, RIG_SHAPE(R, E), 1), q1 = rig_random(TERN_I8, RIG_SHAPE(2 * I, E), 2),
                q2 = rig_random(TERN_I8, RIG_SHAPE(E, I), 3);
    tern_tensor s1 = rig_new(TERN_F32, RIG_SHAPE(G)), s2 = rig_new(TERN_F32, RIG_SHAPE(1)),
        each = rig_new(TERN_F32, RIG_SHAPE(2 * I)), y = rig_new(TERN_F16, RIG_SHAPE(R, E)),
        y2 = rig_new(TERN_F16, RIG_SHAPE(R, E));
    (void)state;
    for (int g = 0; g < G; g++) rig_put(&s1, g, 0.01 * (g + 1));
    for (int i = 0; i < 2 * I; i++) rig_put(&each, i, rig_get(&s1, i / 6));
    rig_put(&s2, 0, 0.01);
    tern_op *op = make_op("gelu_gemm", &config);
    RIG_OK(tern_gelu_gemm_run(op, &(tern_gelu_gemm_args){
        .input = x, .weight = q1, .weight_scale = s1, .weight_out = q2, .weight_out_scale = s2, .output = y }));
    RIG_OK(tern_gelu_gemm_run(op, &(tern_gelu_gemm_args){
        .input = x, .weight = q1, .weight_scale = each, .weight_out = q2, .weight_out_scale = s2, .output = y2 }));
    assert_memory_equal(y.data, y2.data, R * E * 2);
    tern_op_free(op);
    free(x.data);
    free(q1.data);
    free(q2.data);
    free(s1.data);
    free(s2.data);
    free(each.data);
    free(y.data);
    free(y2.data);
}

/* The group quantizer: constants, halves, saturation. */
static void test_quantize_values(void **state)
{
    static const float w[2][4] = { { 128, 64, -128, 0.5f }, { 1, -0.25f, 0.00390625f, 0.01171875f } };
    /* ties to even: 0.5 -> 0, 1.5 -> 2 */
    static const int8_t want[2][4] = { { 127, 64, -128, 0 }, { 127, -32, 0, 2 } };
    tern_config config = rig_config(0);
    tern_tensor q = rig_new(TERN_I8, RIG_SHAPE(2, 4)), scale = rig_new(TERN_F32, RIG_SHAPE(2));
    tern_op *op = make_op("quantize", &config);
    (void)state;
    RIG_OK(tern_quantize_run(op, &(tern_quantize_args){
        .weight = tern_tensor_of((void *)w, TERN_F32, RIG_SHAPE(2, 4)), .group_size = 1, .q = q, .scale = scale }));
    assert_memory_equal(q.data, want, sizeof want);
    assert_true(rig_get(&scale, 0) == 1 && rig_get(&scale, 1) == 1 / 128.0);
    tern_op_free(op);
    free(q.data);
    free(scale.data);
}

/* tests/unit/ops/quantizer: as many groups of as many elements as there, all zeros among them; and
 * test_fake_quantization's shapes, there and back. */
static void test_quantizer_groups(void **state)
{
    static const struct { int64_t groups, n; bool zeros; } rows[] = {
        { 1, 8, false }, { 13, 8, false }, { 512, 8, false }, { 1, 16, false }, { 13, 16, false }, { 512, 16, false },
        { 1, 32, false }, { 13, 64, false }, { 512, 64, false }, { 1, 512, false }, { 13, 4096, false },
        { 512, 128, false }, { 1, 16384, false }, { 13, 16384, false }, { 512, 16384, false }, { 13, 4096, true },
        { 1, 16 * 4096, false }, { 16, 4096, false }, { 1, 128 * 256, false }, { 16, 128 * 256 / 16, false },
        { 32768, 64, false },    /* test_intX_quantization's matrix of 8 bits, by its bounds, too */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t groups = rows[i].groups, n = rows[i].n;
        tern_config config = rig_config(0);
        tern_tensor w = rows[i].zeros ? rig_new(TERN_F32, RIG_SHAPE(groups, n))
                                      : rig_tiled(TERN_F32, RIG_SHAPE(groups, n), i),
            q = rig_new(TERN_I8, RIG_SHAPE(groups, n)), scale = rig_new(TERN_F32, RIG_SHAPE(groups)),
            back = rig_new(TERN_F16, RIG_SHAPE(groups, n));
        tern_op *quantize = make_op("quantize", &config), *dequantize = make_op("dequantize", &config);
        RIG_OK(tern_quantize_run(quantize,
                                 &(tern_quantize_args){ .weight = w, .num_groups = groups, .q = q, .scale = scale }));
        RIG_OK(tern_dequantize_run(dequantize,
                                   &(tern_dequantize_args){ .weight = q, .weight_scale = scale, .output = back }));
        for (int64_t g = 0; g < groups; g++) {
            double most = 0, step = rig_get(&scale, g);
            for (int64_t j = g * n; j < (g + 1) * n; j++) most = fmax(most, fabs(rig_get(&w, j)));
            if (step != (most > 0 ? (double)(float)(most / 128) : 1))
                fail_msg("%d groups of %d: scale %d is %g", (int)groups, (int)n, (int)g, step);
            for (int64_t j = g * n; j < (g + 1) * n; j++) {
                double v = rint((double)((float)rig_get(&w, j) / (float)step)), want = v > 127 ? 127 : v;
                if (rig_get(&q, j) != want)
                    fail_msg("%d groups of %d: element %d is %g, not %g", (int)groups, (int)n, (int)j, rig_get(&q, j),
                             want);
                if (!(fabs(rig_get(&back, j) - rig_get(&w, j)) <= step * 1.01 + 2e-3 * fabs(rig_get(&w, j))))
                    fail_msg("%d groups of %d: element %d comes back as %g", (int)groups, (int)n, (int)j,
                             rig_get(&back, j));
            }
        }
        double sum = 0, most = 0;
        for (int64_t j = 0; j < groups * n; j++) {
            double off = fabs(rig_get(&back, j) - rig_get(&w, j));
            sum += off;
            most = fmax(most, off);
        }
        assert_true(sum / (double)(groups * n) < 0.15 && most < 0.5);
        tern_op_free(quantize);
        tern_op_free(dequantize);
        free(w.data);
        free(q.data);
        free(scale.data);
        free(back.data);
    }
}

/* More outputs than three times the inputs: DeepSpeed's projection then overlaps the normalized
 * input that it returns beside it. */
static void test_wide_projection(void **state)
{
    enum { R = 5, E = 8, N = 61 };
    tern_config c = rig_config(0);
    c.layer_norm_eps = 1e-5;
    tern_tensor x = rig_random(TERN_F32, RIG_SHAPE(R, E), 1), w = rig_random(TERN_F32, RIG_SHAPE(E, N), 2),
        gamma = rig_random(TERN_F32, RIG_SHAPE(E), 3), none = { 0 }, y = rig_new(TERN_F32, RIG_SHAPE(R, N)),
        n = rig_new(TERN_F32, RIG_SHAPE(R, E));
    double row[R * E], normed[R * E], want[R * N];
    tern_op *op = make_op("qkv_gemm", &c);
    (void)state;
    for (int i = 0; i < R * E; i++) row[i] = rig_get(&x, i);
    for (int i = 0; i < R; i++) norm_row(row + i * E, E, &gamma, &none, false, normed + i * E);
    product(normed, &w, NULL, R, want);
    RIG_OK(tern_qkv_gemm_run(op, &(tern_qkv_gemm_args){ .input = x, .weight = w, .gamma = gamma, .output = y,
                                                        .inp_norm = n }));
    rig_close("a wide projection", &y, want, rig_types[0].rtol, rig_types[0].atol);
    rig_close("its input", &n, normed, rig_types[0].rtol, rig_types[0].atol);
    tern_op_free(op);
    free(x.data);
    free(w.data);
    free(gamma.data);
    free(y.data);
    free(n.data);
}

/* ---- Shapes that need no multiple of anything, and none at all ---- */

static void test_empty_batches(void **state)
{
    tern_config config = rig_config(0);
    tern_tensor x = rig_new(TERN_F32, RIG_SHAPE(2, 0, 8)), w = rig_random(TERN_F32, RIG_SHAPE(8, 5), 1),
                gamma = rig_random(TERN_F32, RIG_SHAPE(8), 1), y = rig_new(TERN_F32, RIG_SHAPE(2, 0, 5));
    tern_tensor scores = rig_new(TERN_F32, RIG_SHAPE(0, 2, 3, 4));
    tern_op *linear = make_op("linear", &config), *norm = make_op("layer_norm", &config),
        *softmax = make_op("softmax", &config), *gate = make_op("topkgating", &config);
    tern_tensor logits = rig_new(TERN_F32, RIG_SHAPE(0, 4)), counts = rig_random(TERN_I64, RIG_SHAPE(4), 1),
                loss = rig_random(TERN_F32, RIG_SHAPE(1), 1);
    (void)state;
    RIG_OK(tern_linear_run(linear, &(tern_linear_args){ .input = x, .weight = w, .output = y }));
    RIG_OK(tern_layer_norm_run(norm, &(tern_layer_norm_args){ .input = x, .gamma = gamma, .output = x }));
    RIG_OK(tern_softmax_run(softmax,
                            &(tern_softmax_args){ .attn_scores = scores, .layer_scale = 1, .output = scores }));
    RIG_OK(tern_topkgating_run(gate, &(tern_topkgating_args){
        .logits = logits, .k = 2, .capacity_factor = 1, .min_capacity = 0, .exp_counts = counts, .l_aux = loss }));
    for (int i = 0; i < 4; i++) assert_true(rig_get(&counts, i) == 0);
    assert_true(rig_get(&loss, 0) == 0);
    tern_op_free(linear);
    tern_op_free(norm);
    tern_op_free(softmax);
    tern_op_free(gate);
    free(x.data);
    free(w.data);
    free(gamma.data);
    free(y.data);
    free(scores.data);
    free(logits.data);
    free(counts.data);
    free(loss.data);
}

/* Rows that lie apart, as slices of columns do, in every type. */
static void test_rows_apart(void **state)
{
    (void)state;
    for (size_t type = 0; type < 3; type++) {
        tern_config config = rig_config(type);
        tern_dtype t = rig_types[type].t;
        size_t bytes = tern_dtype_bytes(t);
        tern_tensor wide = rig_random(t, RIG_SHAPE(4, 30), 1), gamma = rig_random(t, RIG_SHAPE(7), 2),
            y = rig_random(t, RIG_SHAPE(4, 20), 3), packed = rig_new(t, RIG_SHAPE(4, 7)),
            want = rig_new(t, RIG_SHAPE(4, 7));
        tern_tensor x = tern_tensor_of((char *)wide.data + 11 * bytes, t, RIG_SHAPE(4, 7)),
                    into = tern_tensor_of((char *)y.data + 5 * bytes, t, RIG_SHAPE(4, 7));
        x.stride[0] = 30;
        into.stride[0] = 20;
        for (int r = 0; r < 4; r++)
            memcpy((char *)packed.data + (size_t)r * 7 * bytes, (char *)x.data + (size_t)r * 30 * bytes, 7 * bytes);
        tern_op *op = make_op("rms_norm", &config);
        RIG_OK(tern_rms_norm_run(op, &(tern_rms_norm_args){ .input = packed, .gamma = gamma, .output = want }));
        RIG_OK(tern_rms_norm_run(op, &(tern_rms_norm_args){ .input = x, .gamma = gamma, .output = into }));
        for (int r = 0; r < 4; r++)
            assert_memory_equal((char *)into.data + (size_t)r * 20 * bytes, (char *)want.data + (size_t)r * 7 * bytes,
                                7 * bytes);
        tern_tensor before = rig_random(t, RIG_SHAPE(4, 20), 3);
        for (int i = 0; i < 80; i++)
            if (i % 20 < 5 || i % 20 > 11) assert_true(rig_get(&y, i) == rig_get(&before, i));
        tern_op_free(op);
        free(wide.data);
        free(gamma.data);
        free(y.data);
        free(packed.data);
        free(want.data);
        free(before.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mlp_gemm),
        cmocka_unit_test(test_qkv_gemm),
        cmocka_unit_test(test_int8_groups),
        cmocka_unit_test(test_int8_gate_with_an_odd_number_of_groups),
        cmocka_unit_test(test_int8_products),
        cmocka_unit_test(test_products_of_two_ranks),
        cmocka_unit_test(test_quantize_values),
        cmocka_unit_test(test_quantizer_groups),
        cmocka_unit_test(test_wide_projection),
        cmocka_unit_test(test_empty_batches),
        cmocka_unit_test(test_rows_apart),
    };
    RIG_ON_EVERY_ISA(tests);
}
