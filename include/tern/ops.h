/* Ops: DeepSpeed's inference operators, each created once by name from a config and run many times.
 *
 *     tern_op *op;
 *     tern_op_create(ctx, "rms_norm", &config, &op);
 *     tern_rms_norm_run(op, &(tern_rms_norm_args){ .input = x, .gamma = w, .output = y });
 *     tern_op_free(op);
 *
 * Common to all: T is the config's dtype (int8: f16 activations). Tensors are row-major; inputs and
 * outputs of T are contiguous in their last axis, and any leading shape counts as rows. An optional
 * tensor is left out by data null. Every pointer is borrowed until the call returns. Outputs are
 * written by the caller's memory; an output may be an input itself only where its op says so. Sums
 * are f32 in an order fixed by their length. Results are rounded to T where the formula says round.
 * Weights are [in, out], or [out, in] under config.transposed_mode; int8 weights are always [out,
 * in] with scales f32 [G] (group g: rows g*N/G ...), and count as round(scale * q).
 * Errors of every op: TERN_ERR_ARGUMENT a required tensor missing, or a value outside its range |
 * TERN_ERR_SHAPE dimensions that do not fit |
 * TERN_ERR_DTYPE | TERN_ERR_UNSUPPORTED an option value that the op has not | TERN_ERR_MEMORY. The
 * sentence names the op, the argument and the numbers.
 * An op, and the context behind it, is used by one thread at a time. */
#ifndef TERN_OPS_H
#define TERN_OPS_H

#include <tern/config.h>
#include <tern/tensor.h>

typedef struct tern_op tern_op;
typedef struct tern_workspace tern_workspace;    /* a KV cache: below */

/* Creates an op by its name ("qkv_gemm"; tern_op_name lists them) from a copy of config (null: the
 * defaults). An unknown name is TERN_ERR_UNSUPPORTED and the sentence lists the known ones; a
 * config value that this op refuses is its error. The caller frees *out. */
TERN_API tern_status tern_op_create(tern_ctx *ctx, const char *name, const tern_config *config,
                                    tern_op **out);
TERN_API void tern_op_free(tern_op *op);

/* The same with options as JSON (null: none): those that are config fields which this op reads
 * ("layer_norm_eps", "heads") are read over config, the op's own ("add_bias", "norm_factor") become
 * what tern_op_run starts from. Any other is TERN_ERR_ARGUMENT with the nearest known name. */
TERN_API tern_status tern_op_create_json(tern_ctx *ctx, const char *name, const tern_config *config,
                                         const char *options_json, tern_op **out);

/* The i-th op's name, null past the last; and one line that says what it does. */
TERN_API const char *tern_op_name(size_t i);
TERN_API const char *tern_op_summary(size_t i);

/* The names of an op's inputs and outputs, as tern_op_run takes them; null past the last. */
TERN_API const char *tern_op_input_name(const tern_op *op, size_t i);
TERN_API const char *tern_op_output_name(const tern_op *op, size_t i);

/* What backends implement, and ops are made of: the i-th primitive's name, null past the last; and
 * one line. Primitives are listed, not created. */
TERN_API const char *tern_primitive_name(size_t i);
TERN_API const char *tern_primitive_summary(size_t i);

/* Runs an op with arguments by name, as `tern op` and bindings do. in: the inputs, by the names of
 * the args structs below ("weight.scale" for an int8 weight's scales). out: the wanted outputs; one
 * whose tensor.data is null is allocated with the op's own shape, and freed by tern_outputs_free.
 * options_json (null: none): an object with the op's options (args fields that are no tensors);
 * fields of the config belong in the config. A required output that is not among out is
 * TERN_ERR_ARGUMENT. */
TERN_API tern_status tern_op_run(tern_op *op, const tern_named_tensor *in, size_t n_in,
                                 tern_named_tensor *out, size_t n_out, const char *options_json);
TERN_API void tern_outputs_free(tern_named_tensor *out, size_t n_out);

/* What one run costs: an addition, a multiplication, a comparison or a value of a function (exp,
 * gelu, root, a division) is one operation, a product of [n, K] with [K, N] is 2 n K N. Every input
 * that is read is read once, and every output in the list is written once; scratch is not counted.
 * docs/ops.md has each op's formula. Over a measured time, flops and bytes are what a machine's
 * limits are compared with. */
