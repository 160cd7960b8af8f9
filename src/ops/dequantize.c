/* dequantize: an int8 weight matrix and its scales as f16. */
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"

static const op_arg args_table[] = {
    OP_ARG(tern_dequantize_args, weight, IN, OF_I8, "NK"),
    { "weight.scale", offsetof(tern_dequantize_args, weight_scale), IN, OF_F32, "G" },
    OP_ARG(tern_dequantize_args, output, OUT, OF_F16, "NK"),
    { 0 },
};

static const field options[] = {
    { "groups", NULL, FIELD_INT, offsetof(tern_dequantize_args, groups), 1, 1e15, NULL, NULL },
    { 0 },
};

static const char *const config[] = { NULL };

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    const tern_dequantize_args *a = args;
    int64_t rows = op_dim(d, 'N'), groups = op_dim(d, 'G');
    if (a->groups && a->groups != groups)
        return op_fail(op, TERN_ERR_SHAPE, "groups is %lld, and weight.scale has %lld", (long long)a->groups,
                       (long long)groups);
    if (rows % groups)
        return op_fail(op, TERN_ERR_SHAPE, "weight.scale has %lld groups, which do not divide the %lld rows of weight",
                       (long long)groups, (long long)rows);
    return TERN_OK;
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_dequantize_args *a = args;
    int64_t groups = op_dim(d, 'G');
    op_rows y;
    tern_status st = TERN_OK;
    TERN_TRY(op_out(op, &a->output, &y));
    TERN_TRY(op->ctx->backend->dequantize(op->ctx, &(tern_dequantize){
        .q = a->weight.data, .scale = a->weight_scale.data, .y = y.data, .n_group = groups,
        .n = op_dim(d, 'N') * op_dim(d, 'K') / groups, .round = TERN_F16 }));
    TERN_TRY(op_put(op, &y, &a->output));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    (void)op;
    (void)args;
    c->flops = (double)op_dim(d, 'N') * (double)op_dim(d, 'K');
}

const op_desc op_dequantize = {
    .name = "dequantize", .summary = "an int8 weight matrix and its scales as f16",
    .args_size = sizeof(tern_dequantize_args), .args = args_table, .options = options, .config = config, .check = check,
    .cost = cost, .run = run,
};
OP_TYPED_CALL(dequantize)
