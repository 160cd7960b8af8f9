/* bias_add, bias_gelu, bias_relu: a bias added to every row, and an activation of the sum. */
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"

static const op_arg args_table[] = {
    OP_ARG(tern_bias_add_args, input, IN, OF_T, "*C"),
    OP_ARG(tern_bias_add_args, bias, MAYBE, OF_PARAM, "C"),
    OP_ARG(tern_bias_add_args, output, OUT, OF_T, "*C"),
    { 0 },
};

static const char *const config[] = { NULL };

static tern_status activate(tern_op *op, const tern_bias_add_args *a, tern_act act)
{
    op_rows x, y;
    const float *bias;
    tern_status st = TERN_OK;
    TERN_TRY(op_in(op, &a->input, &x));
    TERN_TRY(op_floats(op, &a->bias, &bias));
    TERN_TRY(op_out(op, &a->output, &y));
    TERN_TRY(op->ctx->backend->activation(op->ctx, &(tern_activation){
        .act = act, .x = x.data, .ldx = x.ld, .bias = bias, .y = y.data, .ldy = y.ld, .n_row = x.n_row, .dim = x.dim,
        .round = op->t }));
    TERN_TRY(op_put(op, &y, &a->output));
done:
    return st;
}

static tern_status run_add(tern_op *op, const void *args, const op_dims *d)
{
    (void)d;
    return activate(op, args, ACT_NONE);
}

static tern_status run_gelu(tern_op *op, const void *args, const op_dims *d)
{
    (void)d;
    return activate(op, args, ACT_GELU_TANH);
}

static tern_status run_relu(tern_op *op, const void *args, const op_dims *d)
{
    (void)d;
    return activate(op, args, ACT_RELU);
}

static void cost_add(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    const tern_bias_add_args *a = args;
    (void)op;
    c->flops = (double)d->n_row * (double)op_dim(d, 'C') * cost_if(&a->bias);
}

static void cost_activated(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    cost_add(op, args, d, c);
    c->flops += (double)d->n_row * (double)op_dim(d, 'C');
}

#define BIAS_OP(op_name, summary_text, function, cost_function) \
    const op_desc op_##op_name = { .name = #op_name, .summary = summary_text, .args_size = sizeof(tern_bias_add_args), \
                                   .args = args_table, \
                                   .config = config, .cost = cost_function, .run = function }; \
    OP_TYPED_CALL(op_name)

BIAS_OP(bias_add, "a bias added to every row", run_add, cost_add)
BIAS_OP(bias_gelu, "tanh gelu of rows and a bias", run_gelu, cost_activated)
BIAS_OP(bias_relu, "relu of rows and a bias", run_relu, cost_activated)
