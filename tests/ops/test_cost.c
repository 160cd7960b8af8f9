/* What a run costs, against numbers worked out by hand from the formulas of docs/ops.md: every op
 * has a row. */
#include "rig.h"

typedef struct cost_row {
    const char *op, *options, *in, *out;
    double flops, read_bytes, written_bytes;
    const char *why;
} cost_row;

static const cost_row rows[] = {
    /* 2*6*8*5 = 480, and 6*5; 4 * (48 + 40 + 5); 4 * 30 */
    { "linear", "{}", "input f32 2,3,8; weight f32 8,5; bias f32 5", "output", 510, 372, 120,
      "a product and its bias" },
    { "linear", "{\"add_bias\": false}", "input f32 2,3,8; weight f32 8,5; bias f32 5", "output", 480, 352, 120,
      "a bias that is not read" },
    /* 2*2*4*12 + 2*12 ; 4 * (8 + 48 + 12) ; 4 * [3, 1, 1, 2, 32] */
    { "linear", "{\"do_flash_attn\": true}", "input f32 1,2,4; weight f32 4,12; bias f32 12", "output", 216, 272, 768,
      "padded heads are written" },
    /* q 6, k and v 2 each: 2*3*4*10 + 3*(6 + 2) */
    { "linear", "{}", "input f32 3,4; weight f32 4,6; weight_k f32 4,2; weight_v f32 4,2; bias f32 6; bias_v f32 2",
      "output", 264, 240, 120, "three parts, two biases" },
    { "vector_matmul", "{\"transposed_mode\": true}", "input bf16 7,16; weight bf16 3,16", "output", 672, 320, 42,
      "two bytes an element, [out, in]" },
    { "vector_matmul", "{\"dtype\": \"int8\"}", "input f16 1,16; weight i8 4,16; weight.scale f32 2", "output", 128,
      104, 8, "int8 weights with their scales" },
    /* LayerNorm with beta 7 * 2 * 4, product 2*2*4*6, bias 2*6 */
    { "qkv_gemm", "{}", "input f32 1,2,4; weight f32 4,6; bias f32 6; gamma f32 4; beta f32 4", "output inp_norm", 164,
      184, 80, "LayerNorm, product, bias; two outputs" },
    { "qkv_gemm", "{\"norm_type\": \"RMSNorm\"}", "input f32 1,2,4; weight f32 4,6; gamma f32 4", "output", 128, 144,
      48, "RMSNorm is 4 an element" },
    /* 2*3*4*5 + 3*5 (bias) + 3*5 (gelu) + 2*3*5*6 */
    { "gelu_gemm", "{}", "input f32 3,4; weight f32 4,5; bias f32 5; weight_out f32 5,6", "output", 330, 268, 72,
      "an activation between two products" },
    /* n = 2, E = 3, W = I = 4: two additions 12, LayerNorm 36, 48 and 48 for the products, bias and
     * gelu 8 each */
    { "mlp_gemm", "{}", "input f32 2,3; residual f32 2,3; input_bias f32 3; weight_interm f32 3,4; bias f32 4; "
      "weight_out f32 4,3; gamma f32 3", "output residual_add", 160, 184, 48,
      "residual and bias, LayerNorm without beta, MLP" },
    { "mlp_gemm", "{\"mlp_after_attn\": false}", "input f32 2,3; residual f32 2,3; weight_interm f32 3,4; weight_out "
      "f32 4,3; gamma f32 3", "output", 140, 132, 24, "parallel: the attention is not read" },
    /* adds 6, RMS 4*6 = 24, 2*2*3*8 = 96, gate 2 * 2*4 = 16, 48 */
    { "mlp_gemm", "{\"norm_type\": \"RMSNorm\", \"mlp_act_func_type\": \"GATED_SILU\"}",
      "input f32 2,3; residual f32 2,3; weight_interm f32 3,8; weight_out f32 4,3; gamma f32 3", "output", 190, 204, 24,
      "value and gate in one matrix" },
    { "residual_add", "{\"mp_size\": 2}", "hidden_state f32 2,5; residual f32 2,5; attention_output f32 2,5; "
      "attention_bias f32 5; final_bias f32 5", "output", 50, 160, 40, "four additions and a share" },
    { "residual_add", "{\"pre_layer_norm\": false}", "hidden_state f32 2,5; residual f32 2,5; attention_output f32 "
      "2,5; attention_bias f32 5; final_bias f32 5; residual_add f32 2,5", "output", 20, 100, 40,
      "post-norm: h, the other residual and the last bias" },
    { "residual_add", "{\"mlp_after_attn\": false, \"add_bias\": false}",
      "hidden_state f32 2,5; residual f32 2,5; attention_output f32 2,5; attention_bias f32 5", "output", 20, 120, 40,
      "parallel without the attention's bias" },
    /* rows of 5 keys at positions 2, 3, 4: 3 + 4 + 5 = 12 seen of 15 */
    { "softmax", "{}", "attn_scores f32 2,2,3,5", "output", 240, 240, 240,
      "causal: 5 operations a score that is seen" },
    { "softmax", "{\"triangular\": false, \"layer_scale\": 0.5}", "attn_scores f32 2,2,3,5; attn_mask f32 2,5; alibi "
      "f32 4,1,5", "output", 480, 360, 240, "all keys, scaled, with mask and alibi" },
    { "softmax", "{\"local_attention\": true, \"window_size\": 2}", "attn_scores f32 1,1,3,5", "output", 30, 60, 60,
      "a window of 2: two keys a row" },
    { "apply_rotary_pos_emb", "{\"rotary_dim\": 4}", "mixed_query f32 1,2,3,8; key_layer f32 1,2,3,8",
      "mixed_query key_layer", 144, 384, 384, "4 of 8 channels rotated, in two tensors" },
    { "pad_transform", "{\"heads\": 2, \"do_flash_attn\": true}", "query f16 1,3,8; key f16 1,5,8; value f16 1,5,8",
      "query key value", 0, 208, 33152, "only moved: 2*[2, 3 + 2*128, 32]" },
    { "layer_norm", "{}", "input f32 2,3,10; gamma f32 10; beta f32 10", "output", 420, 320, 240,
      "7 an element with beta" },
    { "layer_norm_residual", "{}", "input f32 6,10; residual f32 6,10; bias f32 10; gamma f32 10; beta f32 10",
      "output", 540, 600, 240, "two additions more" },
    { "layer_norm_residual_store_pre_ln_res", "{}", "input f32 6,10; residual f32 6,10; gamma f32 10",
      "norm_output res_output", 420, 520, 480, "one addition, no beta, two outputs" },
    { "rms_norm", "{}", "input f16 6,10; gamma f16 10", "output", 240, 140, 120, "4 an element" },
    { "pre_rms_norm", "{}", "input f32 6,10; residual f32 6,10; gamma f32 10", "output residual", 300, 520, 480,
      "an addition and the norm" },
    { "bias_add", "{}", "input f32 4,5; bias f32 5", "output", 20, 100, 80, "one addition an element" },
    { "bias_gelu", "{}", "input f32 4,5; bias f32 5", "output", 40, 100, 80, "an addition and a gelu" },
    { "bias_relu", "{}", "input f32 4,5", "output", 20, 80, 80, "no bias: the relu alone" },
    { "bias_residual", "{}", "output f32 4,5; residual f32 4,5; bias f32 5", "output", 40, 180, 80, "two additions" },
    { "bias_residual", "{}", "output f32 4,5; residual f32 4,5; bias f32 1", "output", 20, 160, 80,
      "a bias of one element is none" },
    { "vector_add", "{}", "a f32 4,5; b f32 4,5", "output", 20, 160, 80, "gamma 1 is no multiplication" },
    { "vector_add", "{\"gamma\": 0.5}", "a bf16 4,5; b bf16 4,5", "output", 40, 80, 40,
      "a multiplication and an addition" },
    { "gated_activation", "{\"mlp_act_func_type\": \"GATED_GELU\"}", "activation f32 3,8; bias f32 8", "output", 48,
      128, 48, "two biases, a function and a product for each of 4 outputs" },
    { "nhwc_bias_add", "{}", "input f32 1,2,2,3; bias f32 3; other f32 1,2,2,3; other_bias f32 3", "output", 36, 120,
      48, "three additions" },
    { "einsum_sec_sm_ecm", "{}", "Q f32 6,2,4; W f32 6,3", "output", 288, 264, 96, "a product of [8, 6] and [6, 3]" },
    { "moe_res_matmul", "{}", "residual f32 2,3,4; output f32 2,3,4; coef f32 2,3,2", "output", 72, 240, 96,
      "two products and a sum" },
    /* 8 tokens of 4 experts: 32 scores, 7 + k each; capacity ceil(8 / 4 * k) */
    { "top1gating", "{}", "logits f32 8,4", "l_aux combine_weights dispatch_mask exp_counts", 256, 128,
      4 + 8 * 4 * 2 * 5 + 32, "one choice; capacity 2" },
    { "top2gating", "{}", "logits f32 8,4", "combine_weights", 288, 128, 8 * 4 * 4 * 4, "two choices; capacity 4" },
    { "topkgating", "{\"k\": 3, \"capacity_factor\": 2}", "logits f32 8,4", "indices locations gates", 320, 128,
      3 * 8 * 4 * 3, "three choices, sparse" },
    { "quantize", "{\"group_size\": 2}", "weight f32 6,5", "q scale", 90, 120, 42, "largest, division and rounding" },
    { "dequantize", "{}", "weight i8 6,5; weight.scale f32 3", "output", 30, 42, 60, "a multiplication an element" },
    /* 4 * 6*8; 6*4 bytes, twice 4 * 6*2 */
    { "quantize_asymmetric", "{\"num_bits\": 4, \"group_size\": 4}", "weight f32 6,8", "q scale min", 240, 192, 120,
      "least, largest, difference, product and rounding" },
    { "dequantize_asymmetric", "{\"group_size\": 4}", "weight u8 6,8; weight.scale f32 6,2; weight.min f32 6,2",
      "output", 96, 144, 96, "a division and a sum; f16 by default" },
};

