/* vector_matmul: a projection without a bias. */
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"
#include "ops/parts.h"

static const op_arg args_table[] = {
    OP_ARG(tern_vector_matmul_args, input, IN, OF_T, "*K"),
    OP_ARG(tern_vector_matmul_args, weight, IN, OF_WEIGHT, "KN"),
    OP_SCALE(tern_vector_matmul_args, weight),
    OP_ARG(tern_vector_matmul_args, output, OUT, OF_T, "*N"),
    { 0 },
};

static const field options[] = {
    { "async_op", NULL, FIELD_IGNORED, 0, 0, 0, NULL, NULL },
    { 0 },
};

static const char *const config[] = { "transposed_mode", NULL };

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_vector_matmul_args *a = args;
    op_rows x, y;
    tern_status st = TERN_OK;
    (void)d;
    TERN_TRY(op_in(op, &a->input, &x));
    TERN_TRY(op_out(op, &a->output, &y));
    TERN_TRY(op_matmul_parts(op, &(op_parts){ { &a->weight }, { &a->weight_scale }, { NULL } }, &x, &y));
    TERN_TRY(op_put(op, &y, &a->output));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    (void)op;
    (void)args;
    c->flops = cost_product((double)d->n_row, (double)op_dim(d, 'K'), (double)op_dim(d, 'N'));
}

const op_desc op_vector_matmul = {
    .name = "vector_matmul", .summary = "a projection without a bias", .args_size = sizeof(tern_vector_matmul_args),
    .args = args_table, .options = options, .config = config, .cost = cost, .run = run,
};
OP_TYPED_CALL(vector_matmul)