typedef struct tern_cost {
    double flops, read_bytes, written_bytes;
} tern_cost;

/* The cost of tern_op_run with the same arguments, which are checked as there; nothing is computed
 * or written, and outputs need no memory. Inputs count by type and shape; values are read where
 * shapes derive from them (a gate's capacity without drop_tokens, batch_ids). */
TERN_API tern_status tern_op_cost(tern_op *op, const tern_named_tensor *in, size_t n_in,
                                  const tern_named_tensor *out, size_t n_out,
                                  const char *options_json, tern_cost *cost);

/* The cache that softmax_context by names appends to; borrowed until another is bound. Other ops:
 * TERN_ERR_UNSUPPORTED. */
TERN_API tern_status tern_op_bind_workspace(tern_op *op, tern_workspace *workspace);

/* ---- The workspace: DeepSpeed's KV cache --------------------------------------------------------
 * Keys and values of n_layer layers for max_batch sequences of up to max_tokens, in pages; made
 * whole at creation. */

typedef struct tern_workspace_options {
    /* per rank; value_dim 0: key_dim */
    int32_t n_layer, max_batch, n_kv_head, key_dim, value_dim;
    /* max_out_tokens; at least min_tokens must fit in limit_bytes */
    int64_t max_tokens, min_tokens;
    tern_dtype dtype;                                             /* f32, f16 or bf16 */
    /* 0: no limit; else max_tokens is lowered to what fits */
    size_t limit_bytes;
} tern_workspace_options;

TERN_API tern_status tern_workspace_create(tern_ctx *ctx, const tern_workspace_options *options,
                                           tern_workspace **out);
TERN_API void tern_workspace_free(tern_workspace *ws);
/* every sequence is empty again */
TERN_API void tern_workspace_reset(tern_workspace *ws);
/* gives the memory back, keeps the sizes */
TERN_API void tern_workspace_release(tern_workspace *ws);
/* takes it again, empty; fine where it was not released */
TERN_API tern_status tern_workspace_retake(tern_workspace *ws);
/* the bill: what it holds, or would when retaken */
TERN_API size_t tern_workspace_bytes(const tern_workspace *ws);
TERN_API int64_t tern_workspace_max_tokens(const tern_workspace *ws);
/* how many that layer has of the sequence */
TERN_API int64_t tern_workspace_tokens(const tern_workspace *ws, int32_t layer, int32_t seq);

/* Keys [B, KV, L, D] and values [B, KV, L, value_dim] of one layer, copied out as f32; either may
 * be null. */
TERN_API tern_status tern_workspace_read(tern_workspace *ws, int32_t layer, int32_t n_seq,
                                         float *keys, float *values);

/* ---- Linear algebra -------------------------------------------------------------------------- */

/* output = round(round(norm(input) . W) + bias),  inp_norm = round(norm(input))  norm:
 * config.norm_type with gamma, beta, layer_norm_eps
 * Where q, k and v are stored apart (any of weight_k, weight_v given), weight holds q alone and
 * output is [q | k | v].
 * Source: DeepSpeed qkv_gemm (ds_qkv_gemm, ds_rms_qkv). */
typedef struct tern_qkv_gemm_args {
    tern_tensor input;                                        /* [..., E] T */
    tern_tensor weight, weight_k, weight_v;                   /* [E, N] or [N, E] */
    tern_tensor weight_scale, weight_k_scale, weight_v_scale; /* f32 [G], int8 weights only */
    tern_tensor bias, bias_k, bias_v;                         /* [N] T, optional */
    /* [E] T or f32; beta: LayerNorm, optional */
    tern_tensor gamma, beta;
    tern_tensor output;                                       /* [..., N] T */
    tern_tensor inp_norm;                                     /* [..., E] T, optional: not wanted */
} tern_qkv_gemm_args;
TERN_API tern_status tern_qkv_gemm_run(tern_op *op, const tern_qkv_gemm_args *args);

/* output = round(round(input . W) + bias); do_flash_attn: that, split into q, k, v [3, B,
 * num_heads, S, Dp], heads of D channels zero padded to Dp = 32 (D < 32), 64 (32 <= D <= 64) or 128
 * (64 < D <= 128); a larger D is an error.
 * Source: DeepSpeed linear (ds_linear_layer). */
