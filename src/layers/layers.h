/* What layers offer to models beside the public layer API: experts in the place of the MLP, and the
 * two ends of a model. */
#ifndef TERN_LAYERS_LAYERS_H
#define TERN_LAYERS_LAYERS_H

#include <tern/layer.h>

#include "backend/backend.h"

/* One expert: [ffn, dim], [ffn, dim], [dim, ffn], and biases (null: none). */
typedef struct tern_expert {
    tern_tensor gate, up, down;
    const float *gate_b, *up_b, *down_b;
} tern_expert;

/* A mixture of experts as model families have it: every token goes to its k best experts, none is
 * dropped, and their outputs are added in the order of the scores. All memory is borrowed. n_group,
 * n_group_used 1 and scale 1 where a family has none of it; shared.down without data: no shared
 * expert. */
typedef struct tern_experts_options {
    int64_t n_expert, k, n_group, n_group_used;
    tern_route_score score;
    bool normalize, group_pairs;
    /* limit > 0: of an activation's gate and value, as the activation primitive has it */
    float scale, limit;
    tern_act act;
    tern_dtype compute;
    tern_tensor router;                    /* [n_expert, dim] */
    const float *router_b, *choice_bias;   /* [n_expert]; null: none */
    const tern_expert *expert;             /* [n_expert] */
    tern_expert shared;                    /* takes every token */
    tern_tensor shared_score;              /* [1, dim]: its sigmoid weighs the shared expert */
} tern_experts_options;

typedef struct tern_experts {
    tern_experts_options o;
} tern_experts;

tern_status tern_experts_create(tern_ctx *ctx, const tern_experts_options *options,
                                tern_experts **out);
void tern_experts_free(tern_experts *experts);

/* y[..., dim] = sum of weight * expert(x) (+ the shared one), f32 both. */
tern_status tern_experts_run(tern_ctx *ctx, const tern_experts *experts, const tern_tensor *x,
                             tern_tensor *y);

/* The projection of multi-head latent attention (latent.c has its formula). q_a without data: q
 * comes straight from the input. */
typedef struct tern_latent {
    int64_t n_head, nope_dim, rope_dim, value_dim, kv_rank;
    /* [q_rank, dim], [q_rank], [n_head * (nope + rope), q_rank or dim] */
    tern_tensor q_a, q_a_norm, q_b;
    /* [kv_rank + rope, dim], [kv_rank], [n_head * (nope + value), kv_rank] */
    tern_tensor kv_a, kv_a_norm, kv_b;
    const float *q_a_b, *kv_a_b;           /* biases; null: none */
    tern_dtype compute;
} tern_latent;

/* qkv [..., n_head * (2 (nope + rope) + value)] of x [..., dim], f32 both. */
tern_status tern_latent_run(tern_ctx *ctx, const tern_latent *latent, const tern_tensor *x,
                            tern_tensor *qkv);

/* What stands in a layer in the place of DeepSpeed's parts; borrowed, null: nothing. */
typedef struct tern_block_parts {
    const tern_experts *experts;           /* instead of the MLP */
    const tern_latent *latent;             /* instead of the projection of q, k and v */
    /* instead of the MLP, x and y of T, whole on every rank; called with mlp_self */
    tern_status (*mlp)(void *self, const tern_tensor *x, tern_tensor *y);
    void *mlp_self;
} tern_block_parts;

/* tern_transformer_layer_create with other parts. */
tern_status tern_block_create(tern_ctx *ctx, const tern_config *config,
                              const tern_layer_weights *weights, const tern_layer_extras *extras,
                              const tern_block_parts *parts, const tern_comm *comm,
                              tern_transformer_layer **out);

/* x of any float type becomes its sum over the ranks, through f32. */
tern_status tern_ranks_sum(tern_ctx *ctx, const tern_comm *comm, tern_tensor *x);

static inline tern_weight tern_weight_of(const tern_tensor *w)
{
    return (tern_weight){ .data = w->data, .dtype = w->dtype, .out = w->shape[0], .in = w->shape[1],
                          .ld = w->stride[0] };
}

/* The first end: y[i,:] = n(scale * token[id[i],:] [. project^T] + position[pos[i] + offset,:] +
 * type[type_id[i],:]); null tables add nothing. */
typedef struct tern_embedding {
    /* [vocab, dim'], [positions, dim], [types, dim] of any float type */
    tern_tensor token, position, type;
    tern_tensor norm_w, norm_b;           /* f32; the norm over the sum */
    /* [dim, dim'], where the token table is narrower than the model */
    tern_tensor project;
    tern_norm_kind norm;
    double scale, eps;
    int64_t position_offset;
    tern_dtype compute;
} tern_embedding;
tern_status tern_embedding_run(tern_ctx *ctx, const tern_embedding *e, int64_t n_row,
                               const int32_t *id, const int32_t *position, const int32_t *type_id,
                               float *y);

/* The other end: logits[i,:] = cap(scale * (f(n(x[i,:])) . weight^T + bias)) with the parts that
 * are there: norm -> project (OPT) -> transform, activation and its norm (masked-LM heads) ->
 * weight. hidden receives n(x). */
typedef struct tern_head {
    tern_tensor norm_w, norm_b;                          /* f32 */
    tern_tensor project;                                 /* [dim', dim] */
    tern_tensor transform_w, transform_b, transform_norm_w, transform_norm_b;
    tern_act transform_act;
    tern_tensor weight, bias;                            /* [vocab, dim] */
    tern_norm_kind norm;
    double eps, scale, softcap;                          /* scale 1, softcap 0: none */
    tern_dtype compute;
} tern_head;
tern_status tern_head_run(tern_ctx *ctx, const tern_head *h, int64_t n_row, const float *x,
                          int64_t dim, float *hidden, float *logits);

#endif