static void check_row(const cost_row *row)
{
    rig_set set;
    tern_op *op;
    tern_cost cost;
    tern_named_tensor out[4] = { { 0 } };
    size_t n_out = 0;
    char names[120], *save = NULL;
    rig_parse(row->in, &set);
    tern_config config = tern_config_default();
    for (size_t i = 0; i < set.n; i++)    /* T is the type of the first input */
        if (i == 0 && set.t[i].tensor.dtype <= TERN_BF16) config.dtype = rig_types[set.t[i].tensor.dtype].config;
    RIG_OK(tern_op_create_json(rig, row->op, &config, row->options, &op));
    snprintf(names, sizeof names, "%s", row->out);
    for (char *name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save)) out[n_out++].name = name;
    RIG_OK(tern_op_cost(op, set.t, set.n, out, n_out, NULL, &cost));
    if (cost.flops != row->flops || cost.read_bytes != row->read_bytes || cost.written_bytes != row->written_bytes)
        fail_msg("%s, %s: %g operations, %g bytes read, %g written; not %g, %g, %g", row->op, row->why, cost.flops,
                 cost.read_bytes, cost.written_bytes, row->flops, row->read_bytes, row->written_bytes);
    tern_op_free(op);
    rig_free(&set);
}

static void test_by_hand(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
}