typedef struct tern_linear_args {
    /* [..., K] T; do_flash_attn: [B, S, K] */
    tern_tensor input;
    tern_tensor weight, weight_k, weight_v;                   /* as in qkv_gemm */
    tern_tensor weight_scale, weight_k_scale, weight_v_scale;
    tern_tensor bias, bias_k, bias_v;
    tern_tensor output;                                       /* [..., N] T */
    /* option add_bias = false: bias is not read */
    bool no_bias;
    bool do_flash_attn;
    int64_t num_heads;
} tern_linear_args;
TERN_API tern_status tern_linear_run(tern_op *op, const tern_linear_args *args);

/* output = round(input . W)                                   Source: DeepSpeed vector_matmul */
typedef struct tern_vector_matmul_args {
    tern_tensor input, weight, weight_scale, output;
} tern_vector_matmul_args;
TERN_API tern_status tern_vector_matmul_run(tern_op *op, const tern_vector_matmul_args *args);

/* Attention's residual, the norm between, and the MLP:
 *   LayerNorm: r = round(input + input_bias + residual) (mlp_after_attn; else r = residual), n =
 *   LN(r), h = f(round(n . W1) + bias), output = round(h . W2),
 *              residual_add = n
 *   RMSNorm:  r = round(input + input_bias + residual), n = RMS(r), h = value * f(gate) where
 *             [value | gate] = n . W1 (or f(n . W1)), residual_add = r
 * The gate may be stored apart (weight_gate given: then weight_interm holds the value alone).
 * Nothing that enters is written.
 * Source: DeepSpeed mlp_gemm (ds_mlp_gemm, ds_rms_mlp_gemm), with its defects fixed. */
typedef struct tern_mlp_gemm_args {
    tern_tensor input, residual;                              /* [..., E] T */
    tern_tensor weight_interm, weight_gate;                   /* [E, Iw] or [Iw, E] */
    tern_tensor weight_out;                                   /* [I, E] or [E, I] */
    tern_tensor weight_interm_scale, weight_gate_scale, weight_out_scale;
    tern_tensor input_bias;                                   /* [E] T, optional */
    tern_tensor bias, bias_gate;                              /* [Iw] T, optional */
    tern_tensor gamma, beta;                                  /* [E] */
    /* [..., E] T; residual_add optional */
    tern_tensor output, residual_add;
} tern_mlp_gemm_args;
TERN_API tern_status tern_mlp_gemm_run(tern_op *op, const tern_mlp_gemm_args *args);

/* output = round(f(round(input . W1) + bias) . W2), gated as mlp_gemm's; no norm, no residual.
 * Source: DeepSpeed fused_gemm_gelu, with its defects fixed. */
typedef struct tern_gelu_gemm_args {
    tern_tensor input;
    tern_tensor weight, weight_gate, weight_out;
    tern_tensor weight_scale, weight_gate_scale, weight_out_scale;
    tern_tensor bias, bias_gate;
    tern_tensor output;
} tern_gelu_gemm_args;
TERN_API tern_status tern_gelu_gemm_run(tern_op *op, const tern_gelu_gemm_args *args);

/* The sum at a block's end, one rounding (a: attention_output, ab: attention_bias, fb: final_bias):
 *   mlp_after_attn, pre_layer_norm    output = (residual + a + fb + ab) / mp_size + hidden_state
 *   mlp_after_attn, post-norm  output = r + hidden_state + fb,  r = residual_add where given, else
 *                              residual
 *   parallel            output = hidden_state + a + (residual + fb [+ ab where add_bias]) / mp_size
 * A missing tensor counts as zero. output may be residual, hidden_state or attention_output.
 * Source: DeepSpeed residual_add. */
typedef struct tern_residual_add_args {
    tern_tensor hidden_state, residual, attention_output;     /* [..., E] T */
    tern_tensor attention_bias, final_bias;                   /* [E] T, optional */
    tern_tensor residual_add;                                 /* [..., E] T, optional */
    tern_tensor output;
    bool no_bias;                                             /* option add_bias = false */
} tern_residual_add_args;
TERN_API tern_status tern_residual_add_run(tern_op *op, const tern_residual_add_args *args);

/* ---- Norms --------------------------------------------------------------------------------------
 * Statistics are f32 over the last axis; layer_norm_eps is inside the root. gamma, beta: [C] T or
 * f32. output may be an input. */

/* output = round((x - mean) / sqrt(var + eps) * gamma + beta), var biased, in two passes  Source:
 * Ba et al. 2016; DeepSpeed layer_norm */
