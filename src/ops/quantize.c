/* quantize: a weight matrix as int8 with a scale for each group of rows. */
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"

static const op_arg args_table[] = {
    OP_ARG(tern_quantize_args, weight, IN, OF_PARAM, "NK"),
    OP_ARG(tern_quantize_args, q, OUT, OF_I8, "NK"),
    OP_ARG(tern_quantize_args, scale, OUT, OF_F32, "G"),
    { 0 },
};

static const field options[] = {
    { "num_groups", NULL, FIELD_INT, offsetof(tern_quantize_args, num_groups), 0, 1e15, NULL, NULL },
    { "group_size", NULL, FIELD_INT, offsetof(tern_quantize_args, group_size), 1, 1e15, NULL, NULL },
    { 0 },
};

static const char *const config[] = { NULL };
static const tern_quantize_args defaults = { .group_size = 1 };

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    const tern_quantize_args *a = args;
    int64_t rows = op_dim(d, 'N'), groups = a->num_groups;
    if (groups < 0) return op_fail(op, TERN_ERR_ARGUMENT, "num_groups is %lld", (long long)groups);
    if (!groups) {
        if (a->group_size < 1)
            return op_fail(op, TERN_ERR_ARGUMENT, "group_size is %lld, not 1 or more", (long long)a->group_size);
        if (rows % a->group_size)
            return op_fail(op, TERN_ERR_SHAPE, "group_size %lld does not divide the %lld rows of weight",
                           (long long)a->group_size, (long long)rows);
        groups = rows / a->group_size;
    }
    op_bind(d, 'G', groups);
    if (rows % groups)
        return op_fail(op, TERN_ERR_SHAPE, "num_groups %lld does not divide the %lld rows of weight", (long long)groups,
                       (long long)rows);
    return TERN_OK;
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_quantize_args *a = args;
    const float *w;
    int64_t groups = op_dim(d, 'G');
    tern_status st = op_floats(op, &a->weight, &w);
    if (st) return st;
    return op->ctx->backend->quantize(op->ctx, &(tern_quantize){
        .w = w, .q = a->q.data, .scale = a->scale.data, .n_group = groups,
        .n = op_dim(d, 'N') * op_dim(d, 'K') / groups });
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    (void)op;
    (void)args;
    c->flops = 3 * (double)op_dim(d, 'N') * (double)op_dim(d, 'K');
}

const op_desc op_quantize = {
    .name = "quantize", .summary = "a weight matrix as int8 with a scale for each group of rows",
    .args_size = sizeof(tern_quantize_args), .args = args_table, .options = options, .defaults = &defaults,
    .config = config, .check = check, .cost = cost, .run = run,
};
OP_TYPED_CALL(quantize)
