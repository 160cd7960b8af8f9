/* tern_transformer_layer: DeepSpeedTransformerInference, one transformer layer built from ops, and
 * what model families add to it. */
#ifndef TERN_LAYER_H
#define TERN_LAYER_H

#include <tern/comm.h>
#include <tern/config.h>
#include <tern/ops.h>

/* A layer's parameters by DeepSpeed's names, this rank's slices under mp_size > 1 (of fewer KV
 * heads than ranks, rank r's one is r * KV / mp_size); data null: the layer has none. Borrowed as
 * long as the layer lives.
 * norm_w, norm_b: the input's norm, or the output's in a post-norm layer; attn_nw, attn_nb: the
 * norm between attention and MLP. */
typedef struct tern_layer_weights {
    tern_tensor norm_w, norm_b;                              /* [E] */
    /* [E, (H + 2 KV) D / mp] or transposed; [(H + 2 KV) D / mp] */
    tern_tensor attn_qkvw, attn_qkvb;
    tern_tensor attn_ow, attn_ob;                            /* [H D / mp, E] or transposed; [E] */
    tern_tensor attn_nw, attn_nb;                            /* [E] */
    /* [E, Iw / mp]: Iw = I, or [value | gate] 2 I where gated */
    tern_tensor inter_w, inter_b;
    tern_tensor output_w, output_b;                          /* [I / mp, E]; [E] */
    /* f32 [G], int8 weights */
    tern_tensor attn_qkvw_scale, attn_ow_scale, inter_w_scale, output_w_scale;

    /* tern's additions: parameters that checkpoints store apart, and those of other families */
    /* then attn_qkvw and attn_qkvb hold q alone */
    tern_tensor attn_kw, attn_vw, attn_kb, attn_vb;
    /* then inter_w and inter_b hold the value alone */
    tern_tensor gate_w, gate_b;
    /* norms of q and k: softmax_context has the shapes */
    tern_tensor q_norm_w, q_norm_b, k_norm_w, k_norm_b;
    /* [E] norms of what attention and MLP give, before they are added */
    tern_tensor post_attn_w, post_attn_b, post_mlp_w, post_mlp_b;
    /* [H / mp] f32: alibi's slopes, attention sinks */
    tern_tensor slope, sink;
} tern_layer_weights;

/* What a layer of a model family may have that DeepSpeed's config does not say. Zero: nothing of
 * it. */
typedef struct tern_layer_extras {
    /* the fused projection lies per KV head: its query heads, k, v (GPT-NeoX, BLOOM, Falcon) */
    bool qkv_interleaved;
    /* neither before attention nor after the layer (OLMo 2): only the branches are normalized */
    bool no_input_norm;
    double clip_qkv;               /* 0: none; else q, k and v are clamped to +-it (OLMo, MPT) */
    /* 0: 1; else each branch is multiplied by it before it is added (Granite) */
    double residual_scale;
    /* the branches are added to n(x) and n(r) instead of x and r (BLOOM's
     * apply_residual_connection_post_layernorm) */
    bool residual_normed;
} tern_layer_extras;

typedef struct tern_transformer_layer tern_transformer_layer;

/* Creates a layer of config's wiring, which tern_config_check must accept. extras, comm may be
 * null: none, one process. The caller frees *out. */
TERN_API tern_status tern_transformer_layer_create(
    tern_ctx *ctx, const tern_config *config, const tern_layer_weights *weights,
    const tern_layer_extras *extras, const tern_comm *comm, tern_transformer_layer **out);
TERN_API void tern_transformer_layer_free(tern_transformer_layer *layer);

typedef struct tern_transformer_layer_args {
    tern_tensor input;                  /* [B, S, E] of the config's type T */
    /* optional: float, additive, as in softmax_context; or i64, i32, bool [B, L]: 1 keeps a key, 0
     * hides it (bigscience_bloom with invert_mask false: 1 hides it) */
    tern_tensor attn_mask;
    /* [B * H, 1, L], all ranks' heads; optional, required by bigscience_bloom unless slopes are
     * among the weights */
    tern_tensor alibi;
    tern_tensor position_ids;           /* [B, S] i64 or i32, optional */
    /* the cache: its sequences 0 .. B-1 are continued; borrowed */
    tern_workspace *workspace;
    int64_t layer;                      /* which of the workspace's layers */
    tern_tensor output;                 /* [B, S, E] T; not the input's memory */

    /* internal: a ragged batch over a pool of pages instead of workspace, B = 1 */
    const struct tern_kv *kv;
    const struct tern_ragged *batch;
    tern_tensor cos, sin;               /* internal: angles of the rows, where rope is scaled */
    /* internal, with batch, f32: [n_out] the rows that leave, output being [1, n_out, E]; n_out 0:
     * all of them */
    const int32_t *out_row;
    int64_t n_out;
} tern_transformer_layer_args;

/* One call: the tokens of input follow those in the cache. Data flow by wiring (n: norm, AR: sum
 * over ranks):
 *   pre-norm      a = AR(attn(n(x)) Wo),  r = x + a + bo,  y = AR((r + b2) / mp + mlp(n(r)))
 *   post-norm     r = n(x + AR(attn(x) Wo) + bo),  y = n(AR((r + b2) / mp + mlp(r)))
 *   parallel  y = AR((x + bo + b2) / mp + attn(n(x)) Wo + mlp(n'(x)))  n' = n where attn_nw is
 *             absent
 *   branch norms  r = x + s n(attn(n(x)) Wo + bo),  y = r + s n(mlp(n(r)));  residual_normed: x and
 *                 r behind a sign stand for n(x), n(r)
 * Source: DeepSpeedTransformerInference.forward, with its defects fixed; Hugging Face's decoder
 * layers for the last. */
TERN_API tern_status tern_transformer_layer_run(tern_transformer_layer *layer,
                                                const tern_transformer_layer_args *args);

#endif
