/* What every op refuses: a status, and a sentence that names the op, the argument and the numbers.
 * Each row is one call by names. */
#include "rig.h"

typedef struct refusal {
    const char *op, *options, *in;
    tern_status status;
    const char *message;    /* parted by '|', each must be in the sentence */
    const char *why;
} refusal;

#define ARG TERN_ERR_ARGUMENT
#define SHAPE TERN_ERR_SHAPE
#define DTYPE TERN_ERR_DTYPE
#define UNSUPPORTED TERN_ERR_UNSUPPORTED
#define F32 "{\"dtype\": \"fp32\"}"
#define INT8 "{\"dtype\": \"int8\"}"

static const refusal refusals[] = {
    /* linear */
    { "linear", F32, "weight f32 8,5", ARG, "linear|input|missing", "a required tensor" },
    { "linear", F32, "input f32 2,8", ARG, "linear|weight|missing", "a required tensor" },
    { "linear", F32, "input f16 2,8; weight f32 8,5", DTYPE, "linear|input|f16|f32",
      "activations have the config's type" },
    { "linear", F32, "input f32 2,8; weight i32 8,5", DTYPE, "linear|weight|i32", "no integer weights but int8" },
    { "linear", F32, "input f32 2,8; weight f32 7,5", SHAPE, "linear|weight|7|input|8", "inner dimensions" },
    { "linear", "{\"dtype\": \"fp32\", \"transposed_mode\": true}", "input f32 2,8; weight f32 8,5", SHAPE,
      "linear|weight|5|input|8", "inner dimensions, [out, in]" },
    { "linear", F32, "input f32 2,8; weight f32 8,5; bias f32 6", SHAPE, "linear|bias|6|weight|5",
      "a bias of another length" },
    { "linear", F32, "input f32 2,8; weight f32 8,5; bias f16 5", DTYPE, "linear|bias|f16|f32",
      "a bias of another type" },
    { "linear", F32, "~input f32 2,8; weight f32 8,5", ARG, "linear|input|contiguous|stride 2",
      "elements of a row apart" },
    { "linear", F32, "input f32 2,8; ~weight f32 8,5", ARG, "linear|weight|contiguous|stride 2",
      "elements of a weight's row apart" },
    { "linear", F32, "input f32 2,0; weight f32 0,5", SHAPE, "linear|input|0", "no channels" },
    { "linear", F32, "input f32 2,8; weight f32 8,5; weight_k f32 8,5", ARG, "linear|weight_k|weight_v|missing",
      "k without v" },
    { "linear", INT8, "input f16 2,8; weight i8 6,8", ARG, "linear|weight|weight.scale|missing",
      "int8 without scales" },
    { "linear", INT8, "input f16 2,8; weight i8 6,8; weight.scale f32 4", SHAPE, "linear|weight.scale|4|6|weight",
      "groups that do not divide the rows" },
    { "linear", INT8, "input f16 2,8; weight i8 6,8; weight.scale f32 2,3", SHAPE, "linear|weight.scale|2|1",
      "scales are one list" },
    { "linear", INT8, "input f16 2,8; weight i8 6,8; weight.scale f16 2", DTYPE, "linear|weight.scale|f16|f32",
      "scales are f32" },
    { "linear", "{\"dtype\": \"fp32\", \"do_flash_attn\": true, \"num_heads\": 2}", "input f32 2,8; weight f32 8,24",
      SHAPE, "linear|input|2|3", "heads need [B, S, K]" },
    { "linear", "{\"dtype\": \"fp32\", \"do_flash_attn\": true, \"num_heads\": 5}", "input f32 1,2,8; weight f32 8,24",
      SHAPE, "linear|24|num_heads|5", "outputs that do not split" },
    { "linear", "{\"dtype\": \"fp32\", \"do_flash_attn\": true}", "input f32 1,2,8; weight f32 8,393", UNSUPPORTED,
      "linear|131|128", "heads beyond 128 channels" },
    { "linear", "{\"dtype\": \"fp32\", \"num_heads\": 0}", "input f32 2,8; weight f32 8,5", ARG, "linear|num_heads|0|1",
      "an option's range" },
    { "linear", F32, "input f32 2,8; wieght f32 8,5", ARG, "linear|wieght|weight",
      "an unknown input, and the nearest" },
    { "linear", "{\"dtype\": \"fp32\", \"ad_bias\": true}", "input f32 2,8; weight f32 8,5", ARG,
      "linear|ad_bias|add_bias", "an unknown option, and the nearest" },
    { "linear", "{\"dtype\": \"fp32\", \"heads\": 2}", "input f32 2,8; weight f32 8,5", ARG, "linear|heads",
      "a config field that this op does not read" },
    { "linear", "{\"dtype\": \"fp32\", \"add_bias\": 1}", "input f32 2,8; weight f32 8,5", TERN_ERR_FORMAT,
      "linear|add_bias|integer|true or false", "an option's kind" },
    { "linear", "{\"dtype\": \"fp8\"}", "input f32 2,8; weight f32 8,5", ARG, "linear|dtype|fp8", "an unknown type" },
    /* vector_matmul */
    { "vector_matmul", F32, "weight f32 8,5", ARG, "vector_matmul|input|missing", "a required tensor" },
    { "vector_matmul", F32, "input f32 2,8", ARG, "vector_matmul|weight|missing", "a required tensor" },
    { "vector_matmul", F32, "input f32 2,8; weight f32 9,5", SHAPE, "vector_matmul|weight|9|8", "inner dimensions" },
    { "vector_matmul", F32, "input f32 2,8; weight f32 8", SHAPE, "vector_matmul|weight|1|2", "a weight of one axis" },
    { "vector_matmul", INT8, "input f16 2,8; weight i8 6,8", ARG, "vector_matmul|weight.scale|missing",
      "int8 without scales" },
    /* qkv_gemm */
    { "qkv_gemm", F32, "weight f32 8,5; gamma f32 8", ARG, "qkv_gemm|input|missing", "a required tensor" },
    { "qkv_gemm", F32, "input f32 2,8; weight f32 8,5", ARG, "qkv_gemm|gamma|missing", "a norm without its scale" },
    { "qkv_gemm", F32, "input f32 2,8; weight f32 8,5; gamma f32 7", SHAPE, "qkv_gemm|gamma|7|8", "gamma's length" },
    { "qkv_gemm", F32, "input f32 2,8; weight f32 8,5; gamma f32 8; beta f32 9", SHAPE, "qkv_gemm|beta|9|8",
      "beta's length" },
    { "qkv_gemm", F32, "input f32 2,8; weight f32 8,5; gamma f32 8; bias f32 4", SHAPE, "qkv_gemm|bias|4|5",
      "a bias's length" },
    { "qkv_gemm", F32, "input f32 2,8; weight f32 6,5; gamma f32 8", SHAPE, "qkv_gemm|weight|6|8", "inner dimensions" },
    { "qkv_gemm", "{\"dtype\": \"fp32\", \"norm_type\": \"GroupNorm\"}", "input f32 2,8; weight f32 8,5; gamma f32 8",
      UNSUPPORTED, "qkv_gemm|norm_type|GroupNorm", "an unknown norm" },
    { "qkv_gemm", "{\"dtype\": \"fp32\", \"norm_type\": 7}", "input f32 2,8; weight f32 8,5; gamma f32 8", ARG,
      "qkv_gemm|norm_type|7", "a number outside the enumeration" },
    { "qkv_gemm", "{\"dtype\": \"fp32\", \"layer_norm_eps\": -1e-5}", "input f32 2,8; weight f32 8,5; gamma f32 8", ARG,
      "qkv_gemm|layer_norm_eps|-1e-05|0", "a negative epsilon" },
    { "qkv_gemm", INT8, "input f16 2,8; weight i8 6,8; gamma f16 8", ARG, "qkv_gemm|weight.scale|missing",
      "int8 without scales" },
    /* gelu_gemm */
    { "gelu_gemm", F32, "weight f32 8,6; weight_out f32 6,8", ARG, "gelu_gemm|input|missing", "a required tensor" },
    { "gelu_gemm", F32, "input f32 2,8; weight f32 8,6", ARG, "gelu_gemm|weight_out|missing", "a required tensor" },
    { "gelu_gemm", F32, "input f32 2,8; weight f32 8,6; weight_out f32 5,8", SHAPE, "gelu_gemm|6|weight_out|5",
      "between the products" },
    { "gelu_gemm", F32, "input f32 2,8; weight f32 8,6; weight_out f32 6,8; bias f32 8", SHAPE, "gelu_gemm|bias|8|6",
      "a bias's length" },
    { "gelu_gemm", F32, "input f32 2,8; weight f32 8,6; weight_gate f32 8,6; weight_out f32 6,8", ARG,
      "gelu_gemm|weight_gate|GELU", "a gate for an activation without one" },
    { "gelu_gemm", "{\"dtype\": \"fp32\", \"mlp_act_func_type\": \"GATED_SILU\"}",
      "input f32 2,8; weight f32 8,7; weight_out f32 3,8", SHAPE, "gelu_gemm|7|GATED_SILU", "halves of an odd number" },
    { "gelu_gemm", "{\"dtype\": \"fp32\", \"mlp_act_func_type\": \"UNKNOWN\"}",
      "input f32 2,8; weight f32 8,6; weight_out f32 6,8", UNSUPPORTED, "gelu_gemm|UNKNOWN", "no activation" },
    { "gelu_gemm", "{\"dtype\": \"fp32\", \"mlp_act_func_type\": \"gelu\"}", "input f32 2,8; weight f32 8,6; "
      "weight_out f32 6,8", ARG, "gelu_gemm|mlp_act_func_type|gelu|GELU", "names are exact" },
    /* mlp_gemm */
    { "mlp_gemm", F32, "input f32 2,8; weight_interm f32 8,6; weight_out f32 6,8; gamma f32 8", ARG,
      "mlp_gemm|residual|missing", "a required tensor" },
    { "mlp_gemm", F32, "input f32 2,8; residual f32 3,8; weight_interm f32 8,6; weight_out f32 6,8; gamma f32 8", SHAPE,
      "mlp_gemm|residual|3|input|2", "rows that differ" },
    { "mlp_gemm", F32, "input f32 2,8; residual f32 2,8; weight_interm f32 8,6; weight_out f32 6,7; gamma f32 8", SHAPE,
      "mlp_gemm|weight_out|7|8", "an output that is no residual" },
    { "mlp_gemm", F32, "input f32 2,8; residual f32 2,8; weight_interm f32 8,6; weight_out f32 6,8; gamma f32 8; "
      "input_bias f32 6", SHAPE, "mlp_gemm|input_bias|6|8", "a bias's length" },
    { "mlp_gemm", "{\"dtype\": \"fp32\", \"mlp_act_func_type\": \"GATED_SILU\"}",
      "input f32 2,8; residual f32 2,8; weight_interm f32 8,12; weight_out f32 6,8; gamma f32 8", UNSUPPORTED,
      "mlp_gemm|GATED_SILU|LayerNorm", "the fused gate goes with RMS" },
    { "mlp_gemm", "{\"dtype\": \"fp32\", \"norm_type\": \"RMSNorm\", \"mlp_after_attn\": false}",
      "input f32 2,8; residual f32 2,8; weight_interm f32 8,6; weight_out f32 6,8; gamma f32 8", UNSUPPORTED,
      "mlp_gemm|mlp_after_attn|RMSNorm", "the parallel form has a layer norm" },
    /* residual_add */
    { "residual_add", F32, "hidden_state f32 2,8", ARG, "residual_add|residual|missing", "a required tensor" },
    { "residual_add", F32, "hidden_state f32 2,8; residual f32 2,7", SHAPE, "residual_add|residual|7|8", "channels" },
    { "residual_add", F32, "hidden_state f32 2,8; residual f32 2,8; final_bias f32 5", SHAPE,
      "residual_add|final_bias|5|8", "a bias's length" },
    { "residual_add", "{\"dtype\": \"fp32\", \"mp_size\": 0}", "hidden_state f32 2,8; residual f32 2,8", ARG,
      "residual_add|mp_size|0|1", "no ranks" },
    /* softmax */
    { "softmax", F32, "attn_mask f32 2,5", ARG, "softmax|attn_scores|missing", "a required tensor" },
    { "softmax", F32, "attn_scores f32 2,3,5", SHAPE, "softmax|attn_scores|3|4", "scores have four axes" },
    { "softmax", F32, "attn_scores f32 2,3,4,5; attn_mask f32 2,4", SHAPE, "softmax|attn_mask|4|5",
      "a mask of fewer keys" },
    { "softmax", F32, "attn_scores f32 2,3,4,5; attn_mask f32 3,1,1,5", SHAPE, "softmax|attn_mask|3|2",
      "a mask of another batch" },
    { "softmax", F32, "attn_scores f32 2,3,4,5; attn_mask f32 2,4,5", SHAPE, "softmax|attn_mask|3|2 or 4",
      "three axes could mean two things" },
    { "softmax", F32, "attn_scores f32 2,3,4,5; alibi f32 3,1,5", SHAPE, "softmax|alibi|3|6", "alibi of one sequence" },
    { "softmax", F32, "attn_scores f32 2,3,4,5; alibi f32 6,1,4", SHAPE, "softmax|alibi|4|5", "alibi of fewer keys" },
    { "softmax", "{\"dtype\": \"fp32\", \"mp_size\": 2, \"head_offset\": 4}",
      "attn_scores f32 2,3,4,5; alibi f32 12,1,5", ARG, "softmax|head_offset|4|6", "heads beyond the last" },
    { "softmax", "{\"dtype\": \"fp32\", \"local_attention\": true, \"window_size\": 0}", "attn_scores f32 2,3,4,5", ARG,
      "softmax|window_size|0|1", "an empty window" },
    { "softmax", F32, "attn_scores f16 2,3,4,5", DTYPE, "softmax|attn_scores|f16|f32", "another type" },
    { "softmax", F32, "~attn_scores f32 2,3,4,5", ARG, "softmax|attn_scores|contiguous|2", "scores apart" },
    /* apply_rotary_pos_emb */
    { "apply_rotary_pos_emb", "{\"dtype\": \"fp32\", \"rotary_dim\": 4}", "mixed_query f32 1,2,3,8", ARG,
      "apply_rotary_pos_emb|key_layer|missing", "a required tensor" },
    { "apply_rotary_pos_emb", "{\"dtype\": \"fp32\", \"rotary_dim\": 5}", "mixed_query f32 1,2,3,8; key_layer f32 "
      "1,2,3,8", ARG, "apply_rotary_pos_emb|rotary_dim|5", "channels rotate in pairs" },
    { "apply_rotary_pos_emb", "{\"dtype\": \"fp32\", \"rotary_dim\": 10}", "mixed_query f32 1,2,3,8; key_layer f32 "
      "1,2,3,8", ARG, "apply_rotary_pos_emb|rotary_dim|10|8", "beyond the head" },
    { "apply_rotary_pos_emb", "{\"dtype\": \"fp32\", \"rotary_dim\": 4, \"rotate_half\": true}", "mixed_query f32 "
      "1,2,3,8; key_layer f32 1,2,3,8", ARG, "apply_rotary_pos_emb|rotate_half|rotate_every_two", "both pairings" },
    { "apply_rotary_pos_emb", "{\"dtype\": \"fp32\", \"rotary_dim\": 4, \"num_heads\": 3}",
      "mixed_query f32 1,2,3,8; key_layer f32 1,2,3,8", SHAPE, "apply_rotary_pos_emb|2|num_heads|3", "heads" },
    { "apply_rotary_pos_emb", "{\"dtype\": \"fp32\", \"rotary_dim\": 4, \"rope_theta\": 0}",
      "mixed_query f32 1,2,3,8; key_layer f32 1,2,3,8", ARG, "apply_rotary_pos_emb|rope_theta|0", "no base" },
    /* pad_transform */
    { "pad_transform", "{\"dtype\": \"fp32\", \"heads\": 2}", "query f32 1,3,8; key f32 1,4,8", ARG,
      "pad_transform|value|missing", "a required tensor" },
    { "pad_transform", "{\"dtype\": \"fp32\", \"heads\": 3}", "query f32 1,3,8; key f32 1,4,8; value f32 1,4,8", SHAPE,
      "pad_transform|8|3", "channels that do not split" },
    { "pad_transform", F32, "query f32 1,3,8; key f32 1,4,8; value f32 1,4,8", ARG, "pad_transform|heads|-1",
      "heads must be said" },
    { "pad_transform", "{\"dtype\": \"fp32\", \"heads\": 1, \"do_flash_attn\": true}", "query f32 1,3,8; key f32 "
      "1,129,8; value f32 1,129,8", UNSUPPORTED, "pad_transform|129|128", "too many keys to pad" },
    { "pad_transform", "{\"dtype\": \"fp32\", \"heads\": 1, \"do_flash_attn\": true}", "query f32 1,3,160; key f32 "
      "1,4,160; value f32 1,4,160", UNSUPPORTED, "pad_transform|160|128", "too wide to pad" },
    /* norms */
    { "layer_norm", F32, "input f32 2,8; gamma f32 7; beta f32 8", SHAPE, "layer_norm|gamma|7|8", "gamma's length" },
    { "layer_norm", F32, "input f32 2,8", ARG, "layer_norm|gamma|missing", "a required tensor" },
    { "layer_norm", F32, "input f32 2,0; gamma f32 0; beta f32 0", SHAPE, "layer_norm|input|0", "no channels" },
    { "layer_norm", "{\"dtype\": \"fp32\", \"layer_norm_eps\": -1}", "input f32 2,8; gamma f32 8", ARG,
      "layer_norm|layer_norm_eps|-1|0", "a negative epsilon" },
    { "layer_norm_residual", F32, "input f32 2,8; residual f32 2,9; bias f32 8; gamma f32 8; beta f32 8", SHAPE,
      "layer_norm_residual|residual|9|8", "channels" },
    { "layer_norm_residual", F32, "input f32 2,8; bias f32 8; gamma f32 8; beta f32 8", ARG,
      "layer_norm_residual|residual|missing", "a required tensor" },
    { "layer_norm_residual_store_pre_ln_res", F32, "input f32 2,8; residual f32 2,8; bias f32 3; gamma f32 8; beta f32 "
      "8", SHAPE, "layer_norm_residual_store_pre_ln_res|bias|3|8", "a bias's length" },
    { "layer_norm_residual_store_pre_ln_res", F32, "residual f32 2,8; gamma f32 8", ARG,
      "layer_norm_residual_store_pre_ln_res|input|missing", "a required tensor" },
    { "rms_norm", F32, "input f32 2,8; gamma f32 4", SHAPE, "rms_norm|gamma|4|8", "gamma's length" },
    { "rms_norm", F32, "input bf16 2,8; gamma f32 8", DTYPE, "rms_norm|input|bf16|f32", "another type" },
    { "rms_norm", F32, "gamma f32 8", ARG, "rms_norm|input|missing", "a required tensor" },
    { "rms_norm", F32, "input f32 ; gamma f32 8", SHAPE, "rms_norm|input|0|1", "a single number has no channels" },
    { "pre_rms_norm", F32, "input f32 2,8; residual f32 1,8; gamma f32 8", SHAPE, "pre_rms_norm|residual|1|2",
      "rows that differ" },
    { "pre_rms_norm", F32, "input f32 2,8; gamma f32 8", ARG, "pre_rms_norm|residual|missing", "a required tensor" },
    /* elementwise */
    { "bias_add", F32, "input f32 2,8; bias f32 7", SHAPE, "bias_add|bias|7|8", "a bias's length" },
    { "bias_add", F32, "bias f32 8", ARG, "bias_add|input|missing", "a required tensor" },
    { "bias_gelu", F32, "input f32 2,8; bias f32 1", SHAPE, "bias_gelu|bias|1|8", "a bias's length" },
    { "bias_gelu", INT8, "input f32 2,8", DTYPE, "bias_gelu|input|f32|f16", "int8 has f16 activations" },
    { "bias_relu", F32, "input f32 2,8; bias f32 9", SHAPE, "bias_relu|bias|9|8", "a bias's length" },
    { "bias_relu", F32, "input i64 2,8", DTYPE, "bias_relu|input|i64|f32", "integers" },
    { "bias_residual", F32, "output f32 2,8; residual f32 2,4", SHAPE, "bias_residual|residual|4|8", "channels" },
    { "bias_residual", F32, "output f32 2,8; residual f32 2,8; bias f32 2", SHAPE, "bias_residual|bias|2|8|1",
      "neither a bias nor none" },
    { "bias_residual", F32, "output f32 2,8", ARG, "bias_residual|residual|missing", "a required tensor" },
    { "vector_add", F32, "a f32 2,8; b f32 4,4", SHAPE, "vector_add|b|4|8", "shapes that differ" },
    { "vector_add", F32, "a f32 2,3,8; b f32 6,8", SHAPE, "vector_add|3|2", "as many elements in another shape" },
    { "vector_add", F32, "a f32 2,8", ARG, "vector_add|b|missing", "a required tensor" },
    { "gated_activation", "{\"dtype\": \"fp32\", \"mlp_act_func_type\": \"GATED_GELU\"}", "activation f32 2,7", SHAPE,
      "gated_activation|activation|7", "halves of an odd number" },
    { "gated_activation", F32, "activation f32 2,8", UNSUPPORTED, "gated_activation|mlp_act_func_type|GELU|GATED_SILU",
      "an activation without a gate" },
    { "gated_activation", "{\"dtype\": \"fp32\", \"mlp_act_func_type\": \"GATED_GELU\"}",
      "activation f32 2,8; bias f32 4", SHAPE, "gated_activation|bias|4|8", "a bias of one half" },
    { "nhwc_bias_add", F32, "input f32 1,2,2,8; bias f32 2", SHAPE, "nhwc_bias_add|bias|2|8", "channels are last" },
    { "nhwc_bias_add", F32, "input f32 1,2,2,8; bias f32 8; other_bias f32 8", ARG,
      "nhwc_bias_add|other_bias|other|missing", "a bias of nothing" },
    { "nhwc_bias_add", F32, "input f32 1,2,2,8", ARG, "nhwc_bias_add|bias|missing", "a required tensor" },
    /* mixture of experts */
    { "einsum_sec_sm_ecm", F32, "Q f32 4,2,3; W f32 5,6", SHAPE, "einsum_sec_sm_ecm|W|5|4", "tokens" },
    { "einsum_sec_sm_ecm", F32, "W f32 5,6", ARG, "einsum_sec_sm_ecm|Q|missing", "a required tensor" },
    { "moe_res_matmul", F32, "residual f32 2,3,8; output f32 2,3,8; coef f32 1,8,1", SHAPE, "moe_res_matmul|coef|8|16",
      "half of the coefficients" },
    { "moe_res_matmul", F32, "residual f32 2,3,8; output f32 2,3,8; coef f32 2,2,2", SHAPE, "moe_res_matmul|coef|8|6",
      "coefficients of fewer tokens" },
    { "moe_res_matmul", F32, "residual f32 2,3,8; output f32 2,3,8", ARG, "moe_res_matmul|coef|missing",
      "a required tensor" },
    { "top1gating", F32, "logits f32 3,4; used_token i64 2", SHAPE, "top1gating|used_token|2|3", "tokens" },
    { "top1gating", "{\"dtype\": \"fp32\", \"min_capacity\": 4}", "logits f32 3,4", ARG, "top1gating|3|min_capacity|4",
      "fewer tokens than DeepSpeed asserts" },
    { "top1gating", "{\"dtype\": \"fp32\", \"capacity_factor\": 0}", "logits f32 3,4", ARG,
      "top1gating|capacity_factor|0", "no capacity" },
    { "top1gating", "{\"dtype\": \"fp32\", \"capacity_factor\": 1e30}", "logits f32 3,4", TERN_ERR_LIMIT,
      "top1gating|capacity_factor|1e+30", "a capacity beyond counting" },
    { "top1gating", "{\"dtype\": \"fp32\", \"noisy_gate_policy\": \"Jitter\"}", "logits f32 3,4", ARG,
      "top1gating|noisy_gate_policy|Jitter|RSample", "that noise precedes the gate" },
    { "top2gating", F32, "logits f32 3,1", ARG, "top2gating|2|1", "two of one expert" },
    { "top2gating", F32, "used_token i64 3", ARG, "top2gating|used_token", "top1's own input" },
    { "topkgating", "{\"dtype\": \"fp32\", \"k\": 5}", "logits f32 3,4", ARG, "topkgating|k|5|4",
      "more than there are" },
    { "topkgating", F32, "logits f32 3,4", ARG, "topkgating|k|0", "k has no default" },
    { "topkgating", "{\"dtype\": \"fp32\", \"k\": 2, \"drop_policy\": \"first\"}", "logits f32 3,4", ARG,
      "topkgating|drop_policy|first|probs", "an unknown policy" },
    /* int8 */
    { "quantize", "{\"dtype\": \"fp32\", \"num_groups\": 5}", "weight f32 6,4", SHAPE, "quantize|num_groups|5|6",
      "groups that do not divide the rows" },
    { "quantize", "{\"dtype\": \"fp32\", \"group_size\": 4}", "weight f32 6,4", SHAPE, "quantize|group_size|4|6",
      "sizes that do not divide the rows" },
    { "quantize", F32, "weight f32 6", SHAPE, "quantize|weight|1|2", "one axis" },
    { "dequantize", F32, "weight i8 6,4; weight.scale f32 4", SHAPE, "dequantize|weight.scale|4|6",
      "groups that do not divide the rows" },
    { "dequantize", "{\"dtype\": \"fp32\", \"groups\": 2}", "weight i8 6,4; weight.scale f32 3", SHAPE,
      "dequantize|groups|2|3", "another count" },
    { "dequantize", F32, "weight f32 6,4; weight.scale f32 3", DTYPE, "dequantize|weight|f32|i8", "another type" },
    { "dequantize", F32, "weight i8 6,4", ARG, "dequantize|weight.scale|missing", "a required tensor" },
    { "quantize_asymmetric", F32, "weight f32 6,4", ARG, "group_size|0|1", "group_size has no default" },
    { "quantize_asymmetric", "{\"dtype\": \"fp32\", \"group_size\": 3}", "weight f32 6,4", SHAPE,
      "group_size|3|axis 1|4", "sizes that do not divide the columns" },
    { "quantize_asymmetric", "{\"dtype\": \"fp32\", \"group_size\": 4, \"group_dim\": 0}", "weight f32 6,4", SHAPE,
      "group_size|4|axis 0|6", "nor the rows" },
    { "quantize_asymmetric", "{\"dtype\": \"fp32\", \"group_size\": 2, \"group_dim\": 2}", "weight f32 6,4", ARG,
      "group_dim|2|1", "an axis that is not there" },
    { "quantize_asymmetric", "{\"dtype\": \"fp32\", \"group_size\": 2, \"num_bits\": 6}", "weight f32 6,4", ARG,
      "num_bits|6|4 or 8", "no FP6 and no 6 bits" },
    { "quantize_asymmetric", "{\"dtype\": \"fp32\", \"group_size\": 3, \"group_dim\": 0, \"num_bits\": 4}",
      "weight f32 6,5", SHAPE, "weight|5|2", "half a byte left" },
    { "dequantize_asymmetric", "{\"dtype\": \"fp32\", \"group_size\": 2}",
      "weight u8 6,4; weight.scale f32 6,3; weight.min f32 6,3", SHAPE, "weight.scale|3|2", "too many groups" },
    { "dequantize_asymmetric", "{\"dtype\": \"fp32\", \"group_size\": 2}",
      "weight i8 6,4; weight.scale f32 6,2; weight.min f32 6,2", DTYPE, "weight|i8|u8", "another type" },
};

