/* What layers offer to models beside the public layer API: experts in the place of the MLP, and the two ends of a model. */
#ifndef TERN_LAYERS_LAYERS_H
#define TERN_LAYERS_LAYERS_H

#include <tern/layer.h>

#include "backend/backend.h"

/* A mixture of experts as model families have it: every token goes to its n_used best experts, none is dropped, and their outputs are added in the
 * order of the scores. Weights are [ffn, dim], [ffn, dim] and [dim, ffn] of each expert, borrowed. */
typedef struct tern_experts tern_experts;
tern_status tern_experts_run(tern_ctx *ctx, const tern_experts *experts, const tern_tensor *x, tern_tensor *y);

/* tern_transformer_layer_create with experts instead of the MLP (null: the MLP). experts is borrowed. */
tern_status tern_block_create(tern_ctx *ctx, const tern_config *config, const tern_layer_weights *weights, const tern_layer_extras *extras,
                              const tern_experts *experts, const tern_comm *comm, tern_transformer_layer **out);

/* The first end: y[i,:] = n(scale * token[id[i],:] + position[pos[i] + offset,:] + type[type_id[i],:]) [project^T]; null tables add nothing. */
typedef struct tern_embedding {
    tern_tensor token, position, type;    /* [vocab, dim], [positions, dim], [types, dim] of any float type */
    tern_tensor norm_w, norm_b;           /* f32; the norm over the sum */
    tern_tensor project;                  /* [model dim, dim] */
    tern_norm_kind norm;
    double scale, eps;
    int64_t position_offset;
    tern_dtype compute;
} tern_embedding;
tern_status tern_embedding_run(tern_ctx *ctx, const tern_embedding *e, int64_t n_row, const int32_t *id, const int32_t *position, const int32_t *type_id, float *y);

/* The other end: logits[i,:] = cap(scale * (f(n(x[i,:])) . weight^T + bias)) with the parts that are there:
 * norm -> project (OPT) -> transform, activation and its norm (masked-LM heads) -> weight. hidden receives n(x). */
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
tern_status tern_head_run(tern_ctx *ctx, const tern_head *h, int64_t n_row, const float *x, int64_t dim, float *hidden, float *logits);

#endif
