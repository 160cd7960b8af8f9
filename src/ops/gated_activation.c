/* gated_activation: the first half of each row times the activation of the second. */
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"

static const op_arg args_table[] = {
    OP_ARG(tern_gated_activation_args, activation, IN, OF_T, "*W"),
    OP_ARG(tern_gated_activation_args, bias, MAYBE, OF_PARAM, "W"),
    OP_ARG(tern_gated_activation_args, output, OUT, OF_T, "*C"),
    { 0 },
};

static const char *const config[] = { "mlp_act_func_type", NULL };

static tern_status prepare(tern_op *op)
{
    int act = (int)op->config.mlp_act_func_type;
    if (op_gated(op->config.mlp_act_func_type)) return TERN_OK;
    return op_fail(op, TERN_ERR_UNSUPPORTED, "mlp_act_func_type is %s (%d), which has no gate; it may be GATED_GELU, "
                   "GATED_SILU, GATED_GELU_TANH or GATED_RELU", field_name_of(names_of_activations, act), act);
}

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    int64_t wide = op_dim(d, 'W');
    (void)args;
    op_bind(d, 'C', wide / 2);
    return wide % 2 ? op_fail(op, TERN_ERR_SHAPE, "activation has %lld channels, which are not two halves",
                              (long long)wide) : TERN_OK;
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_gated_activation_args *a = args;
    op_rows x, y;
    const float *bias;
    tern_status st = TERN_OK;
    (void)d;
    TERN_TRY(op_in(op, &a->activation, &x));
    TERN_TRY(op_floats(op, &a->bias, &bias));
    TERN_TRY(op_out(op, &a->output, &y));
    TERN_TRY(op->ctx->backend->activation(op->ctx, &(tern_activation){
        .act = op_act(op->config.mlp_act_func_type), .gated = true, .x = x.data, .ldx = x.ld, .bias = bias, .y = y.data,
        .ldy = y.ld, .n_row = x.n_row, .dim = y.dim, .round = op->t }));
    TERN_TRY(op_put(op, &y, &a->output));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    const tern_gated_activation_args *a = args;
    (void)op;
    c->flops = (double)d->n_row * (double)op_dim(d, 'C') * (2 + 2 * cost_if(&a->bias));
}

const op_desc op_gated_activation = {
    .name = "gated_activation", .summary = "half of each row times the activation of the other half",
    .args_size = sizeof(tern_gated_activation_args), .args = args_table, .config = config, .prepare = prepare,
    .check = check, .cost = cost, .run = run,
};
OP_TYPED_CALL(gated_activation)