static tern_status call(const refusal *r)
{
    rig_set in;
    tern_op *op = NULL;
    rig_parse(r->in, &in);
    tern_status st = tern_op_create_json(rig, r->op, NULL, r->options, &op);
    if (!st) {
        tern_named_tensor out[4] = { { 0 } };
        size_t n = 0;
        for (const char *name; n < 4 && (name = tern_op_output_name(op, n)); n++) out[n].name = name;
        st = tern_op_run(op, in.t, in.n, out, n, NULL);
        if (!st) tern_outputs_free(out, n);
        for (size_t i = 0; i < n; i++) assert_null(out[i].tensor.data);
    }
    tern_op_free(op);
    rig_free(&in);
    return st;
}

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const refusal *r = &refusals[i];
        tern_status st = call(r);
        const char *message = tern_ctx_error(rig);
        if (st != r->status)
            fail_msg("row %zu, %s (%s): %s \"%s\", not %s", i, r->op, r->why, tern_status_name(st), st ? message : "",
                     tern_status_name(r->status));
        if (!rig_has_parts(message, r->message))
            fail_msg("row %zu, %s (%s): \"%s\" has not all of \"%s\"", i, r->op, r->why, message, r->message);
    }
}

/* Every op has rows above: a required tensor that is missing, or a shape that does not fit. */
static void test_every_op_is_in_the_table(void **state)
{
    const char *name;
    (void)state;
    for (size_t i = 0; (name = tern_op_name(i)); i++) {
        bool found = !strcmp(name, "softmax_context");    /* its own test: test_context.c */
        for (size_t r = 0; r < sizeof refusals / sizeof *refusals; r++) found = found || !strcmp(refusals[r].op, name);
        if (!found) fail_msg("%s has no row", name);
        assert_non_null(tern_op_summary(i));
    }
    assert_null(tern_op_summary(1000));
    assert_null(tern_primitive_name(1000));
}