static void test_every_op_has_a_row(void **state)
{
    (void)state;
    for (size_t i = 0; tern_op_name(i); i++) {
        bool found = !strcmp(tern_op_name(i), "softmax_context");    /* below: it has a cache */
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) found = found || !strcmp(rows[r].op, tern_op_name(i));
        if (!found) fail_msg("%s has no row", tern_op_name(i));
    }
}

/* 4 query heads and 2 KV heads of 8 channels, a cache of f16. A prompt of 3 tokens, then 2 more
 * that see what came before. */
static const struct {
    int64_t n_tok;
    const char *options;
    double flops, read_bytes, written_bytes;
    const char *why;
} calls[] = {
    /* 3 rows: 1 + 2 + 3 keys, 4 heads, 2*16 + 6 a pair; rows of 64 floats, 3 tokens of 2*16 halves
     * read and written; 3*32 floats written */
    { 3, "{}", 6 * 4 * 38, 3 * 256 + 3 * 64, 3 * 128 + 3 * 64, "a prompt" },
    { 2, "{}", 9 * 4 * 38, 2 * 256 + 5 * 64, 2 * 128 + 2 * 64, "two tokens more: 4 + 5 keys" },
    { 1, "{\"local_attention\": true, \"window_size\": 2}", 2 * 4 * 38, 256 + 6 * 64, 128 + 64,
      "a window of 2; all 6 tokens may be read" },
    { 1, "{\"rotary_dim\": 4}", 7 * 4 * 38 + 6 * 12, 256 + 7 * 64, 128 + 64,
      "4 channels of 6 heads rotated, 3 operations each" },
};

