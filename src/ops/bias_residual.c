/* bias_residual: output, residual and a bias summed. */
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"

static const op_arg args_table[] = {
    OP_ARG(tern_bias_residual_args, output, IN, OF_T, "*C"),
    OP_ARG(tern_bias_residual_args, residual, IN, OF_T, "*C"),
    OP_ARG(tern_bias_residual_args, bias, MAYBE, OF_PARAM, "?"),
    { "output", offsetof(tern_bias_residual_args, result), OUT, OF_T, "*C" },
    { 0 },
};

static const char *const config[] = { NULL };

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    const tern_bias_residual_args *a = args;
    int64_t n = tern_tensor_count(&a->bias), dim = op_dim(d, 'C');
    if (!a->bias.data || (a->bias.rank == 1 && (n == 1 || n == dim))) return TERN_OK;
    return op_fail(op, TERN_ERR_SHAPE, "bias has %lld elements, not %lld, or 1 for none", (long long)n, (long long)dim);
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_bias_residual_args *a = args;
    op_rows x, residual, y;
    const float *bias;
    tern_status st = TERN_OK;
    TERN_TRY(op_in(op, &a->output, &x));
    TERN_TRY(op_in(op, &a->residual, &residual));
    TERN_TRY(op_floats(op, &a->bias, &bias));
    TERN_TRY(op_out(op, &a->result, &y));
    if (a->bias.data && tern_tensor_count(&a->bias) != op_dim(d, 'C')) bias = NULL;
    TERN_TRY(op->ctx->backend->add(op->ctx, &(tern_add){
        .a = x.data, .lda = x.ld, .bias = bias, .c = residual.data, .ldc = residual.ld, .y = y.data, .ldy = y.ld,
        .alpha = 1, .n_row = x.n_row, .dim = x.dim, .round = op->t }));
    TERN_TRY(op_put(op, &y, &a->result));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    const tern_bias_residual_args *a = args;
    bool biased = a->bias.data && tern_tensor_count(&a->bias) == op_dim(d, 'C');
    (void)op;
    if (!biased) cost_unread(c, &a->bias);
    c->flops = (double)d->n_row * (double)op_dim(d, 'C') * (biased ? 2 : 1);
}

const op_desc op_bias_residual = {
    .name = "bias_residual", .summary = "output, residual and a bias summed",
    .args_size = sizeof(tern_bias_residual_args), .args = args_table, .config = config, .check = check, .cost = cost,
    .run = run,
};
OP_TYPED_CALL(bias_residual)
