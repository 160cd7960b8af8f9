/* Arguments of ops as primitives take them: rows of f32, vectors of f32, weights as stored. What is
 * f32 already is passed through; the rest is converted in the step's arena, and outputs are
 * converted back. */
#ifndef TERN_OPS_OPERANDS_H
#define TERN_OPS_OPERANDS_H

#include "ops/op.h"

typedef struct op_rows {
    float *data;
    int64_t ld, n_row, dim;
} op_rows;

/* A tensor of T as rows; data null where the tensor is. */
tern_status op_in(tern_op *op, const tern_tensor *t, op_rows *rows);

/* Where the rows of an output are written: the tensor itself, or scratch that op_put converts. A
 * tensor without data gets scratch of the given width where wanted says so, else data null. */
tern_status op_out(tern_op *op, const tern_tensor *t, op_rows *rows);
tern_status op_put(tern_op *op, const op_rows *rows, const tern_tensor *t);

/* n_row x dim of scratch. */
tern_status op_scratch(tern_op *op, int64_t n_row, int64_t dim, op_rows *rows);

/* Any contiguous float tensor as f32; null where it is absent. */
tern_status op_floats(tern_op *op, const tern_tensor *t, const float **out);

/* Integers as i32; a value outside it is TERN_ERR_ARGUMENT naming the argument. */
tern_status op_ints(tern_op *op, const char *name, const tern_tensor *t, const int32_t **out);

/* n elements of size from the arena. */
tern_status op_memory(tern_op *op, int64_t n, size_t size, void **out);

tern_weight op_weight(const tern_op *op, const tern_tensor *w, const tern_tensor *scale);

/* The rows [first, first + n) of a weight's outputs; int8 scales that do not split there are spelt
 * out a row each. */
tern_status op_weight_slice(tern_op *op, const tern_weight *w, int64_t first, int64_t n,
                            tern_weight *out);

/* The elementwise function of an activation's name, gated or not. */
tern_act op_act(tern_activation_type type);
bool op_gated(tern_activation_type type);

/* Refuses values of the config: for prepare. */
tern_status op_need_norm(tern_op *op);
tern_status op_need_eps(tern_op *op);

#endif