typedef struct tern_layer_norm_args {
    tern_tensor input, gamma, beta, output;                   /* [..., C]; beta optional */
} tern_layer_norm_args;
TERN_API tern_status tern_layer_norm_run(tern_op *op, const tern_layer_norm_args *args);

/* layer_norm_residual: output = LN(s), s = round(input + bias + residual); ..._store_pre_ln_res
 * gives s too.  Source: DeepSpeed layer_norm.py */
typedef struct tern_layer_norm_residual_args {
    /* [..., C], [C]; bias, beta optional */
    tern_tensor input, residual, bias, gamma, beta;
    tern_tensor output;
} tern_layer_norm_residual_args;
TERN_API tern_status tern_layer_norm_residual_run(tern_op *op,
                                                  const tern_layer_norm_residual_args *args);

typedef struct tern_layer_norm_residual_store_pre_ln_res_args {
    tern_tensor input, residual, bias, gamma, beta;
    tern_tensor norm_output, res_output;                      /* LN(s), s */
} tern_layer_norm_residual_store_pre_ln_res_args;
TERN_API tern_status tern_layer_norm_residual_store_pre_ln_res_run(
    tern_op *op, const tern_layer_norm_residual_store_pre_ln_res_args *args);

/* output = round(round(x / sqrt(mean(x^2) + eps)) * gamma)  Source: Zhang & Sennrich 2019;
 * DeepSpeed rms_norm */
typedef struct tern_rms_norm_args {
    tern_tensor input, gamma, output;
} tern_rms_norm_args;
TERN_API tern_status tern_rms_norm_run(tern_op *op, const tern_rms_norm_args *args);

/* residual_output ("residual" by name) = round(input + residual), output = RMS of that  Source:
 * DeepSpeed pre_rms_norm */
typedef struct tern_pre_rms_norm_args {
    tern_tensor input, residual, gamma;
    tern_tensor output, residual_output;
} tern_pre_rms_norm_args;
TERN_API tern_status tern_pre_rms_norm_run(tern_op *op, const tern_pre_rms_norm_args *args);

/* ---- Elementwise --------------------------------------------------------------------------------
 * f32 inside, one rounding. output may be an input. A missing bias is zero. */

/* bias_add: output = x + bias. bias_gelu: gelu_tanh(x + bias). bias_relu: relu(x + bias).  Source:
 * DeepSpeed bias_add, bias_gelu, bias_relu */
typedef struct tern_bias_add_args {
    tern_tensor input, bias, output;                          /* [..., C], [C] */
} tern_bias_add_args;
typedef tern_bias_add_args tern_bias_gelu_args, tern_bias_relu_args;
TERN_API tern_status tern_bias_add_run(tern_op *op, const tern_bias_add_args *args);
TERN_API tern_status tern_bias_gelu_run(tern_op *op, const tern_bias_gelu_args *args);
TERN_API tern_status tern_bias_relu_run(tern_op *op, const tern_bias_relu_args *args);

/* result ("output" by name) = output + residual + bias; a bias of length 1 is none.  Source:
 * DeepSpeed bias_residual, with its defects fixed */
typedef struct tern_bias_residual_args {
    tern_tensor output, residual, bias;
    tern_tensor result;
} tern_bias_residual_args;
TERN_API tern_status tern_bias_residual_run(tern_op *op, const tern_bias_residual_args *args);

/* output = round(gamma * a + b); a and b have one shape.      Source: DeepSpeed _vector_add */
typedef struct tern_vector_add_args {
    tern_tensor a, b, output;
    double gamma;                                             /* 1 by name */
} tern_vector_add_args;
TERN_API tern_status tern_vector_add_run(tern_op *op, const tern_vector_add_args *args);

/* output = round(v * round(f(g))), v = round(first half + bias), g = round(second half + bias);  f:
 * exact gelu (GATED_GELU), silu (GATED_SILU),
 * tanh gelu (GATED_GELU_TANH), relu (GATED_RELU), by config.mlp_act_func_type.  Source: DeepSpeed
 * gated_activation */
typedef struct tern_gated_activation_args {
    tern_tensor activation, bias;                             /* [..., 2C], [2C] */
    /* [..., C]; not activation's memory */
    tern_tensor output;
} tern_gated_activation_args;
TERN_API tern_status tern_gated_activation_run(tern_op *op, const tern_gated_activation_args *args);

