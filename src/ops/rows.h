/* The rows of the ops: shapes of real use, each proved by tests/ops/test_rows.c and timed by tern
 * bench --ops: what is timed is what was proved. Every op has one at least. softmax_context's
 * sequences begin empty, in a cache of the type of its input. */
#ifndef TERN_OPS_ROWS_H
#define TERN_OPS_ROWS_H

#include <tern/ops.h>

enum { OP_ROW_TENSORS = 8, OP_ROW_OUTPUTS = 4 };

/* Type, and shape up to the first 0. name null: no more. */
typedef struct op_row_tensor {
    const char *name;
    tern_dtype type;
    int64_t shape[TERN_MAX_RANK];
} op_row_tensor;

typedef struct op_row {
    const char *op, *options;
    /* the first one's type is the config's, or of int8 weights f16 */
    op_row_tensor in[OP_ROW_TENSORS];
    const char *out[OP_ROW_OUTPUTS];
    const char *why;
    int32_t heads, kv_heads;                  /* softmax_context's */
} op_row;

#define ROW_OUT_IN "{\"transposed_mode\": true}"
#define ROW_INT8 "{\"dtype\": \"int8\"}"
#define ROW_GATED                                                                     \
    "{\"transposed_mode\": true, \"norm_type\": \"RMSNorm\", \"mlp_act_func_type\": " \
        "\"GATED_SILU\"}"

