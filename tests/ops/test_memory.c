/* Memory: steady calls allocate nothing, in any type; and every allocation that fails once is an
 * error with nothing left behind. */
#include "rig.h"

#include <tern/layer.h>
#include <tern/moe.h>

#include "torture.h"

enum { E = 32, I = 48, H = 4, STEPS = 5 };

/* One layer of ops on one new token, as decoding calls them. */
typedef struct decoder {
    tern_op *qkv, *attend, *out, *mlp, *sum, *norm, *bias;
    tern_workspace *ws;
    tern_tensor x, normed, projected, context, a, m, r, gamma, w_qkv, w_out, w1, w2, s_qkv, s_out, s1, s2, b;
} decoder;

static tern_tensor weight(tern_config_dtype dtype, tern_dtype t, int64_t in, int64_t out, tern_tensor *scale)
{
    *scale = dtype == TERN_DTYPE_INT8 ? rig_new(TERN_F32, RIG_SHAPE(1)) : (tern_tensor){ 0 };
    if (scale->data) rig_put(scale, 0, 0.002);
    return dtype == TERN_DTYPE_INT8 ? rig_random(TERN_I8, RIG_SHAPE(out, in), 1) : rig_random(t, RIG_SHAPE(in, out), 1);
}

static void make_decoder(tern_config_dtype dtype, tern_dtype t, tern_dtype compute, decoder *d)
{
    tern_config c = tern_config_default();
    c.dtype = dtype;
    c.compute = compute;
    c.heads = H;
    c.num_kv = 2;
    c.norm_type = TERN_NORM_RMS;
    c.mlp_act_func_type = TERN_ACT_GATED_SILU;
    c.rotary_dim = E / H;
    c.layer_norm_eps = 1e-5;
    RIG_OK(tern_op_create(rig, "qkv_gemm", &c, &d->qkv));
    RIG_OK(tern_op_create(rig, "softmax_context", &c, &d->attend));
    RIG_OK(tern_op_create(rig, "vector_matmul", &c, &d->out));
    RIG_OK(tern_op_create(rig, "mlp_gemm", &c, &d->mlp));
    RIG_OK(tern_op_create(rig, "residual_add", &c, &d->sum));
    RIG_OK(tern_op_create(rig, "rms_norm", &c, &d->norm));
    RIG_OK(tern_op_create(rig, "bias_gelu", &c, &d->bias));
    RIG_OK(tern_workspace_create(rig, &(tern_workspace_options){
        .n_layer = 1, .max_batch = 1, .n_kv_head = 2, .key_dim = E / H, .max_tokens = 300 }, &d->ws));
    d->w_qkv = weight(dtype, t, E, 2 * E, &d->s_qkv);
    d->w_out = weight(dtype, t, E, E, &d->s_out);
    d->w1 = weight(dtype, t, E, 2 * I, &d->s1);
    d->w2 = weight(dtype, t, I, E, &d->s2);
    d->gamma = rig_random(t, RIG_SHAPE(E), 2);
    d->b = rig_random(t, RIG_SHAPE(E), 3);
    tern_tensor *const rows[] = { &d->x, &d->normed, &d->context, &d->a, &d->m, &d->r };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) *rows[i] = rig_random(t, RIG_SHAPE(1, 1, E), 10 + i);
    d->projected = rig_new(t, RIG_SHAPE(1, 1, 2 * E));
}

static void free_decoder(decoder *d)
{
    tern_op *const ops[] = { d->qkv, d->attend, d->out, d->mlp, d->sum, d->norm, d->bias };
    tern_tensor *const all[] = { &d->x,     &d->normed, &d->projected, &d->context, &d->a,     &d->m,  &d->r,
                                 &d->gamma, &d->w_qkv, &d->w_out, &d->w1,     &d->w2,        &d->s_qkv,   &d->s_out,
                                 &d->s1, &d->s2, &d->b };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) tern_op_free(ops[i]);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]->data);
    tern_workspace_free(d->ws);
}

static tern_status decode(decoder *d)
{
    tern_status st = tern_qkv_gemm_run(d->qkv, &(tern_qkv_gemm_args){
        .input = d->x, .weight = d->w_qkv, .weight_scale = d->s_qkv, .gamma = d->gamma, .output = d->projected,
        .inp_norm = d->normed });
    if (!st) st = tern_softmax_context_run(d->attend, &(tern_softmax_context_args){
        .query_key_value = d->projected, .workspace = d->ws, .norm_factor = 0.6, .context = d->context });
    if (!st) st = tern_vector_matmul_run(d->out, &(tern_vector_matmul_args){
        .input = d->context, .weight = d->w_out, .weight_scale = d->s_out, .output = d->a });
    if (!st) st = tern_mlp_gemm_run(d->mlp, &(tern_mlp_gemm_args){
        .input = d->a, .residual = d->x, .weight_interm = d->w1, .weight_interm_scale = d->s1, .weight_out = d->w2,
        .weight_out_scale = d->s2, .gamma = d->gamma, .output = d->m, .residual_add = d->r });
    if (!st) st = tern_residual_add_run(d->sum, &(tern_residual_add_args){
        .hidden_state = d->m, .residual = d->x, .attention_output = d->a, .output = d->x });
    if (!st) st = tern_rms_norm_run(d->norm, &(tern_rms_norm_args){ .input = d->x, .gamma = d->gamma, .output = d->x });
    if (!st) st = tern_bias_gelu_run(d->bias, &(tern_bias_gelu_args){ .input = d->x, .bias = d->b, .output = d->x });
    return st;
}