/* output = input + bias [+ other [+ other_bias]]; channels last.  Source: DeepSpeed nhwc_bias_add
 * (csrc/spatial) */
typedef struct tern_nhwc_bias_add_args {
    tern_tensor input, bias, other, other_bias;               /* [N, H, W, C] or [B, S, C]; [C] */
    tern_tensor output;
} tern_nhwc_bias_add_args;
TERN_API tern_status tern_nhwc_bias_add_run(tern_op *op, const tern_nhwc_bias_add_args *args);

/* ---- Attention ------------------------------------------------------------------------------- */

/* Rotates q and k, appends k and v to the cache of layer, and attends over all of it:
 *   z_j = q . k_j * norm_factor^2 + alibi + mask,  context = sum_j softmax(z)_j v_j,  j <= past + i
 *   under triangular masking, and within the window
 * config.heads and num_kv are this rank's; alibi has H_total = heads * mp_size heads, and masks and
 * alibi span all L = past + S keys. B sequences of S tokens follow those the workspace holds;
 * batch_ids (optional) says which of its sequences they are (default 0 .. B-1). position_ids rotate
 * q and k; the row position of the causal and window tests is always past + i. A row that sees no
 * key gives zeros. Each layer of the cache keeps its own count, and advances by S.
 * Source: DeepSpeed softmax_context (ds_softmax_context), with its defects fixed; grouped queries
 * after Ainslie et al. 2023. */
typedef struct tern_softmax_context_args {
    /* [B, S, (heads + 2 num_kv) * D] T: all q heads, all k heads, all v heads */
    tern_tensor query_key_value;
    /* [B, L], [B, 1, 1, L], [B, 1, S, L], [B, H, S, L] T, additive; optional; [1] counts as none */
    tern_tensor attn_mask;
    /* [B * H_total, 1, L] T or f32, optional; [1] counts as none */
    tern_tensor alibi;
    tern_tensor position_ids;           /* [B, S] i64 or i32, optional */
    /* [B] i64 or i32: which of the workspace's sequences, each at most once; optional: 0 .. B-1 */
    tern_tensor batch_ids;
    tern_workspace *workspace;          /* borrowed; its layer and sequences are appended to */
    int64_t layer;
    double norm_factor;                 /* squared inside */
    int64_t head_offset;                /* this rank's first head in alibi */
    tern_tensor context;                /* [B, S, heads * value_dim] T */

    /* tern's additions, for model families */
    /* internal: a pool of pages and a ragged batch over it, instead of workspace; B = 1, S = its
     * rows */
    const struct tern_kv *kv;
    const struct tern_ragged *batch;
    /* norm of q and k before rotation, by config.norm_type: [D] each head, [heads, D] each head its
     * own, */
    tern_tensor q_gamma, k_gamma;
    tern_tensor q_beta, k_beta;         /* [heads * D] all heads as one row; optional */
    tern_tensor slope;                  /* [heads] f32: alibi as slopes */
    tern_tensor sink;                   /* [heads] f32: logits without a value */
    /* [rows, rotary_dim / 2] f32: angles made outside (scaled rope); default by rope_theta */
    tern_tensor cos, sin;
} tern_softmax_context_args;
TERN_API tern_status tern_softmax_context_run(tern_op *op, const tern_softmax_context_args *args);

/* output = softmax(attn_scores * layer_scale + alibi + mask), rounded once. Row i is at position p
 * = L - S + i: triangular sees j <= p, and config.local_attention p - window_size < j <= p. A row
 * that sees no key, or only keys at -inf, gives zeros; one with a NaN is all NaN.
 * output may be attn_scores. config.heads is not read: H is attn_scores' own.  Source: DeepSpeed
 * softmax (ds_softmax), with its defects fixed */
typedef struct tern_softmax_args {
    tern_tensor attn_scores;            /* [B, H, S, L] T */
    /* [B, L], [B, 1, 1, L], [B, 1, S, L], [B, H, S, L] T or f32, additive; optional; [1] counts as
     * none */
    tern_tensor attn_mask;
    /* [B * H * mp_size, 1, L] T or f32; optional; [1] counts as none */
    tern_tensor alibi;
    bool not_triangular;                /* option triangular = false */
    double layer_scale;                 /* 1 by name */
    int64_t head_offset;                /* this rank's first head in alibi */
    tern_tensor output;                 /* [B, H, S, L] T */
} tern_softmax_args;
TERN_API tern_status tern_softmax_run(tern_op *op, const tern_softmax_args *args);