static void test_unknown_op_lists_the_known(void **state)
{
    tern_op *op;
    const char *name;
    (void)state;
    assert_int_equal(tern_op_create(rig, "rmsnorm", NULL, &op), TERN_ERR_UNSUPPORTED);
    assert_non_null(strstr(tern_ctx_error(rig), "the nearest is \"rms_norm\""));
    for (size_t i = 0; (name = tern_op_name(i)); i++) assert_non_null(strstr(tern_ctx_error(rig), name));
}

/* Outputs are checked like inputs, and a typed call refuses another op's handle. */
static void test_outputs_and_handles(void **state)
{
    tern_op *op;
    tern_config c = rig_config(0);
    tern_tensor x = rig_random(TERN_F32, RIG_SHAPE(2, 8), 1), gamma = rig_random(TERN_F32, RIG_SHAPE(8), 2),
        y = rig_new(TERN_F32, RIG_SHAPE(2, 7)), h = rig_new(TERN_F16, RIG_SHAPE(2, 8));
    (void)state;
    RIG_OK(tern_op_create(rig, "rms_norm", &c, &op));
    assert_int_equal(tern_rms_norm_run(op, &(tern_rms_norm_args){ .input = x, .gamma = gamma, .output = y }),
                     TERN_ERR_SHAPE);
    assert_true(rig_has_parts(tern_ctx_error(rig), "rms_norm|output|7|8"));
    assert_int_equal(tern_rms_norm_run(op, &(tern_rms_norm_args){ .input = x, .gamma = gamma, .output = h }),
                     TERN_ERR_DTYPE);
    assert_true(rig_has_parts(tern_ctx_error(rig), "rms_norm|output|f16|f32"));
    assert_int_equal(tern_rms_norm_run(op, &(tern_rms_norm_args){ .input = x, .gamma = gamma }), TERN_ERR_ARGUMENT);
    assert_true(rig_has_parts(tern_ctx_error(rig), "rms_norm|output|missing"));
    assert_int_equal(tern_layer_norm_run(op, &(tern_layer_norm_args){ .input = x, .gamma = gamma, .output = x }),
                     TERN_ERR_ARGUMENT);
    assert_true(rig_has_parts(tern_ctx_error(rig), "rms_norm|layer_norm"));
    x.device = TERN_CUDA;
    assert_int_equal(tern_rms_norm_run(op, &(tern_rms_norm_args){ .input = x, .gamma = gamma, .output = x }),
                     TERN_ERR_UNSUPPORTED);
    assert_true(rig_has_parts(tern_ctx_error(rig), "rms_norm|input|device 1"));
    assert_int_equal(tern_rms_norm_run(NULL, NULL), TERN_ERR_ARGUMENT);
    tern_op_free(op);
    free(x.data);
    free(gamma.data);
    free(y.data);
    free(h.data);
}

