/* Rotary position embedding for ops: see rotary.h. Su et al. 2021. */
#include "ops/rotary.h"

#include <math.h>

#include "base/memory.h"

tern_status op_rotary_prepare(tern_op *op)
{
    const tern_config *c = &op->config;
    int64_t dim = c->rotary_dim;
    if (dim <= 0) return TERN_OK;
    if (dim % 2)
        return op_fail(op, TERN_ERR_ARGUMENT, "rotary_dim %lld is odd; channels rotate in pairs", (long long)dim);
    if (c->rotate_half == c->rotate_every_two)
        return op_fail(op, TERN_ERR_ARGUMENT, "rotate_half and rotate_every_two are both %s; with rotary_dim %lld "
                       "exactly one is true", c->rotate_half ? "true" : "false", (long long)dim);
    if (!(c->rope_theta > 0) || !isfinite(c->rope_theta))
        return op_fail(op, TERN_ERR_ARGUMENT, "rope_theta is %g, not above 0", c->rope_theta);
    op->inv_freq = tern_alloc(op->ctx, (size_t)dim / 2, sizeof *op->inv_freq, "rotary angles");
    if (!op->inv_freq) return TERN_ERR_MEMORY;
    for (int64_t m = 0; m < dim / 2; m++) op->inv_freq[m] = (float)pow(c->rope_theta, -2.0 * (double)m / (double)dim);
    return TERN_OK;
}

tern_status op_rotary_angles(tern_op *op, const int32_t *position, int64_t n_row, rotary_angles *angles)
{
    op_rows cos, sin;
    int64_t n = op->config.rotary_dim / 2;
    tern_status st = TERN_OK;
    TERN_TRY(op_scratch(op, n_row, n, &cos));
    TERN_TRY(op_scratch(op, n_row, n, &sin));
    *angles = (rotary_angles){ cos.data, sin.data };
    TERN_TRY(op->ctx->backend->rope_table(op->ctx, &(tern_rope_table){
        .position = position, .inv_freq = op->inv_freq, .magnitude = 1, .cos = cos.data, .sin = sin.data,
        .n_row = n_row, .n = n }));
done:
    return st;
}

tern_status op_rotary_rotate(tern_op *op, const rotary_angles *angles, const op_rows *x, int64_t n_head,
                             int64_t head_dim)
{
    return op->ctx->backend->rope(op->ctx, &(tern_rope){
        .x = x->data, .ld = x->ld, .n_row = x->n_row, .n_head = n_head, .head_dim = head_dim,
        .n = op->config.rotary_dim / 2, .cos = angles->cos, .sin = angles->sin, .pair = op->config.rotate_every_two,
        .round = op->t });
}
