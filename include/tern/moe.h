/* tern_moe: a gate and its experts. tern_moe_layer: DeepSpeedMoEInference, a transformer layer with
 * experts in the place of its MLP. */
#ifndef TERN_MOE_H
#define TERN_MOE_H

#include <tern/comm.h>
#include <tern/config.h>
#include <tern/layer.h>
#include <tern/ops.h>

/* Parameters by DeepSpeed's names; data null: there is none. The experts are this rank's
 * moe_experts; their matrices lie [in, out] as here, or with both axes swapped under
 * config.layer.transposed_mode. int8 matrices are [out, in] with scales. Borrowed as long as the
 * object lives. Under layer.mp_size > 1 the dense MLP has this rank's F / mp_size columns
 * (mlp_inter_w, mlp_inter_b) and rows (mlp_output_w), and so have the experts with
 * enable_expert_tensor_parallelism; everything else is whole on each rank. */
typedef struct tern_moe_weights {
    /* gate.wg.weight [global_experts, M], f32 or T */
    tern_tensor gate_w;
    /* experts.inter_w [n, M, F], experts.inter_b [n, F] */
    tern_tensor inter_w, inter_b;
    /* experts.output_w [n, F, M], experts.output_b [n, M] */
    tern_tensor output_w, output_b;
    tern_tensor inter_w_scale, output_w_scale;               /* f32 [n, G] */
    /* mlp_type residual: [M, F], [F], [F, M], [M] */
    tern_tensor mlp_inter_w, mlp_inter_b, mlp_output_w, mlp_output_b;
    tern_tensor mlp_inter_w_scale, mlp_output_w_scale;
    /* coefficient.weight [2, M], coefficient.bias [2]; f32 or T */
    tern_tensor coefficient_w, coefficient_b;
} tern_moe_weights;

typedef struct tern_moe tern_moe;

/* The ranks of a mixture form a grid: ep ranks that share the experts by mp ranks that share the
 * tensors. null: one of them. */
typedef struct tern_moe_comm {
    /* ep = global_experts / moe_experts ranks in the order of the experts, each with tokens of its
     * own */
    const tern_comm *experts;
    /* layer.mp_size ranks that have the same tokens, and the same experts (or parts of them) */
    const tern_comm *tensors;
} tern_moe_comm;

/* config.layer gives dtype, activation, transposed_mode, compute and mp_size; its hidden_size is M.
 * comm: null is one process. The caller frees *out. */
TERN_API tern_status tern_moe_create(tern_ctx *ctx, const tern_moe_config *config,
                                     const tern_moe_weights *weights, const tern_moe_comm *comm,
                                     tern_moe **out);
TERN_API void tern_moe_free(tern_moe *moe);

typedef struct tern_moe_args {
    /* [..., M] T; as many rows on every rank, the same ones on those that share tensors */
    tern_tensor input;
    /* [rows] i64 or i32, 0: the token goes to no expert; k = 1 alone, optional */
    tern_tensor used_token;
    /* capacity_factor and noise instead of eval_capacity_factor and none */
    bool training;
    int64_t seed;                  /* of noise and random token selection */
    tern_tensor output;            /* [..., M] T; not the input's memory */
    tern_tensor l_aux;             /* [1] f32, optional */
    tern_tensor exp_counts;        /* [global_experts] i64, before dropping; optional */
} tern_moe_args;

/* output = sum over a token's experts of weight * expert(x),  expert(x) = f(x . W1 + b1) . W2 + b2,
 * routes by top1gating, top2gating or topkgating over
 * all rows of this rank; a token without a route gets 0. mlp_type residual: output * p0 + mlp(x) *
 * p1, p = softmax(x . coefficient_w^T + coefficient_b). Ranks that share tensors get the same
 * output: experts that are whole on each take a share of every expert's slots each, and gather the
 * outputs; of experts that are split, each adds its part to a sum.
 * Source: DeepSpeed MOELayer and MoE.forward (deepspeed/moe), DeepSpeedMoEInference with its
 * defects fixed. */
TERN_API tern_status tern_moe_run(tern_moe *moe, const tern_moe_args *args);

typedef struct tern_moe_layer tern_moe_layer;

/* attention: norm_w, norm_b, attn_* (this rank's heads under mp_size > 1) and attn_nw, attn_nb of a
 * layer; its MLP is not read. mlp_after_attn must be true. */
TERN_API tern_status tern_moe_layer_create(tern_ctx *ctx, const tern_moe_config *config,
                                           const tern_layer_weights *attention,
                                           const tern_moe_weights *weights,
                                           const tern_moe_comm *comm, tern_moe_layer **out);
TERN_API void tern_moe_layer_free(tern_moe_layer *layer);

typedef struct tern_moe_layer_args {
    tern_tensor input, attn_mask, alibi, position_ids;    /* as in tern_transformer_layer_args */
    tern_workspace *workspace;
    int64_t layer;
    tern_tensor used_token;                               /* and these as in tern_moe_args */
    bool training;
    int64_t seed;
    tern_tensor output, l_aux, exp_counts;
} tern_moe_layer_args;

/* r = x + attn(n(x)) Wo + bo,  y = r + moe(n'(r)); post-norm: r = x + attn(x) Wo + bo,  y = n(r +
 * moe(n'(r))); n by norm_w, n' by attn_nw.
 * Source: DeepSpeedMoEInference.forward, with the layer's input added as in DeepSpeed's other
 * layers. */
TERN_API tern_status tern_moe_layer_run(tern_moe_layer *layer, const tern_moe_layer_args *args);

#endif
