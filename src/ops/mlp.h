/* The MLP that gelu_gemm and mlp_gemm share: an activation between two products, plain or gated. */
#ifndef TERN_OPS_MLP_H
#define TERN_OPS_MLP_H

#include "ops/operands.h"

/* Gated: value holds [value | gate] in one piece where gate has no data. */
typedef struct op_mlp {
    const tern_tensor *value, *gate, *out, *value_scale, *gate_scale, *out_scale, *value_bias,
        *gate_bias;
} op_mlp;

/* refuses an activation that is none */
tern_status op_mlp_prepare(tern_op *op);
/* 'W' against 'I' */
tern_status op_mlp_check(tern_op *op, const op_mlp *mlp, const char *value_name, op_dims *d);
/* The operations of both products, the biases, the activation and the gate; x and y have the
 * letters in and out. */
double op_mlp_flops(const tern_op *op, const op_mlp *mlp, const op_dims *d, char in, char out);
tern_status op_mlp_run(tern_op *op, const op_mlp *mlp, const op_rows *x, const op_rows *y);

#endif
