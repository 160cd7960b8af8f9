/* residual_add: the sum at a block's end, in DeepSpeed's three forms. */
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"

static const op_arg args_table[] = {
    OP_ARG(tern_residual_add_args, hidden_state, IN, OF_T, "*E"),
    OP_ARG(tern_residual_add_args, residual, IN, OF_T, "*E"),
    OP_ARG(tern_residual_add_args, attention_output, MAYBE, OF_T, "*E"),
    OP_ARG(tern_residual_add_args, attention_bias, MAYBE, OF_PARAM, "E"),
    OP_ARG(tern_residual_add_args, final_bias, MAYBE, OF_PARAM, "E"),
    OP_ARG(tern_residual_add_args, residual_add, MAYBE, OF_T, "*E"),
    OP_ARG(tern_residual_add_args, output, OUT, OF_T, "*E"),
    { 0 },
};

static const field options[] = {
    { "add_bias", NULL, FIELD_NOT, offsetof(tern_residual_add_args, no_bias), 0, 0, NULL, NULL },
    { 0 },
};

static const char *const config[] = { "mlp_after_attn", "pre_layer_norm", "mp_size", NULL };

static tern_status prepare(tern_op *op)
{
    return op->config.mp_size >= 1 ? TERN_OK : op_fail(op, TERN_ERR_ARGUMENT, "mp_size is %lld, not 1 or more",
                                                       (long long)op->config.mp_size);
}

/* One vector for two biases; either may be missing. */
static tern_status add_biases(tern_op *op, const tern_tensor *first, const tern_tensor *second, int64_t dim,
                              const float **out)
{
    const float *a, *b;
    op_rows sum;
    tern_status st = TERN_OK;
    TERN_TRY(op_floats(op, first, &a));
    TERN_TRY(op_floats(op, second, &b));
    *out = a ? a : b;
    if (!a || !b) return TERN_OK;
    TERN_TRY(op_scratch(op, 1, dim, &sum));
    *out = sum.data;
    TERN_TRY(op->ctx->backend->add(op->ctx, &(tern_add){
        .a = a, .c = b, .y = sum.data, .alpha = 1, .n_row = 1, .dim = dim, .lda = dim, .ldc = dim, .ldy = dim }));
done:
    return st;
}

/* y = round(alpha * (r + bias + c) + b) */
static tern_status add(tern_op *op, const op_rows *r, const float *bias, const op_rows *c, const op_rows *b,
                       float alpha, const op_rows *y, tern_dtype round)
{
    return op->ctx->backend->add(op->ctx, &(tern_add){
        .a = r->data, .lda = r->ld, .bias = bias, .c = c->data, .ldc = c->ld, .b = b->data, .ldb = b->ld, .y = y->data,
        .ldy = y->ld, .alpha = alpha, .n_row = r->n_row, .dim = r->dim, .round = round });
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    static const op_rows none;
    static const tern_tensor no_tensor;
    const tern_residual_add_args *a = args;
    const tern_config *c = &op->config;
    float share = 1.0f / (float)c->mp_size;
    const float *bias;
    op_rows h, r, attention, y;
    bool post = c->mlp_after_attn && !c->pre_layer_norm, parallel = !c->mlp_after_attn,
        with_ab = !post && !(parallel && a->no_bias);
    tern_status st = TERN_OK;
    TERN_TRY(op_in(op, &a->hidden_state, &h));
    TERN_TRY(op_in(op, post && a->residual_add.data ? &a->residual_add : &a->residual, &r));
    TERN_TRY(op_in(op, &a->attention_output, &attention));
    TERN_TRY(op_out(op, &a->output, &y));
    TERN_TRY(add_biases(op, &a->final_bias, with_ab ? &a->attention_bias : &no_tensor, op_dim(d, 'E'), &bias));
    if (post) {
        TERN_TRY(add(op, &r, bias, &none, &h, 1, &y, op->t));
    } else if (parallel && attention.data) {
        op_rows branches;
        TERN_TRY(op_scratch(op, d->n_row, op_dim(d, 'E'), &branches));
        TERN_TRY(add(op, &h, NULL, &attention, &none, 1, &branches, TERN_F32));
        TERN_TRY(add(op, &r, bias, &none, &branches, share, &y, op->t));
    } else {
        TERN_TRY(add(op, &r, bias, parallel ? &none : &attention, &h, share, &y, op->t));
    }
    TERN_TRY(op_put(op, &y, &a->output));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    const tern_residual_add_args *a = args;
    bool post = op->config.mlp_after_attn && !op->config.pre_layer_norm,
        no_ab = post || (!op->config.mlp_after_attn && a->no_bias);
    double terms = 2 + cost_if(&a->final_bias);    /* the residual, the MLP's output */
    if (no_ab) cost_unread(c, &a->attention_bias);
    else terms += cost_if(&a->attention_bias);
    if (post) cost_unread(c, &a->attention_output);
    else terms += cost_if(&a->attention_output);
    if (!post) cost_unread(c, &a->residual_add);
    else if (a->residual_add.data) cost_unread(c, &a->residual);
    c->flops = (double)d->n_row * (double)op_dim(d, 'E') * (terms - 1 + (!post && op->config.mp_size > 1));
}

const op_desc op_residual_add = {
    .name = "residual_add", .summary = "the sum at a block's end: residual, attention, MLP and their biases",
    .args_size = sizeof(tern_residual_add_args), .args = args_table, .options = options, .config = config,
    .prepare = prepare, .cost = cost, .run = run,
};
OP_TYPED_CALL(residual_add)