/* Rotates the first config.rotary_dim channels of each head by position offset, offset + 1, ...;
 * pairing and rope_theta are the config's. Outputs "mixed_query" and "key_layer" by name; each may
 * be its input. Source: DeepSpeed apply_rotary_pos_emb; Su et al. 2021 */
typedef struct tern_apply_rotary_pos_emb_args {
    tern_tensor mixed_query, key_layer;             /* [B, num_heads, S, D] T */
    int64_t offset, num_heads;                      /* num_heads 0: those of mixed_query */
    tern_tensor query_output, key_output;
} tern_apply_rotary_pos_emb_args;
TERN_API tern_status tern_apply_rotary_pos_emb_run(tern_op *op,
                                                   const tern_apply_rotary_pos_emb_args *args);

/* [B, S, H * D] becomes [B, H, S, D]; do_flash_attn pads with zeros: D to 32 (D < 32), 64 (D < 64)
 * or 128, and the S of key and value to 128.
 * Outputs "query", "key", "value" by name.  Source: DeepSpeed pad_transform (padd_add_transform) */
typedef struct tern_pad_transform_args {
    tern_tensor query, key, value;                  /* [B, Sq, H * D], [B, Sk, H * D] */
    int64_t heads;                                  /* 0: config.heads */
    bool do_flash_attn;
    tern_tensor query_output, key_output, value_output;
} tern_pad_transform_args;
TERN_API tern_status tern_pad_transform_run(tern_op *op, const tern_pad_transform_args *args);

/* ---- Mixture of experts ---------------------------------------------------------------------- */

/* output[e,c,m] = sum_s Q[s,e,c] W[s,m]  Source: DeepSpeed einsum_sec_sm_ecm (GShard's dispatch) */
typedef struct tern_einsum_sec_sm_ecm_args {
    tern_tensor Q, W, output;                       /* [s, e, c], [s, m], [e, c, m] T */
} tern_einsum_sec_sm_ecm_args;
TERN_API tern_status tern_einsum_sec_sm_ecm_run(tern_op *op,
                                                const tern_einsum_sec_sm_ecm_args *args);

/* coef [1, 2M, 1]:    result = residual * coef[:M] + output * coef[M:]        each channel its own
 * coef [..., 2]:      result = output * coef[t, 0] + residual * coef[t, 1]    each token its own
 * result ("output" by name) may be output or residual. Products and sum are rounded to T.  Source:
 * DeepSpeed moe_res_matmul; MoE.forward */
typedef struct tern_moe_res_matmul_args {
    tern_tensor residual, coef, output;             /* [..., M] T */
    tern_tensor result;
} tern_moe_res_matmul_args;
TERN_API tern_status tern_moe_res_matmul_run(tern_op *op, const tern_moe_res_matmul_args *args);

/* The gates: which experts each token goes to, within each expert's capacity c.
 *   scores = softmax(logits);  c = max(ceil(s / e * factor), min_capacity), factor =
 *                              capacity_factor (top1), 2 of it (top2), k of it (topk);
 *   without drop_tokens c is what the fullest expert has (top1: at most s)
 *   top1  the best expert, its score as it is; an expert keeps its first c tokens, or with use_rts
 *         c drawn by seed
 *   top2  second choices queue behind all first ones; the scores that stay are divided by their sum
 *   topk  drop_policy "probs": an expert keeps the c highest scores, "position": its first c
 *         tokens; divided by their sum
 *   l_aux  e / k * sum_e mean(scores) mean(chosen), k 1 for top1 and top2 (first choices)
 * Ties go to the lowest expert and the lowest token. exp_counts counts before dropping.
 * Noise, by seed: noisy_gate_policy RSample (top1) and top2_2nd_expert_sampling (top2) add Gumbel's
 * to the logits that the choice is made by. Every output is optional; those with c need it known:
 * ask for capacity first, or let the run by names allocate.
 * Source: DeepSpeed sharded_moe.py; Shazeer et al. 2017; Lepikhin et al. 2020 */
