/* Pieces that ops make their costs of. The rule is tern_op_cost's in <tern/ops.h>: an addition,
 * multiplication, comparison or function value is one operation; inputs are read once and outputs
 * written once. An op's own cost function starts from the bytes of its arguments, and says the
 * operations. */
#ifndef TERN_OPS_COST_H
#define TERN_OPS_COST_H

#include "ops/op.h"

/* n rows of in times [in, out]. */
double cost_product(double n, double in, double out);

/* n rows normed: mean, variance, scale and shift (LayerNorm: 6, and 1 with beta); mean square and
 * scale (RMSNorm: 4). */
double cost_norm(tern_norm_kind kind, double n, double dim, bool beta);
/* by the config's norm_type */
double cost_norm_of(const tern_op *op, double n, double dim, bool beta);

/* How many keys n_row rows at the end of n_key keys see together. window 0: none. */
double cost_seen(int64_t n_row, int64_t n_key, bool causal, int64_t window);

/* 1 where the tensor is there, else 0. */
static inline double cost_if(const tern_tensor *t)
{
    return t->data ? 1 : 0;
}

/* An argument that is given and not read. */
void cost_unread(tern_cost *cost, const tern_tensor *t);

#endif
