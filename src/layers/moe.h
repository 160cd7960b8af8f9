/* What the files of the mixture-of-experts layer share: the object, its tensors in the step's
 * arena, and the exchange of tokens. */
#ifndef TERN_LAYERS_MOE_H
#define TERN_LAYERS_MOE_H

#include <tern/moe.h>

#include "backend/backend.h"
#include "base/ctx.h"

struct tern_moe {
    tern_ctx *ctx;
    tern_moe_config config;
    tern_moe_weights w;
    const tern_comm *experts, *tensors;
    tern_dtype t;
    int64_t dim;                                                  /* M */
    tern_op *score, *gate, *expert, *bias;     /* logits in f32; routes; one expert */
    tern_op *coefficient, *share, *mix;                           /* mlp_type residual */
    tern_op *mask, *weigh;                                        /* einsum_dispatch */
};

/* One call's routes, and where each expert's tokens lie among the slots. */
typedef struct moe_routes {
    int64_t n_row, k, capacity;      /* capacity: slots of each expert; the same on all ranks */
    /* those of them that this rank's experts take: all, or its part among the ranks that share
     * tensors */
    int64_t share;
    int64_t n_slot;
    /* [global_experts]: each expert's first slot, and how many are in use */
    int64_t *first, *count;
    tern_tensor index, location, gate;    /* [k, n_row], as the gates give them */
    float *weight;                   /* [n_row, k] */
    int32_t *slot;                   /* [n_row, k], -1: none */
} moe_routes;

/* A tensor [n, dim] in the arena; data null: TERN_ERR_MEMORY is set. */
tern_tensor moe_rows(tern_moe *moe, tern_dtype dtype, int64_t n, int64_t dim);

/* x as another float type: itself where it is that already. */
tern_status moe_convert(tern_moe *moe, const tern_tensor *x, tern_dtype dtype, tern_tensor *y);
tern_status moe_convert_into(tern_moe *moe, const tern_tensor *x, tern_tensor *y);

/* The routes that the gate gives to logits [n_row, global_experts] f32. */
tern_status moe_choose(tern_moe *moe, const tern_moe_args *args, const tern_tensor *logits,
                       moe_routes *routes);

/* y = the tokens' weighted sums of their experts; x, y [n_row, M] T. */
tern_status moe_experts(tern_moe *moe, const moe_routes *routes, const tern_tensor *x,
                        tern_tensor *y);

#endif