typedef struct tern_gating_args {
    tern_tensor logits;                             /* [s, e] T or f32 */
    /* [s] i64 or i32, 0: the token goes nowhere; top1 alone, optional */
    tern_tensor used_token;
    int64_t k;                                      /* topk alone */
    double capacity_factor;                         /* 1 by name */
    int64_t min_capacity;                           /* 1 by name */
    bool keep_tokens;                               /* option drop_tokens = false */
    bool first_come;                                /* option use_rts = false; top1 */
    /* TERN_NOISE_NONE or TERN_NOISE_RSAMPLE; top1 */
    int noisy_gate_policy;
    bool top2_2nd_expert_sampling;                  /* top2; false by name */
    int drop_policy;                                /* 0 "probs", 1 "position"; topk */
    int64_t seed;
    tern_tensor l_aux, capacity;                    /* [1] T, [1] i64 */
    tern_tensor combine_weights, dispatch_mask;     /* [s, e, c] T, [s, e, c] u8 */
    tern_tensor exp_counts;                         /* [e] i64 */
    /* the same routes, sparse: [k, s] i32 (-1: dropped), [k, s] i32, [k, s] f32 */
    tern_tensor indices, locations, gates;
} tern_gating_args;
typedef tern_gating_args tern_top1gating_args, tern_top2gating_args, tern_topkgating_args;
TERN_API tern_status tern_top1gating_run(tern_op *op, const tern_top1gating_args *args);
TERN_API tern_status tern_top2gating_run(tern_op *op, const tern_top2gating_args *args);
TERN_API tern_status tern_topkgating_run(tern_op *op, const tern_topkgating_args *args);

/* ---- DeepSpeed's int8 weights ---------------------------------------------------------------- */

/* scale[g] = absmax / 128 over N / G rows (1 where absmax is 0), q = clamp(rint(w / scale), -128,
 * 127).  Source: DeepSpeed GroupQuantizer */
typedef struct tern_quantize_args {
    tern_tensor weight;                             /* [N, K] T or f32 */
    int64_t num_groups;                             /* 0: N / group_size */
    int64_t group_size;                             /* rows; 1 by name */
    tern_tensor q, scale;                           /* [N, K] i8, [G] f32 */
} tern_quantize_args;
TERN_API tern_status tern_quantize_run(tern_op *op, const tern_quantize_args *args);

/* output = round_to_f16(scale[g] * weight)                    Source: DeepSpeed dequantize.cu */
typedef struct tern_dequantize_args {
    tern_tensor weight, weight_scale;               /* [N, K] i8, f32 [G] */
    /* 0: those of weight_scale, else they must be as many */
    int64_t groups;
    tern_tensor output;                             /* [N, K] f16 */
} tern_dequantize_args;
TERN_API tern_status tern_dequantize_run(tern_op *op, const tern_dequantize_args *args);

/* ---- Codes of 4 and 8 bits, each group from its least number to its largest ------------------ */

/* min = the group's least number; scale = (2^num_bits - 1) / (largest - least), 1 where they are
 * equal; q = clamp(rint((weight - min) * scale), 0, 2^num_bits - 1). A group is group_size numbers
 * along axis group_dim: scale and min are [N, K / group_size] for axis 1, [N / group_size, K] for
 * axis 0.
 * 4 bits: two codes in a byte, the even column's in its upper half; K is even.  Source: DeepSpeed
 * inference/quantization Quantizer */
typedef struct tern_quantize_asymmetric_args {
    tern_tensor weight;                             /* [N, K] T or f32 */
    int64_t num_bits;                               /* 4 or 8; 8 by name */
    int64_t group_size;
    int64_t group_dim;                              /* 0 or 1; 1 by name */
    /* [N, K] u8 ([N, K / 2] for 4 bits), f32, f32 */
    tern_tensor q, scale, min;
} tern_quantize_asymmetric_args;
TERN_API tern_status tern_quantize_asymmetric_run(tern_op *op,
                                                  const tern_quantize_asymmetric_args *args);

/* output = weight / scale + min, rounded to T  Source: DeepSpeed inference/quantization
 * DeQuantizer */
typedef struct tern_dequantize_asymmetric_args {
    tern_tensor weight, weight_scale, weight_min;   /* as quantize_asymmetric writes them */
    int64_t num_bits, group_size, group_dim;        /* as there */
    tern_tensor output;                             /* [N, K] T */
} tern_dequantize_asymmetric_args;
TERN_API tern_status tern_dequantize_asymmetric_run(tern_op *op,
                                                    const tern_dequantize_asymmetric_args *args);

#endif
