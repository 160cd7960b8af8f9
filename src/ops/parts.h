/* Steps that several ops share: norms by the config's kind, and products with q, k and v in one
 * piece or three. */
#ifndef TERN_OPS_PARTS_H
#define TERN_OPS_PARTS_H

#include "ops/operands.h"

/* Up to three weights whose outputs lie side by side in the columns of y; absent ones (no data, or
 * null behind the first) have none. */
typedef struct op_parts {
    const tern_tensor *weight[3], *scale[3], *bias[3];
} op_parts;
tern_status op_matmul_parts(tern_op *op, const op_parts *parts, const op_rows *x, const op_rows *y);

/* Binds 'O' to the outputs of all parts: N, and P and Q where k and v are there; one of these
 * without the other is an error. */
tern_status op_check_parts(tern_op *op, const tern_tensor *weight_k, const tern_tensor *weight_v,
                           op_dims *d);

/* y = norm(s), s = x + bias + add; sum (null: not wanted) receives s. */
typedef struct op_norm_in {
    const op_rows *x, *add;              /* add: null is none */
    const tern_tensor *bias, *gamma, *beta;    /* null or without data: none */
} op_norm_in;
tern_status op_norm(tern_op *op, const op_norm_in *in, const op_rows *y, const op_rows *sum);
tern_status op_norm_of_kind(tern_op *op, tern_norm_kind kind, const op_norm_in *in,
                            const op_rows *y, const op_rows *sum);

/* DeepSpeed's padded size of a head: 32 (below 32), 64 (to 64) or 128; larger heads are an
 * error. */
tern_status op_padded_head(tern_op *op, int64_t head_dim, int64_t *padded);

#endif
