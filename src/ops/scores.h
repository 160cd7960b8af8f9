/* Masks and alibi over attention scores [n_seq, n_head, n_row, n_key]: what softmax and
 * softmax_context share. */
#ifndef TERN_OPS_SCORES_H
#define TERN_OPS_SCORES_H

#include "ops/operands.h"

typedef struct score_shape {
    int64_t n_seq, n_head, n_row, n_key;
    /* alibi has n_head * mp_size heads; this rank's begin at head_offset */
    int64_t mp_size, head_offset;
} score_shape;

/* mask: [B, L], [B, 1, 1, L], [B, 1, S, L] or [B, H, S, L], an axis of 1 standing for all. alibi:
 * [B * H_total, 1, L]. Either may be absent, or a placeholder of one axis and one element, which is
 * DeepSpeed's word for it. */
tern_status scores_check(tern_op *op, const score_shape *shape, const char *mask_name,
                         const tern_tensor *mask, const char *alibi_name, const tern_tensor *alibi);

tern_status scores_mask(tern_op *op, const score_shape *shape, const tern_tensor *mask,
                        tern_score_bias *out);
tern_status scores_alibi(tern_op *op, const score_shape *shape, const tern_tensor *alibi,
                         tern_score_bias *out);

#endif
