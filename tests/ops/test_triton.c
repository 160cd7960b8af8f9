/* DeepSpeed's tests of its Triton kernels and of the rotary function, rebuilt for the ops that
 * stand in their place (tests/unit/ops/transformer/inference: test_matmul, test_attention,
 * test_layer_norm, test_rope): the same shapes, types and tolerances, against formulas in
 * double. */
#include "formulas.h"

/* ---- test_matmul_4d: a [B,H,M,K] . b [B,H,K,N], f16 ---- */

static void test_matmul_4d(void **state)
{
    static const int64_t batches[] = { 1, 2 }, heads[] = { 1, 2, 16 }, ms[] = { 1, 7, 8, 128 },
        ks[] = { 2, 5, 16, 128 }, ns[] = { 1, 2, 8, 512 };
    tern_config config = rig_config(1);
    tern_op *op = make_op("vector_matmul", &config);
    (void)state;
    for (size_t form = 0; form < 2 * 3 * 4 * 4 * 4; form++) {
        int64_t matrices = batches[form % 2] * heads[form / 2 % 3], m = ms[form / 6 % 4], k = ks[form / 24 % 4],
            n = ns[form / 96];
        tern_tensor a = rig_tiled(TERN_F16, RIG_SHAPE(matrices, m, k), form), b =
            rig_tiled(TERN_F16, RIG_SHAPE(matrices, k, n), form + 1), y = rig_new(TERN_F16, RIG_SHAPE(matrices, m, n));
        double *want = doubles(n);
        for (int64_t i = 0; i < matrices; i++)
            RIG_OK(tern_vector_matmul_run(op, &(tern_vector_matmul_args){
                .input = tern_tensor_of((uint16_t *)a.data + i * m * k, TERN_F16, RIG_SHAPE(m, k)),
                .weight = tern_tensor_of((uint16_t *)b.data + i * k * n, TERN_F16, RIG_SHAPE(k, n)),
                .output = tern_tensor_of((uint16_t *)y.data + i * m * n, TERN_F16, RIG_SHAPE(m, n)) }));
        for (int64_t s = 0; s < rig_samples(matrices * m); s++) {
            int64_t r = rig_sample(matrices * m, s);
            for (int64_t j = 0; j < n; j++) {
                want[j] = 0;
                for (int64_t i = 0; i < k; i++)
                    want[j] += rig_get(&a, r * k + i) * rig_get(&b, (r / m * k + i) * n + j);
            }
            rig_close_row("a . b", &y, r, want, 5e-2, 2e-3);
        }
        free(a.data);
        free(b.data);
        free(y.data);
        free(want);
    }
    tern_op_free(op);
}

/* ---- test_attention: q, k and v packed; flash (softmax_context) and not (two products and a
 * softmax), causal and with a mask of keys, f16 ---- */

enum { HEADS = 12 };

typedef struct attention_case {
    int64_t n, d;
    bool causal;
    tern_tensor qkv, mask, context;    /* [1, n, 3 * HEADS * d], [1, n], [1, n, HEADS * d] */
} attention_case;

static void packed(const attention_case *c)
{
    tern_config config = rig_config(1);
    tern_workspace *ws;
    config.heads = HEADS;
    config.triangular_masking = c->causal;
    RIG_OK(tern_workspace_create(rig, &(tern_workspace_options){
        .n_layer = 1, .max_batch = 1, .n_kv_head = HEADS, .key_dim = (int32_t)c->d, .max_tokens = c->n }, &ws));
    tern_op *op = make_op("softmax_context", &config);
    tern_softmax_context_args a = { .query_key_value = c->qkv, .workspace = ws, .norm_factor = sqrt(0.3),
                                    .context = c->context };
    if (!c->causal) a.attn_mask = c->mask;
    RIG_OK(tern_softmax_context_run(op, &a));
    tern_op_free(op);
    tern_workspace_free(ws);
}

/* A head's q, k or v: the columns of qkv from one on. */
static tern_tensor columns(const tern_tensor *t, int64_t from, int64_t rows, int64_t d)
{
    tern_tensor part = tern_tensor_of((uint16_t *)t->data + from, TERN_F16, RIG_SHAPE(rows, d));
    part.stride[0] = t->shape[t->rank - 1];
    return part;
}