static void test_steady_steps_allocate_nothing(void **state)
{
    static const struct { tern_config_dtype dtype; tern_dtype t, compute; } rows[] = {
        { TERN_DTYPE_FP32, TERN_F32, TERN_F32 }, { TERN_DTYPE_FP32, TERN_F32, TERN_BF16 },
        { TERN_DTYPE_FP16, TERN_F16, TERN_F32 }, { TERN_DTYPE_BF16, TERN_BF16, TERN_BF16 },
        { TERN_DTYPE_INT8, TERN_F16, TERN_F32 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        decoder d;
        make_decoder(rows[i].dtype, rows[i].t, rows[i].compute, &d);
        for (int step = 0; step < 2; step++) RIG_OK(decode(&d));    /* the arena finds its size */
        countdown = 1;                                              /* the next allocation would fail */
        for (int step = 0; step < 290; step++) RIG_OK(decode(&d));
        assert_int_equal(countdown, 1);
        countdown = 0;
        free_decoder(&d);
    }
}

/* ---- Failures ---- */

static tern_status by_names(void)
{
    tern_ctx *ctx = NULL;
    tern_op *op = NULL;
    rig_set in;
    tern_named_tensor out[2] = { { .name = "output" }, { .name = "inp_norm" } };
    rig_parse("input f16 3,8; weight f16 8,5; gamma f16 8", &in);
    tern_status st = tern_ctx_create(&(tern_ctx_options){ .threads = 1 }, &ctx);
    if (!st) st = tern_op_create_json(ctx, "qkv_gemm", NULL, "{\"dtype\": \"fp16\"}", &op);
    if (!st) st = tern_op_run(op, in.t, in.n, out, 2, NULL);
    tern_outputs_free(out, 2);
    tern_op_free(op);
    tern_ctx_free(ctx);
    rig_free(&in);
    return st;
}

static tern_status with_a_cache(void)
{
    tern_ctx *ctx = NULL;
    tern_op *op = NULL;
    tern_workspace *ws = NULL;
    rig_set in;
    tern_named_tensor out = { .name = "context" };
    rig_parse("query_key_value f32 2,3,48; position_ids i64 2,3", &in);
    tern_status st = tern_ctx_create(&(tern_ctx_options){ .threads = 1 }, &ctx);
    if (!st)
        st = tern_op_create_json(ctx, "softmax_context", NULL, "{\"dtype\": \"fp32\", \"heads\": 2, \"rotary_dim\": 8}",
                                 &op);
    if (!st) st = tern_workspace_create(ctx, &(tern_workspace_options){
        .n_layer = 1, .max_batch = 2, .n_kv_head = 2, .key_dim = 8, .max_tokens = 4 }, &ws);
    if (!st) st = tern_op_bind_workspace(op, ws);
    if (!st) st = tern_op_run(op, in.t, in.n, &out, 1, NULL);
    tern_outputs_free(&out, 1);
    tern_workspace_free(ws);
    tern_op_free(op);
    tern_ctx_free(ctx);
    rig_free(&in);
    return st;
}

static tern_status a_mixture(void)
{
    tern_ctx *ctx = NULL;
    tern_moe *moe = NULL;
    rig_set in;
    tern_moe_config c = tern_moe_config_default();
    c.layer.hidden_size = 8;
    c.global_experts = c.moe_experts = 4;
    c.k = 2;
    c.mlp_type = TERN_MLP_RESIDUAL;
    rig_parse("x f32 6,8; gate f32 4,8; w1 f32 4,8,5; w2 f32 4,5,8; m1 f32 8,5; m2 f32 5,8; coef f32 2,8; y f32 6,8",
              &in);
    tern_moe_weights w = {
        .gate_w = in.t[1].tensor, .inter_w = in.t[2].tensor, .output_w = in.t[3].tensor, .mlp_inter_w = in.t[4].tensor,
        .mlp_output_w = in.t[5].tensor, .coefficient_w = in.t[6].tensor };
    tern_status st = tern_ctx_create(&(tern_ctx_options){ .threads = 1 }, &ctx);
    if (!st) st = tern_moe_create(ctx, &c, &w, NULL, &moe);
    if (!st) st = tern_moe_run(moe, &(tern_moe_args){ .input = in.t[0].tensor, .output = in.t[7].tensor });
    tern_moe_free(moe);
    tern_ctx_free(ctx);
    rig_free(&in);
    return st;
}

static tern_status configs(void)
{
    tern_ctx *ctx = NULL;
    char *text = NULL;
    tern_config c = tern_config_default();
    tern_status st = tern_ctx_create(&(tern_ctx_options){ .threads = 1 }, &ctx);
    if (!st) st = tern_config_to_json(ctx, &c, &text);
    tern_text_free(text);
    tern_ctx_free(ctx);
    return st;
}

static void test_each_allocation_fails_once(void **state)
{
    static const struct { const char *what; tern_status (*fn)(void); } rows[] = {
        { "by names", by_names }, { "with a cache", with_a_cache }, { "a mixture", a_mixture }, { "configs", configs },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t before = n_live, k = 1;
        tern_status st;
        for (;; k++) {
            countdown = k;
            st = rows[i].fn();
            bool reached = !countdown;
            countdown = 0;
            if (n_live != before)
                fail_msg("%s: %zu left behind when allocation %zu failed", rows[i].what, n_live - before, k);
            if (!reached) break;
            if (st != TERN_ERR_MEMORY && st != TERN_OK)
                fail_msg("%s: %s when allocation %zu failed", rows[i].what, tern_status_name(st), k);
        }
        assert_int_equal(st, TERN_OK);
        assert_true(k > 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_steady_steps_allocate_nothing),
                                        cmocka_unit_test(test_each_allocation_fails_once) };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