static void test_context(void **state)
{
    tern_workspace *ws;
    (void)state;
    RIG_OK(tern_workspace_create(rig, &(tern_workspace_options){ .n_layer = 1, .max_batch = 1, .n_kv_head =
        2, .key_dim = 8, .max_tokens = 8, .dtype = TERN_F16 }, &ws));
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        tern_named_tensor in = { "query_key_value", rig_random(TERN_F32, RIG_SHAPE(1, calls[i].n_tok, 64), i) },
            out = { .name = "context" };
        tern_config config = tern_config_default();
        tern_op *op;
        tern_cost cost;
        config.dtype = TERN_DTYPE_FP32;
        config.heads = 4;
        config.num_kv = 2;
        RIG_OK(tern_op_create_json(rig, "softmax_context", &config, calls[i].options, &op));
        RIG_OK(tern_op_bind_workspace(op, ws));
        RIG_OK(tern_op_cost(op, &in, 1, &out, 1, NULL, &cost));
        if (cost.flops != calls[i].flops || cost.read_bytes != calls[i].read_bytes ||
            cost.written_bytes != calls[i].written_bytes)
            fail_msg("%s: %g operations, %g bytes read, %g written; not %g, %g, %g", calls[i].why, cost.flops,
                     cost.read_bytes, cost.written_bytes, calls[i].flops, calls[i].read_bytes, calls[i].written_bytes);
        RIG_OK(tern_op_run(op, &in, 1, &out, 1, NULL));    /* the next call sees these tokens */
        tern_outputs_free(&out, 1);
        tern_op_free(op);
        free(in.tensor.data);
    }
    tern_workspace_free(ws);
}

static void test_refusals(void **state)
{
    rig_set set;
    tern_op *op;
    tern_cost cost;
    tern_named_tensor none = { .name = "nope" };
    (void)state;
    rig_parse("input f32 2,3; weight f32 4,5", &set);
    tern_config config = rig_config(0);
    RIG_OK(tern_op_create(rig, "linear", &config, &op));
    /* as the run would refuse */
    assert_int_equal(tern_op_cost(op, set.t, set.n, NULL, 0, NULL, &cost), TERN_ERR_SHAPE);
    assert_true(rig_has_parts(tern_ctx_error(rig), "weight|4|3"));
    set.t[1].tensor.shape[0] = 3;
    assert_int_equal(tern_op_cost(op, set.t, set.n, &none, 1, NULL, &cost), TERN_ERR_ARGUMENT);
    assert_true(rig_has_parts(tern_ctx_error(rig), "nope"));
    assert_int_equal(tern_op_cost(op, set.t, set.n, NULL, 0, NULL, NULL), TERN_ERR_ARGUMENT);
    assert_int_equal(tern_op_cost(NULL, set.t, set.n, NULL, 0, NULL, &cost), TERN_ERR_ARGUMENT);
    tern_op_free(op);
    rig_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_by_hand), cmocka_unit_test(test_every_op_has_a_row),
                                        cmocka_unit_test(test_context), cmocka_unit_test(test_refusals) };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
