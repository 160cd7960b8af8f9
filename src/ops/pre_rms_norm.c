/* pre_rms_norm: a residual sum and its RMS norm. */
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"
#include "ops/parts.h"

static const op_arg args_table[] = {
    OP_ARG(tern_pre_rms_norm_args, input, IN, OF_T, "*C"),
    OP_ARG(tern_pre_rms_norm_args, residual, IN, OF_T, "*C"),
    OP_ARG(tern_pre_rms_norm_args, gamma, IN, OF_PARAM, "C"),
    OP_ARG(tern_pre_rms_norm_args, output, OUT, OF_T, "*C"),
    { "residual", offsetof(tern_pre_rms_norm_args, residual_output), OUT_MAYBE, OF_T, "*C" },
    { 0 },
};

static const char *const config[] = { "layer_norm_eps", NULL };

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_pre_rms_norm_args *a = args;
    op_rows x, residual, y, sum;
    tern_status st = TERN_OK;
    TERN_TRY(op_in(op, &a->input, &x));
    TERN_TRY(op_in(op, &a->residual, &residual));
    TERN_TRY(op_out(op, &a->output, &y));
    if (a->residual_output.data) TERN_TRY(op_out(op, &a->residual_output, &sum));
    else TERN_TRY(op_scratch(op, d->n_row, op_dim(d, 'C'), &sum));
    TERN_TRY(op_norm_of_kind(op, NORM_RMS, &(op_norm_in){ .x = &x, .add = &residual, .gamma = &a->gamma }, &y, &sum));
    TERN_TRY(op_put(op, &y, &a->output));
    TERN_TRY(op_put(op, &sum, &a->residual_output));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    double n = (double)d->n_row, dim = (double)op_dim(d, 'C');
    (void)op;
    (void)args;
    c->flops = n * dim + cost_norm(NORM_RMS, n, dim, false);
}

const op_desc op_pre_rms_norm = {
    .name = "pre_rms_norm", .summary = "a residual sum and its RMS norm", .args_size = sizeof(tern_pre_rms_norm_args),
    .args = args_table, .config = config, .prepare = op_need_eps, .cost = cost, .run = run,
};
OP_TYPED_CALL(pre_rms_norm)