/* ---- Every input of every op, spoilt in every way ---- */

typedef struct good_call {
    const char *op, *options, *in;
    const char *optional;      /* inputs that may be missing */
    const char *free_last;     /* inputs whose last axis may be another size: the first to have it */
} good_call;

static const good_call good_calls[] = {
    { "linear", F32, "input f32 2,8; weight f32 8,5; bias f32 5", "bias", "" },
    { "linear", F32, "input f32 2,8; weight f32 8,5; weight_k f32 8,3; weight_v f32 8,2; bias f32 5; bias_k f32 3; "
      "bias_v f32 2", "bias bias_k bias_v", "" },
    { "linear", INT8, "input f16 2,8; weight i8 6,8; weight.scale f32 3; bias f16 6", "bias", "" },
    { "vector_matmul", F32, "input f32 2,8; weight f32 8,5", "", "weight" },
    { "vector_matmul", INT8, "input f16 2,8; weight i8 6,8; weight.scale f32 2", "", "weight.scale" },
    { "qkv_gemm", F32, "input f32 2,8; weight f32 8,5; bias f32 5; gamma f32 8; beta f32 8", "bias beta", "" },
    { "gelu_gemm", F32, "input f32 2,8; weight f32 8,6; weight_out f32 6,4; bias f32 6", "bias", "weight_out" },
    { "gelu_gemm", "{\"dtype\": \"fp32\", \"mlp_act_func_type\": \"GATED_SILU\"}", "input f32 2,8; weight f32 8,6; "
      "weight_gate f32 8,6; weight_out f32 6,4; bias f32 6; bias_gate f32 6", "bias bias_gate", "weight_out" },
    { "mlp_gemm", F32, "input f32 2,8; residual f32 2,8; weight_interm f32 8,6; weight_out f32 6,8; input_bias f32 8; "
      "bias f32 6; gamma f32 8; beta f32 8", "input_bias bias beta", "" },
    { "residual_add", F32, "hidden_state f32 2,8; residual f32 2,8; attention_output f32 2,8; attention_bias f32 8; "
      "final_bias f32 8; residual_add f32 2,8", "attention_output attention_bias final_bias residual_add", "" },
    { "softmax", F32, "attn_scores f32 2,3,4,5; attn_mask f32 2,5; alibi f32 6,1,5", "attn_mask alibi", "attn_scores" },
    { "softmax_context", "{\"dtype\": \"fp32\", \"heads\": 2, \"num_kv\": 1, \"rotary_dim\": 8}", "query_key_value f32 "
      "2,3,32; attn_mask f32 2,3; alibi f32 4,1,3; position_ids i64 2,3", "attn_mask alibi position_ids", "" },
    { "apply_rotary_pos_emb", "{\"dtype\": \"fp32\", \"rotary_dim\": 4}",
      "mixed_query f32 1,2,3,8; key_layer f32 1,2,3,8", "", "" },
    { "pad_transform", "{\"dtype\": \"fp32\", \"heads\": 2}", "query f32 1,3,8; key f32 1,4,8; value f32 1,4,8", "",
      "" },
    { "layer_norm", F32, "input f32 2,8; gamma f32 8; beta f32 8", "beta", "" },
    { "layer_norm_residual", F32, "input f32 2,8; residual f32 2,8; bias f32 8; gamma f32 8; beta f32 8", "bias beta",
      "" },
    { "layer_norm_residual_store_pre_ln_res", F32,
      "input f32 2,8; residual f32 2,8; bias f32 8; gamma f32 8; beta f32 8", "bias beta", "" },
    { "rms_norm", F32, "input f32 2,8; gamma f32 8", "", "" },
    { "pre_rms_norm", F32, "input f32 2,8; residual f32 2,8; gamma f32 8", "", "" },
    { "bias_add", F32, "input f32 2,8; bias f32 8", "bias", "" },
    { "bias_gelu", F32, "input f32 2,8; bias f32 8", "bias", "" },
    { "bias_relu", F32, "input f32 2,8; bias f32 8", "bias", "" },
    { "bias_residual", F32, "output f32 2,8; residual f32 2,8; bias f32 8", "bias", "" },
    { "vector_add", F32, "a f32 2,8; b f32 2,8", "", "" },
    { "gated_activation", "{\"dtype\": \"fp32\", \"mlp_act_func_type\": \"GATED_GELU\"}",
      "activation f32 2,8; bias f32 8", "bias", "" },
    { "nhwc_bias_add", F32, "input f32 1,2,2,8; bias f32 8; other f32 1,2,2,8; other_bias f32 8", "other_bias", "" },
    { "einsum_sec_sm_ecm", F32, "Q f32 4,2,3; W f32 4,6", "", "Q W" },
    { "moe_res_matmul", F32, "residual f32 2,3,8; coef f32 2,3,2; output f32 2,3,8", "", "" },
    { "top1gating", F32, "logits f32 3,4; used_token i64 3", "used_token", "logits" },
    { "top2gating", F32, "logits f32 3,4", "", "logits" },
    { "topkgating", "{\"dtype\": \"fp32\", \"k\": 2}", "logits f32 3,4", "", "logits" },
    { "quantize", F32, "weight f32 6,4", "", "weight" },
    { "dequantize", F32, "weight i8 6,4; weight.scale f32 3", "", "weight weight.scale" },
    { "quantize_asymmetric", "{\"dtype\": \"fp32\", \"group_size\": 2}", "weight f32 6,4", "", "weight" },
    { "dequantize_asymmetric", "{\"dtype\": \"fp32\", \"group_size\": 2}",
      "weight u8 6,4; weight.scale f32 6,2; weight.min f32 6,2", "", "weight weight.scale weight.min" },
};

