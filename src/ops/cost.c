/* Operations and bytes of a run: see cost.h. The helpers are called by ops; tern_op_cost by the
 * program and by users. */
#include "ops/cost.h"

double cost_product(double n, double in, double out)
{
    return 2 * n * in * out;
}

double cost_norm(tern_norm_kind kind, double n, double dim, bool beta)
{
    double flops = beta ? 7 : 6;
    if (kind == NORM_RMS) flops = 4;
    return n * dim * flops;
}

double cost_norm_of(const tern_op *op, double n, double dim, bool beta)
{
    return cost_norm(op->config.norm_type == TERN_NORM_RMS ? NORM_RMS : NORM_LAYER, n, dim, beta);
}

double cost_seen(int64_t n_row, int64_t n_key, bool causal, int64_t window)
{
    double seen = 0;
    if (!causal) return (double)n_row * (double)n_key;
    for (int64_t p = n_key > n_row ? n_key - n_row : 0; p < n_key; p++)
        seen += (double)(window && window <= p ? window : p + 1);
    return seen;
}

void cost_unread(tern_cost *cost, const tern_tensor *t)
{
    if (t->data) cost->read_bytes -= (double)tern_tensor_count(t) * (double)tern_dtype_bytes(t->dtype);
}