static void unfused(const attention_case *c)
{
    tern_config config = rig_config(1);
    tern_tensor scores = rig_new(TERN_F16, RIG_SHAPE(1, HEADS, c->n, c->n)), context = c->context;
    tern_op *multiply = make_op("vector_matmul", &config), *softmax = make_op("softmax", &config), *product;
    config.transposed_mode = true;
    product = make_op("vector_matmul", &config);
    for (int h = 0; h < HEADS; h++)
        RIG_OK(tern_vector_matmul_run(product, &(tern_vector_matmul_args){
            .input = columns(&c->qkv, h * c->d, c->n, c->d), .weight = columns(&c->qkv, (HEADS + h) * c->d, c->n, c->d),
            .output = tern_tensor_of((uint16_t *)scores.data + h * c->n * c->n, TERN_F16, RIG_SHAPE(c->n, c->n)) }));
    tern_softmax_args a = { .attn_scores = scores, .not_triangular = !c->causal, .layer_scale = 0.3, .output = scores };
    if (!c->causal) a.attn_mask = c->mask;
    RIG_OK(tern_softmax_run(softmax, &a));
    for (int h = 0; h < HEADS; h++)
        RIG_OK(tern_vector_matmul_run(multiply, &(tern_vector_matmul_args){
            .input = tern_tensor_of((uint16_t *)scores.data + h * c->n * c->n, TERN_F16, RIG_SHAPE(c->n, c->n)),
            .weight = columns(&c->qkv, (2 * HEADS + h) * c->d, c->n, c->d),
            .output = columns(&context, h * c->d, c->n, c->d) }));
    tern_op_free(multiply);
    tern_op_free(softmax);
    tern_op_free(product);
    free(scores.data);
}

static void expect_attention(const attention_case *c, int64_t row, double *want)
{
    int64_t width = 3 * HEADS * c->d;
    double *z = doubles(c->n);
    for (int h = 0; h < HEADS; h++) {
        double sum = 0;
        for (int64_t j = 0; j < c->n; j++) {
            double dot = 0;
            for (int64_t i = 0; i < c->d; i++)
                dot += rig_get(&c->qkv,
                               row * width + h * c->d + i) * rig_get(&c->qkv, j * width + (HEADS + h) * c->d + i);
            double mask = c->causal ? 0 : rig_get(&c->mask, j);
            z[j] = c->causal && j > row ? 0 : exp(0.3 * dot + mask);
            sum += z[j];
        }
        for (int64_t i = 0; i < c->d; i++) {
            want[h * c->d + i] = 0;
            for (int64_t j = 0; j < c->n; j++)
                want[h * c->d + i] += z[j] / sum * rig_get(&c->qkv, j * width + (2 * HEADS + h) * c->d + i);
        }
    }
    free(z);
}

static void test_attention(void **state)
{
    static const int64_t lengths[] = { 16, 128 }, dims[] = { 64, 128 };
    (void)state;
    for (size_t form = 0; form < 16; form++) {
        attention_case c = { .n = lengths[form % 2], .d = dims[form / 2 % 2], .causal = form / 4 % 2 };
        c.qkv = rig_tiled(TERN_F16, RIG_SHAPE(1, c.n, 3 * HEADS * c.d), 20);
        c.mask = rig_new(TERN_F16, RIG_SHAPE(1, c.n));
        c.context = rig_new(TERN_F16, RIG_SHAPE(1, c.n, HEADS * c.d));
        for (int64_t i = 0; i < tern_tensor_count(&c.qkv); i++) rig_put(&c.qkv, i, 0.5 * rig_get(&c.qkv, i));
        /* the keys are n - 8 .. n - 1 long */
        for (int64_t j = c.n - 8 + (int64_t)(rig_bits(20, form) % 8); j < c.n; j++) rig_put(&c.mask, j, -65504);
        double *want = doubles(HEADS * c.d);
        form < 8 ? packed(&c) : unfused(&c);
        for (int64_t k = 0; k < rig_samples(c.n); k++) {
            expect_attention(&c, rig_sample(c.n, k), want);
            rig_close_row(form < 8 ? "packed attention" : "attention in three ops", &c.context, rig_sample(c.n, k),
                          want, rig_types[1].rtol, rig_types[1].atol);
        }
        free(c.qkv.data);
        free(c.mask.data);
        free(c.context.data);
        free(want);
    }
}

/* ---- test_triton_layer_norm: four rows of four channels far from zero, f16, with and without
 * residual and bias ---- */