static bool among(const char *list, const char *name)
{
    char padded[300], word[RIG_NAME + 2];
    snprintf(padded, sizeof padded, " %s ", list);
    snprintf(word, sizeof word, " %s ", name);
    return strstr(padded, word);
}

static tern_workspace *cache;    /* of the op that keeps one: empty before each call */

/* Runs with set as it is; the sentence must begin with the op and name the argument. */
static void expect_refusal(const good_call *g, tern_op *op, const rig_set *set, size_t arg, const char *how,
                           tern_status status, const char *message)
{
    tern_named_tensor out[8] = { { 0 } }, in[RIG_MOST];
    size_t n = 0, n_in = 0;
    char begin[64];
    for (const char *name; n < 8 && (name = tern_op_output_name(op, n)); n++) out[n].name = name;
    for (size_t i = 0; i < set->n; i++) in[n_in++] = set->t[i];
    if (cache) tern_workspace_reset(cache);
    tern_status st = tern_op_run(op, in, n_in, out, n, NULL);
    if (!st) tern_outputs_free(out, n);
    snprintf(begin, sizeof begin, "%s: ", g->op);
    const char *sentence = st ? tern_ctx_error(rig) : "";
    if (st != status || strncmp(sentence, begin, strlen(begin)) || !strstr(sentence, set->name[arg]) ||
        !rig_has_parts(sentence, message))
        fail_msg("%s, %s %s: %s \"%s\", not %s", g->op, set->name[arg], how, tern_status_name(st), sentence,
                 tern_status_name(status));
}

