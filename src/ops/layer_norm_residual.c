/* layer_norm_residual: layer norm of input + bias + residual. */
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"
#include "ops/parts.h"

static const op_arg args_table[] = {
    OP_ARG(tern_layer_norm_residual_args, input, IN, OF_T, "*C"),
    OP_ARG(tern_layer_norm_residual_args, residual, IN, OF_T, "*C"),
    OP_ARG(tern_layer_norm_residual_args, bias, MAYBE, OF_PARAM, "C"),
    OP_ARG(tern_layer_norm_residual_args, gamma, IN, OF_PARAM, "C"),
    OP_ARG(tern_layer_norm_residual_args, beta, MAYBE, OF_PARAM, "C"),
    OP_ARG(tern_layer_norm_residual_args, output, OUT, OF_T, "*C"),
    { 0 },
};

static const char *const config[] = { "layer_norm_eps", NULL };

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_layer_norm_residual_args *a = args;
    op_rows x, residual, y;
    tern_status st = TERN_OK;
    (void)d;
    TERN_TRY(op_in(op, &a->input, &x));
    TERN_TRY(op_in(op, &a->residual, &residual));
    TERN_TRY(op_out(op, &a->output, &y));
    TERN_TRY(op_norm_of_kind(op, NORM_LAYER, &(op_norm_in){
        .x = &x, .add = &residual, .bias = &a->bias, .gamma = &a->gamma, .beta = &a->beta }, &y, NULL));
    TERN_TRY(op_put(op, &y, &a->output));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    const tern_layer_norm_residual_args *a = args;
    double n = (double)d->n_row, dim = (double)op_dim(d, 'C');
    (void)op;
    c->flops = n * dim * (1 + cost_if(&a->bias)) + cost_norm(NORM_LAYER, n, dim, a->beta.data);
}

const op_desc op_layer_norm_residual = {
    .name = "layer_norm_residual", .summary = "layer norm of input + bias + residual",
    .args_size = sizeof(tern_layer_norm_residual_args), .args = args_table, .config = config, .prepare = op_need_eps,
    .cost = cost, .run = run,
};
OP_TYPED_CALL(layer_norm_residual)
