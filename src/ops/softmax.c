/* softmax: scores that lie whole in memory, with scale, alibi, mask, causal limit and window. */
#include <math.h>

#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"
#include "ops/scores.h"

static const op_arg args_table[] = {
    OP_ARG(tern_softmax_args, attn_scores, IN, OF_T, "bHsl"),
    OP_ARG(tern_softmax_args, attn_mask, MAYBE, OF_PARAM, "?"),
    OP_ARG(tern_softmax_args, alibi, MAYBE, OF_PARAM, "?"),
    OP_ARG(tern_softmax_args, output, OUT, OF_T, "bHsl"),
    { 0 },
};

static const field options[] = {
    { "triangular", NULL, FIELD_NOT, offsetof(tern_softmax_args, not_triangular), 0, 0, NULL, NULL },
    { "layer_scale", NULL, FIELD_NUMBER, offsetof(tern_softmax_args, layer_scale), 0, 0, NULL, NULL },
    { "head_offset", NULL, FIELD_INT, offsetof(tern_softmax_args, head_offset), 0, 1e9, NULL, NULL },
    { "recompute", NULL, FIELD_IGNORED, 0, 0, 0, NULL, NULL },
    { "async_op", NULL, FIELD_IGNORED, 0, 0, 0, NULL, NULL },
    { 0 },
};

static const char *const config[] = { "local_attention", "window_size", "mp_size", NULL };
static const tern_softmax_args defaults = { .layer_scale = 1 };

static tern_status prepare(tern_op *op)
{
    const tern_config *c = &op->config;
    if (c->local_attention && c->window_size < 1)
        return op_fail(op, TERN_ERR_ARGUMENT, "window_size is %lld, not 1 or more", (long long)c->window_size);
    return c->mp_size >= 1 ? TERN_OK
                           : op_fail(op, TERN_ERR_ARGUMENT, "mp_size is %lld, not 1 or more", (long long)c->mp_size);
}

static score_shape shape_of(const tern_op *op, const tern_softmax_args *a, const op_dims *d)
{
    return (score_shape){
        .n_seq = op_dim(d, 'b'), .n_head = op_dim(d, 'h'), .n_row = op_dim(d, 's'), .n_key = op_dim(d, 'l'),
        .mp_size = op->config.mp_size, .head_offset = a->head_offset };
}

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    const tern_softmax_args *a = args;
    score_shape shape = shape_of(op, a, d);
    d->n_row = shape.n_seq * shape.n_row * (shape.n_key > 0);
    if (!isfinite(a->layer_scale))
        return op_fail(op, TERN_ERR_ARGUMENT, "layer_scale is %g, not a finite number", a->layer_scale);
    return scores_check(op, &shape, "attn_mask", &a->attn_mask, "alibi", &a->alibi);
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_softmax_args *a = args;
    score_shape shape = shape_of(op, a, d);
    op_rows x, y;
    tern_status st = TERN_OK;
    bool window = op->config.local_attention;
    TERN_TRY(op_in(op, &a->attn_scores, &x));
    TERN_TRY(op_out(op, &a->output, &y));
    tern_softmax s = {
        .x = x.data, .y = y.data, .n_seq = shape.n_seq, .n_head = shape.n_head, .n_row = shape.n_row,
        .n_key = shape.n_key, .scale = (float) a->layer_scale, .causal = !a->not_triangular || window,
        .window = window ? op->config.window_size : 0, .round = op->t };
    TERN_TRY(scores_mask(op, &shape, &a->attn_mask, &s.mask));
    TERN_TRY(scores_alibi(op, &shape, &a->alibi, &s.alibi));
    TERN_TRY(op->ctx->backend->softmax(op->ctx, &s));
    TERN_TRY(op_put(op, &y, &a->output));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    const tern_softmax_args *a = args;
    bool window = op->config.local_attention;
    double seen = cost_seen(op_dim(d, 's'), op_dim(d, 'l'), !a->not_triangular || window,
                            window ? op->config.window_size : 0);
    double each = 5 + (a->layer_scale != 1) + cost_if(&a->attn_mask) + cost_if(&a->alibi);
    c->flops = (double)op_dim(d, 'b') * (double)op_dim(d, 'h') * seen * each;
}

const op_desc op_softmax = {
    .name = "softmax", .summary = "softmax of scores with alibi, masks, causal limit and window",
    .args_size = sizeof(tern_softmax_args), .args = args_table, .options = options, .defaults = &defaults,
    .config = config, .prepare = prepare, .check = check, .cost = cost, .run = run,
};
OP_TYPED_CALL(softmax)
