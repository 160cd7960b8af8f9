/* Rotary position embedding by the config's rotary_dim, pairing and rope_theta: what
 * softmax_context and apply_rotary_pos_emb share. */
#ifndef TERN_OPS_ROTARY_H
#define TERN_OPS_ROTARY_H

#include "ops/operands.h"

typedef struct rotary_angles {
    const float *cos, *sin;    /* [n_row, rotary_dim / 2] */
} rotary_angles;

/* Checks the config's rotary fields and makes the angles of one position, which live as long as the
 * op. */
tern_status op_rotary_prepare(tern_op *op);

tern_status op_rotary_angles(tern_op *op, const int32_t *position, int64_t n_row,
                             rotary_angles *angles);

/* Rotates the first rotary_dim channels of each head of x, in place. */
tern_status op_rotary_rotate(tern_op *op, const rotary_angles *angles, const op_rows *x,
                             int64_t n_head, int64_t head_dim);

#endif