/* Are there two numbers in the sentence that differ? */
static bool two_numbers(const char *sentence)
{
    long first = -1;
    for (const char *p = sentence; *p; p++) {
        if (*p < '0' || *p > '9') continue;
        char *end;
        long n = strtol(p, &end, 10);
        if (first >= 0 && n != first) return true;
        first = n;
        p = end - 1;
    }
    return false;
}

static void spoil(const good_call *g, tern_op *op, rig_set *set, size_t i)
{
    tern_tensor *t = &set->t[i].tensor, good = *t;
    int last = t->rank - 1;
    if (!among(g->optional, set->name[i])) {
        t->data = NULL;
        expect_refusal(g, op, set, i, "missing", TERN_ERR_ARGUMENT, "missing");
    }
    *t = good;
    t->dtype = t->dtype == TERN_U8 ? TERN_I8 : TERN_U8;
    expect_refusal(g, op, set, i, "of another type", TERN_ERR_DTYPE, "u8");
    *t = good;
    t->device = TERN_CUDA;
    expect_refusal(g, op, set, i, "on another device", TERN_ERR_UNSUPPORTED, "device");
    *t = good;
    t->shape[last] = good.shape[last] > 2 ? 2 : good.shape[last];
    t->stride[last] = 2;
    if (t->shape[last] > 1) expect_refusal(g, op, set, i, "apart", TERN_ERR_ARGUMENT, "contiguous");
    *t = good;
    for (int longer = 1; longer >= 0; longer--) {    /* one element more, and none */
        char number[32];
        /* keys are named by their mask, and a capacity may be 0 */
        if (among(longer ? g->free_last : "attn_scores Q", set->name[i])) continue;
        t->shape[last] = longer ? good.shape[last] + 1 : 0;
        *t = tern_tensor_of(t->data, t->dtype, t->rank, t->shape);
        snprintf(number, sizeof number, "%lld", (long long)t->shape[last]);
        expect_refusal(g, op, set, i, longer ? "one longer" : "of nothing", TERN_ERR_SHAPE, number);
        if (longer && !two_numbers(tern_ctx_error(rig)))
            fail_msg("\"%s\" does not have both numbers", tern_ctx_error(rig));
        *t = good;
    }
}