static const op_row op_rows[] = {
    { "linear", ROW_OUT_IN,
      { { "input", TERN_BF16, { 64, 1024 } }, { "weight", TERN_BF16, { 2048, 1024 } },
        { "bias", TERN_BF16, { 2048 } } }, { "output" }, .why = "64 rows, weights as stored" },
    { "linear", ROW_OUT_IN,
      { { "input", TERN_BF16, { 1, 2048 } }, { "weight", TERN_BF16, { 5632, 2048 } },
        { "bias", TERN_BF16, { 5632 } } }, { "output" }, .why = "one row, weights as stored" },
    { "linear", "{}", { { "input", TERN_F32, { 64, 1024 } }, { "weight", TERN_F32, { 1024, 2048 } },
                        { "bias", TERN_F32, { 2048 } } }, { "output" },
      .why = "64 rows, weights [in, out]" },
    { "vector_matmul", ROW_OUT_IN,
      { { "input", TERN_F16, { 64, 1024 } }, { "weight", TERN_F16, { 1024, 1024 } } }, { "output" },
      .why = "64 rows of f16" },
    { "vector_matmul", ROW_INT8,
      { { "input", TERN_F16, { 1, 2048 } }, { "weight", TERN_I8, { 2048, 2048 } },
        { "weight.scale", TERN_F32, { 2048 } } }, { "output" }, .why = "one row, int8 weights" },
    { "qkv_gemm", ROW_OUT_IN,
      { { "input", TERN_BF16, { 1, 64, 1024 } }, { "weight", TERN_BF16, { 3072, 1024 } },
        { "bias", TERN_BF16, { 3072 } }, { "gamma", TERN_BF16, { 1024 } },
                                { "beta", TERN_BF16, { 1024 } } }, { "output", "inp_norm" },
                                .why = "64 tokens: LayerNorm and three products" },
    { "qkv_gemm", ROW_OUT_IN,
      { { "input", TERN_BF16, { 1, 1, 2048 } }, { "weight", TERN_BF16, { 2560, 2048 } },
        { "bias", TERN_BF16, { 2560 } }, { "gamma", TERN_BF16, { 2048 } },
                                { "beta", TERN_BF16, { 2048 } } }, { "output", "inp_norm" },
                                .why = "one token" },
    { "mlp_gemm", ROW_GATED,
      { { "input", TERN_BF16, { 1, 32, 1024 } }, { "residual", TERN_BF16, { 1, 32, 1024 } },
        { "weight_interm", TERN_BF16, { 4096, 1024 } },
                               { "weight_out", TERN_BF16, { 1024, 2048 } },
                               { "gamma", TERN_BF16, { 1024 } } }, { "output", "residual_add" },
                               .why = "32 tokens: RMSNorm and a gated MLP" },
    { "mlp_gemm", ROW_GATED,
      { { "input", TERN_BF16, { 1, 1, 1024 } }, { "residual", TERN_BF16, { 1, 1, 1024 } },
        { "weight_interm", TERN_BF16, { 4096, 1024 } },
                               { "weight_out", TERN_BF16, { 1024, 2048 } },
                               { "gamma", TERN_BF16, { 1024 } } }, { "output", "residual_add" },
                               .why = "one token" },
    { "gelu_gemm", ROW_OUT_IN,
      { { "input", TERN_F32, { 32, 768 } }, { "weight", TERN_F32, { 3072, 768 } },
        { "bias", TERN_F32, { 3072 } }, { "weight_out", TERN_F32, { 768, 3072 } } }, { "output" },
      .why = "32 tokens of f32" },
    { "residual_add", "{}", { { "hidden_state", TERN_BF16, { 1, 512, 2048 } },
                              { "residual", TERN_BF16, { 1, 512, 2048 } },
                              { "attention_output", TERN_BF16, { 1, 512, 2048 } },
                              { "attention_bias", TERN_BF16, { 2048 } },
                              { "final_bias", TERN_BF16, { 2048 } } }, { "output" },
                              .why = "512 tokens" },
    { "softmax", "{}", { { "attn_scores", TERN_F32, { 1, 16, 128, 512 } } }, { "output" },
      .why = "16 heads, 128 rows of 512 keys, causal" },
    { "softmax_context", "{}", { { "query_key_value", TERN_BF16, { 1, 256, 1536 } } },
      { "context" }, .why = "a prompt of 256, 16 heads of 64 in groups of 4", .heads = 16,
      .kv_heads = 4 },
    { "softmax_context", "{}", { { "query_key_value", TERN_F32, { 2, 64, 3072 } } }, { "context" },
      .why = "two prompts of 64 of f32, 16 heads of 64", .heads = 16, .kv_heads = 16 },
    { "apply_rotary_pos_emb", "{\"rotary_dim\": 64}",
      { { "mixed_query", TERN_BF16, { 1, 128, 16, 64 } },
        { "key_layer", TERN_BF16, { 1, 128, 16, 64 } } }, { "mixed_query", "key_layer" },
      .why = "128 tokens, 16 heads of 64" },
    { "pad_transform", "{\"heads\": 16, \"do_flash_attn\": true}",
      { { "query", TERN_F16, { 1, 128, 1280 } }, { "key", TERN_F16, { 1, 128, 1280 } },
        { "value", TERN_F16, { 1, 128, 1280 } } },
      { "query", "key", "value" }, .why = "heads of 80 padded to 128" },
    { "layer_norm", "{}", { { "input", TERN_BF16, { 512, 2048 } }, { "gamma", TERN_BF16, { 2048 } },
                            { "beta", TERN_BF16, { 2048 } } }, { "output" }, .why = "512 tokens" },
    { "layer_norm_residual", "{}",
      { { "input", TERN_BF16, { 512, 2048 } }, { "residual", TERN_BF16, { 512, 2048 } },
        { "bias", TERN_BF16, { 2048 } }, { "gamma", TERN_BF16, { 2048 } },
                                     { "beta", TERN_BF16, { 2048 } } }, { "output" },
                                     .why = "512 tokens" },
    { "layer_norm_residual_store_pre_ln_res", "{}",
      { { "input", TERN_BF16, { 512, 2048 } }, { "residual", TERN_BF16, { 512, 2048 } },
        { "bias", TERN_BF16, { 2048 } },
                                                      { "gamma", TERN_BF16, { 2048 } },
                                                      { "beta", TERN_BF16, { 2048 } } },
                                                      { "norm_output", "res_output" },
                                                      .why = "512 tokens" },
    { "rms_norm", "{}", { { "input", TERN_BF16, { 512, 2048 } }, { "gamma", TERN_BF16, { 2048 } } },
      { "output" }, .why = "512 tokens" },
    { "rms_norm", "{}", { { "input", TERN_F32, { 1, 2048 } }, { "gamma", TERN_F32, { 2048 } } },
      { "output" }, .why = "one token of f32: what a call costs by itself" },
    { "pre_rms_norm", "{}",
      { { "input", TERN_BF16, { 512, 2048 } }, { "residual", TERN_BF16, { 512, 2048 } },
        { "gamma", TERN_BF16, { 2048 } } }, { "output", "residual" }, .why = "512 tokens" },
    { "bias_add", "{}", { { "input", TERN_BF16, { 512, 2048 } }, { "bias", TERN_BF16, { 2048 } } },
      { "output" }, .why = "512 tokens" },
    { "bias_gelu", "{}", { { "input", TERN_BF16, { 512, 3072 } }, { "bias", TERN_BF16, { 3072 } } },
      { "output" }, .why = "512 tokens" },
    { "bias_relu", "{}", { { "input", TERN_BF16, { 512, 3072 } }, { "bias", TERN_BF16, { 3072 } } },
      { "output" }, .why = "512 tokens" },
    { "bias_residual", "{}",
      { { "output", TERN_BF16, { 512, 2048 } }, { "residual", TERN_BF16, { 512, 2048 } },
        { "bias", TERN_BF16, { 2048 } } }, { "output" }, .why = "512 tokens" },
    { "vector_add", "{\"gamma\": 0.5}",
      { { "a", TERN_BF16, { 512, 2048 } }, { "b", TERN_BF16, { 512, 2048 } } }, { "output" },
      .why = "512 tokens" },
    { "gated_activation", "{\"mlp_act_func_type\": \"GATED_SILU\"}",
      { { "activation", TERN_BF16, { 512, 5632 } }, { "bias", TERN_BF16, { 5632 } } }, { "output" },
      .why = "512 tokens" },
    { "nhwc_bias_add", "{}",
      { { "input", TERN_F16, { 1, 32, 32, 320 } }, { "bias", TERN_F16, { 320 } },
        { "other", TERN_F16, { 1, 32, 32, 320 } }, { "other_bias", TERN_F16, { 320 } } },
      { "output" },
      .why = "an image of 32 by 32" },
    { "einsum_sec_sm_ecm", "{}",
      { { "Q", TERN_F32, { 128, 8, 32 } }, { "W", TERN_F32, { 128, 512 } } }, { "output" },
      .why = "128 tokens to 8 experts" },
    { "moe_res_matmul", "{}",
      { { "residual", TERN_BF16, { 1, 512, 1024 } }, { "output", TERN_BF16, { 1, 512, 1024 } },
        { "coef", TERN_BF16, { 1, 512, 2 } } }, { "output" }, .why = "512 tokens" },
    { "top1gating", "{}", { { "logits", TERN_F32, { 512, 8 } } },
      { "l_aux", "combine_weights", "dispatch_mask", "exp_counts" },
      .why = "512 tokens to 8 experts" },
    { "top2gating", "{}", { { "logits", TERN_F32, { 512, 8 } } }, { "combine_weights" },
      .why = "512 tokens to 8 experts" },
    { "topkgating", "{\"k\": 4, \"capacity_factor\": 2}", { { "logits", TERN_F32, { 512, 64 } } },
      { "indices", "locations", "gates" }, .why = "512 tokens, 4 of 64 experts each" },
    { "quantize", "{\"group_size\": 1}", { { "weight", TERN_F32, { 1024, 1024 } } },
      { "q", "scale" }, .why = "a million weights, a scale a row" },
    { "dequantize", "{}",
      { { "weight", TERN_I8, { 1024, 1024 } }, { "weight.scale", TERN_F32, { 1024 } } },
      { "output" }, .why = "a million weights" },
    { "quantize_asymmetric", "{\"num_bits\": 4, \"group_size\": 64}",
      { { "weight", TERN_F32, { 1024, 1024 } } }, { "q", "scale", "min" },
      .why = "a million weights of 4 bits" },
    { "dequantize_asymmetric", "{\"num_bits\": 4, \"group_size\": 64}",
      { { "weight", TERN_U8, { 1024, 512 } }, { "weight.scale", TERN_F32, { 1024, 16 } },
        { "weight.min", TERN_F32, { 1024, 16 } } },
      { "output" }, .why = "a million weights of 4 bits" },
};