static void test_triton_layer_norm(void **state)
{
    enum { M = 4, N = 4 };
    tern_config config = rig_config(1);
    config.layer_norm_eps = 1e-5;
    tern_op *plain = make_op("layer_norm", &config), *residual = make_op("layer_norm_residual", &config);
    tern_tensor x = rig_random(TERN_F16, RIG_SHAPE(M, N), 1), r = rig_random(TERN_F16, RIG_SHAPE(M, N), 2),
        bias = rig_random(TERN_F16, RIG_SHAPE(N), 3), gamma = rig_random(TERN_F16, RIG_SHAPE(N), 4),
        beta = rig_random(TERN_F16, RIG_SHAPE(N), 5), y = rig_new(TERN_F16, RIG_SHAPE(M, N));
    (void)state;
    for (int i = 0; i < M * N; i++) {
        rig_put(&x, i, -2.3 + 0.5 * rig_get(&x, i));
        rig_put(&r, i, -2.3 + 0.5 * rig_get(&r, i));
    }
    for (int form = 0; form < 3; form++) {    /* alone, with a residual, with a residual and a bias */
        if (!form)
            RIG_OK(tern_layer_norm_run(plain, &(tern_layer_norm_args){ .input = x, .gamma = gamma, .beta = beta,
                                                                       .output = y }));
        tern_layer_norm_residual_args a = { .input = x, .residual = r, .gamma = gamma, .beta = beta, .output = y };
        if (form == 2) a.bias = bias;
        if (form) RIG_OK(tern_layer_norm_residual_run(residual, &a));
        for (int64_t row = 0; row < M; row++) {
            double sum[N], want[N];
            for (int64_t i = 0; i < N; i++) {
                sum[i] = rig_get(&x, row * N + i) + (form == 2 ? rig_get(&bias, i) : 0) +
                         (form ? rig_get(&r, row * N + i) : 0);
                if (form) sum[i] = rig_round(TERN_F16, sum[i]);
            }
            norm_row(sum, N, &gamma, &beta, false, want);
            rig_close_row("layer norm far from zero", &y, row, want, rig_types[1].rtol, rig_types[1].atol);
        }
    }
    tern_op_free(plain);
    tern_op_free(residual);
    free(x.data);
    free(r.data);
    free(bias.data);
    free(gamma.data);
    free(beta.data);
    free(y.data);
}

/* ---- test_rope_warp_size_alignment: DeepSpeed's runs it; here the numbers are compared, too
 * ---- */

static void test_rope(void **state)
{
    static const int64_t heads[] = { 64, 32, 16, 8 };
    enum { S = 1024, D = 32, OFFSET = 8 };
    (void)state;
    for (size_t form = 0; form < 8; form++) {
        tern_config config = rig_config(0);
        int64_t n = heads[form % 4];
        bool half = form / 4;
        config.rotary_dim = D;
        config.rope_theta = 2;
        config.rotate_half = half;
        config.rotate_every_two = !half;
        tern_tensor q = rig_tiled(TERN_F32, RIG_SHAPE(1, n, S, D), 1),
            k = rig_tiled(TERN_F32, RIG_SHAPE(1, n, S, D), 2), q2 = rig_new(TERN_F32, RIG_SHAPE(1, n, S, D)),
            k2 = rig_new(TERN_F32, RIG_SHAPE(1, n, S, D));
        tern_op *op = make_op("apply_rotary_pos_emb", &config);
        RIG_OK(tern_apply_rotary_pos_emb_run(op, &(tern_apply_rotary_pos_emb_args){
            .mixed_query = q, .key_layer = k, .offset = OFFSET, .num_heads = n, .query_output = q2,
            .key_output = k2 }));
        for (int64_t s = 0; s < rig_samples(n * S); s++) {
            int64_t row = rig_sample(n * S, s);
            for (int which = 0; which < 2; which++) {
                const tern_tensor *from = which ? &k : &q;
                double want[D];
                for (int64_t m = 0; m < D / 2; m++) {
                    double angle = (double)(OFFSET + row % S) * pow(2, -2.0 * (double)m / D);
                    int64_t i = half ? m : 2 * m, j = half ? m + D / 2 : 2 * m + 1;
                    double a = rig_get(from, row * D + i), b = rig_get(from, row * D + j);
                    want[i] = a * cos(angle) - b * sin(angle);
                    want[j] = b * cos(angle) + a * sin(angle);
                }
                /* angles up to 1031 are f32 numbers: half a unit of them is 6e-5 */
                rig_close_row("rotary", which ? &k2 : &q2, row, want, rig_types[0].rtol, 4e-4);
            }
        }
        tern_op_free(op);
        free(q.data);
        free(k.data);
        free(q2.data);
        free(k2.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul_4d),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_triton_layer_norm),
        cmocka_unit_test(test_rope),
    };
    RIG_ON_EVERY_ISA(tests);
}