static void test_every_input_spoilt(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof good_calls / sizeof *good_calls; c++) {
        const good_call *g = &good_calls[c];
        rig_set set;
        tern_op *op;
        tern_named_tensor out[8] = { { 0 } };
        size_t n = 0;
        rig_parse(g->in, &set);
        RIG_OK(tern_op_create_json(rig, g->op, NULL, g->options, &op));
        cache = NULL;
        if (!strcmp(g->op, "softmax_context")) {
            RIG_OK(tern_workspace_create(rig, &(tern_workspace_options){ .n_layer = 1, .max_batch = 2, .n_kv_head = 1,
                                                                         .key_dim = 8, .max_tokens = 8 }, &cache));
            RIG_OK(tern_op_bind_workspace(op, cache));
        }
        for (const char *name; n < 8 && (name = tern_op_output_name(op, n)); n++) out[n].name = name;
        tern_status st = tern_op_run(op, set.t, set.n, out, n, NULL);
        if (st) fail_msg("%s: %s", g->in, tern_ctx_error(rig));
        tern_outputs_free(out, n);
        for (size_t i = 0; i < set.n; i++) spoil(g, op, &set, i);
        tern_workspace_free(cache);
        tern_op_free(op);
        rig_free(&set);
    }
}

/* Every op has a call above. */
static void test_every_op_is_spoilt(void **state)
{
    const char *name;
    (void)state;
    for (size_t i = 0; (name = tern_op_name(i)); i++) {
        bool found = false;
        for (size_t c = 0; c < sizeof good_calls / sizeof *good_calls; c++)
            found = found || !strcmp(good_calls[c].op, name);
        if (!found) fail_msg("%s has no call whose inputs could be spoilt", name);
    }
}