/* The tensor of a row, without memory. */
static inline tern_tensor op_row_tensor_of(const op_row_tensor *t)
{
    int rank = 0;
    while (rank < TERN_MAX_RANK && t->shape[rank]) rank++;
    return tern_tensor_of(NULL, t->type, rank, t->shape);
}

/* Creates the row's op, and for softmax_context the cache that it is bound to, in *ws (null: it has
 * none). The caller frees both. */
static inline tern_status op_row_create(tern_ctx *ctx, const op_row *row, tern_op **op,
                                        tern_workspace **ws)
{
    static const tern_config_dtype types[] = { [TERN_F32] = TERN_DTYPE_FP32, [TERN_F16] =
        TERN_DTYPE_FP16, [TERN_BF16] = TERN_DTYPE_BF16 };
    tern_config config = tern_config_default();
    const int64_t *shape = row->in[0].shape;
    *ws = NULL;
    if (row->in[0].type <= TERN_BF16) config.dtype = types[row->in[0].type];
    if (row->heads) config.heads = row->heads;
    if (row->heads) config.num_kv = row->kv_heads;
    tern_status st = tern_op_create_json(ctx, row->op, &config, row->options, op);
    if (st || !row->heads) return st;
    tern_workspace_options o = { .n_layer = 1, .max_batch = (int32_t)shape[0], .n_kv_head =
        row->kv_heads, .key_dim = (int32_t)(shape[2] / (row->heads + 2 * row->kv_heads)),
                                 .max_tokens = shape[1], .dtype = row->in[0].type };
    st = tern_workspace_create(ctx, &o, ws);
    return st ? st : tern_op_bind_workspace(*op, *ws);
}

#endif
