/* nhwc_bias_add: biases and another tensor added to one with its channels last. */
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"

static const op_arg args_table[] = {
    OP_ARG(tern_nhwc_bias_add_args, input, IN, OF_T, "*C"),
    OP_ARG(tern_nhwc_bias_add_args, bias, IN, OF_PARAM, "C"),
    OP_ARG(tern_nhwc_bias_add_args, other, MAYBE, OF_T, "*C"),
    OP_ARG(tern_nhwc_bias_add_args, other_bias, MAYBE, OF_PARAM, "C"),
    OP_ARG(tern_nhwc_bias_add_args, output, OUT, OF_T, "*C"),
    { 0 },
};

static const char *const config[] = { NULL };

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    const tern_nhwc_bias_add_args *a = args;
    (void)d;
    if (a->other_bias.data && !a->other.data)
        return op_fail(op, TERN_ERR_ARGUMENT, "other_bias is given and other is missing");
    return TERN_OK;
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_nhwc_bias_add_args *a = args;
    op_rows x, other, y;
    const float *bias, *other_bias;
    tern_status st = TERN_OK;
    TERN_TRY(op_in(op, &a->input, &x));
    TERN_TRY(op_in(op, &a->other, &other));
    TERN_TRY(op_floats(op, &a->bias, &bias));
    TERN_TRY(op_floats(op, &a->other_bias, &other_bias));
    TERN_TRY(op_out(op, &a->output, &y));
    if (other_bias) {
        op_rows both;
        TERN_TRY(op_scratch(op, 1, op_dim(d, 'C'), &both));
        TERN_TRY(op->ctx->backend->add(op->ctx, &(tern_add){
            .a = bias, .b = other_bias, .y = both.data, .alpha = 1, .n_row = 1, .dim = both.dim, .lda = both.dim,
            .ldb = both.dim, .ldy = both.dim }));
        bias = both.data;
    }
    TERN_TRY(op->ctx->backend->add(op->ctx, &(tern_add){
        .a = x.data, .lda = x.ld, .bias = bias, .c = other.data, .ldc = other.ld, .y = y.data, .ldy = y.ld, .alpha = 1,
        .n_row = x.n_row, .dim = x.dim, .round = op->t }));
    TERN_TRY(op_put(op, &y, &a->output));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    const tern_nhwc_bias_add_args *a = args;
    (void)op;
    c->flops = (double)d->n_row * (double)op_dim(d, 'C') * (1 + cost_if(&a->other) + cost_if(&a->other_bias));
}

const op_desc op_nhwc_bias_add = {
    .name = "nhwc_bias_add", .summary = "biases and another tensor added, channels last",
    .args_size = sizeof(tern_nhwc_bias_add_args), .args = args_table, .config = config, .check = check, .cost = cost,
    .run = run,
};
OP_TYPED_CALL(nhwc_bias_add)