/* A number that is no member of an enumeration, for every op that reads it; the dtype, for all. */
static void test_enumerations(void **state)
{
    static const struct { size_t offset; const char *field, *ops; } rows[] = {
        { offsetof(tern_config, dtype), "dtype", NULL },
        { offsetof(tern_config, norm_type), "norm_type", "qkv_gemm mlp_gemm" },
        { offsetof(tern_config, mlp_act_func_type), "mlp_act_func_type", "gelu_gemm mlp_gemm gated_activation" },
    };
    static const int bad[] = { -1, 99 };
    const char *name;
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (size_t i = 0; (name = tern_op_name(i)); i++)
            for (size_t b = 0; b < 2; b++) {
                tern_config c = rig_config(0);
                tern_op *op;
                char message[64];
                if (rows[r].ops && !among(rows[r].ops, name)) continue;
                c.heads = 1;
                memcpy((char *)&c + rows[r].offset, &bad[b], sizeof bad[b]);
                tern_status st = tern_op_create(rig, name, &c, &op);
                snprintf(message, sizeof message, "%s|%s|%d", name, rows[r].field, bad[b]);
                if ((st != TERN_ERR_ARGUMENT && st != TERN_ERR_UNSUPPORTED) ||
                    !rig_has_parts(tern_ctx_error(rig), message))
                    fail_msg("%s, %s %d: %s \"%s\"", name, rows[r].field, bad[b], tern_status_name(st),
                             st ? tern_ctx_error(rig) : "");
            }
}

/* int8 weights without scales, for every op that takes weights and each of its weights. */
static void test_int8_without_scales(void **state)
{
    static const struct { const char *op, *in, *weight; } rows[] = {
        { "linear", "input f16 2,8; weight i8 6,8", "weight" },
        { "linear", "input f16 2,8; weight i8 6,8; weight.scale f32 1; weight_k i8 6,8; weight_v i8 6,8; "
          "weight_v.scale f32 1", "weight_k" },
        { "linear", "input f16 2,8; weight i8 6,8; weight.scale f32 1; weight_k i8 6,8; weight_k.scale f32 1; weight_v "
          "i8 6,8", "weight_v" },
        { "vector_matmul", "input f16 2,8; weight i8 6,8", "weight" },
        { "qkv_gemm", "input f16 2,8; weight i8 6,8; gamma f16 8", "weight" },
        { "gelu_gemm", "input f16 2,8; weight i8 6,8; weight_out i8 8,6; weight_out.scale f32 1", "weight" },
        { "gelu_gemm", "input f16 2,8; weight i8 6,8; weight_out i8 8,6; weight.scale f32 1", "weight_out" },
        { "mlp_gemm", "input f16 2,8; residual f16 2,8; weight_interm i8 6,8; weight_out i8 8,6; weight_out.scale f32 "
          "1; gamma f16 8", "weight_interm" },
        { "mlp_gemm", "input f16 2,8; residual f16 2,8; weight_interm i8 6,8; weight_out i8 8,6; weight_interm.scale "
          "f32 1; gamma f16 8", "weight_out" },
        { "dequantize", "weight i8 6,8", "weight" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char message[64];
        refusal r = { rows[i].op, INT8, rows[i].in, ARG, message, "" };
        snprintf(message, sizeof message, "%s: |%s.scale|missing", rows[i].op, rows[i].weight);
        tern_status st = call(&r);
        if (st != ARG || !rig_has_parts(tern_ctx_error(rig), message))
            fail_msg("%s: %s \"%s\", not \"%s\"", rows[i].in, tern_status_name(st), st ? tern_ctx_error(rig) : "",
                     message);
    }
}

/* A negative epsilon, and one that is no number, for every op that has one. */
static void test_epsilon(void **state)
{
    static const char *const ops[] = { "qkv_gemm", "mlp_gemm",    "layer_norm", "layer_norm_residual",
                                       "layer_norm_residual_store_pre_ln_res", "rms_norm", "pre_rms_norm" };
    static const double bad[] = { -1e-5, NAN, INFINITY };
    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        for (size_t b = 0; b < 3; b++) {
            tern_config c = rig_config(0);
            tern_op *op;
            c.layer_norm_eps = bad[b];
            assert_int_equal(tern_op_create(rig, ops[i], &c, &op), TERN_ERR_ARGUMENT);
            assert_true(rig_has_parts(tern_ctx_error(rig), "layer_norm_eps") && strstr(tern_ctx_error(rig), ops[i]));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_every_op_is_in_the_table),
        cmocka_unit_test(test_unknown_op_lists_the_known),
        cmocka_unit_test(test_outputs_and_handles),
        cmocka_unit_test(test_every_input_spoilt),
        cmocka_unit_test(test_every_op_is_spoilt),
        cmocka_unit_test(test_enumerations),
        cmocka_unit_test(test_int8_without_scales),
        cmocka_unit_test(test_epsilon),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
