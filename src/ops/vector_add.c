/* vector_add: gamma * a + b, element by element. */
#include <math.h>
#include <string.h>

#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"

static const op_arg args_table[] = {
    OP_ARG(tern_vector_add_args, a, IN, OF_T, "*C"),
    OP_ARG(tern_vector_add_args, b, IN, OF_T, "*C"),
    OP_ARG(tern_vector_add_args, output, OUT, OF_T, "*C"),
    { 0 },
};

static const field options[] = {
    { "gamma", NULL, FIELD_NUMBER, offsetof(tern_vector_add_args, gamma), 0, 0, NULL, NULL },
    { 0 },
};

static const char *const config[] = { NULL };
static const tern_vector_add_args defaults = { .gamma = 1 };

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    const tern_vector_add_args *a = args;
    (void)d;
    if (!isfinite(a->gamma)) return op_fail(op, TERN_ERR_ARGUMENT, "gamma is %g, not a finite number", a->gamma);
    if (a->a.rank == a->b.rank && !memcmp(a->a.shape, a->b.shape, (size_t)a->a.rank * sizeof *a->a.shape))
        return TERN_OK;
    return op_fail(op, TERN_ERR_SHAPE,
                   "a has %d axes and %lld elements, b has %d and %lld; their shapes must be the same", a->a.rank,
                   (long long)tern_tensor_count(&a->a), a->b.rank, (long long)tern_tensor_count(&a->b));
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_vector_add_args *v = args;
    op_rows a, b, y;
    tern_status st = TERN_OK;
    (void)d;
    TERN_TRY(op_in(op, &v->a, &a));
    TERN_TRY(op_in(op, &v->b, &b));
    TERN_TRY(op_out(op, &v->output, &y));
    TERN_TRY(op->ctx->backend->add(op->ctx, &(tern_add){
        .a = a.data, .lda = a.ld, .b = b.data, .ldb = b.ld, .y = y.data, .ldy = y.ld, .alpha = (float) v->gamma,
        .n_row = a.n_row, .dim = a.dim, .round = op->t }));
    TERN_TRY(op_put(op, &y, &v->output));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    const tern_vector_add_args *a = args;
    (void)op;
    c->flops = (double)d->n_row * (double)op_dim(d, 'C') * (a->gamma == 1 ? 1 : 2);
}

const op_desc op_vector_add = {
    .name = "vector_add", .summary = "gamma * a + b", .args_size = sizeof(tern_vector_add_args), .args = args_table,
    .options = options, .defaults = &defaults, .config = config, .check = check, .cost = cost, .run = run,
};
OP_TYPED_CALL(vector_add)
