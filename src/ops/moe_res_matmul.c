/* moe_res_matmul: a dense branch and the experts' weighed by channel or by token. */
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"

static const op_arg args_table[] = {
    OP_ARG(tern_moe_res_matmul_args, residual, IN, OF_T, "*M"),
    OP_ARG(tern_moe_res_matmul_args, coef, IN, OF_PARAM, "?"),
    OP_ARG(tern_moe_res_matmul_args, output, IN, OF_T, "*M"),
    { "output", offsetof(tern_moe_res_matmul_args, result), OUT, OF_T, "*M" },
    { 0 },
};

static const char *const config[] = { NULL };

static bool by_token(const tern_moe_res_matmul_args *a)
{
    return a->coef.rank > 0 && a->coef.shape[a->coef.rank - 1] == 2;
}

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    const tern_moe_res_matmul_args *a = args;
    int64_t n = tern_tensor_count(&a->coef), channels = op_dim(d, 'M');
    if (by_token(a) && n == 2 * d->n_row) return TERN_OK;
    if (a->coef.rank == 3 && a->coef.shape[0] == 1 && a->coef.shape[2] == 1 && n == 2 * channels) return TERN_OK;
    return op_fail(op, TERN_ERR_SHAPE, "coef has %lld elements in %d axes, not [1, %lld, 1] (channels) or [..., 2] of "
                   "%lld tokens", (long long)n, a->coef.rank, (long long)(2 * channels), (long long)d->n_row);
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_moe_res_matmul_args *a = args;
    const float *coef;
    op_rows dense, experts, y;
    bool token = by_token(a);
    tern_status st = TERN_OK;
    TERN_TRY(op_in(op, &a->residual, &dense));
    TERN_TRY(op_in(op, &a->output, &experts));
    TERN_TRY(op_floats(op, &a->coef, &coef));
    TERN_TRY(op_out(op, &a->result, &y));
    TERN_TRY(op->ctx->backend->blend(op->ctx, &(tern_blend){
        .a = dense.data, .lda = dense.ld, .weight_a = token ? coef + 1 : coef, .b = experts.data, .ldb = experts.ld,
        .weight_b = token ? coef : coef + op_dim(d, 'M'), .y = y.data, .ldy = y.ld, .weight_row = token ? 2 : 0,
        .weight_col = token ? 0 : 1, .n_row = dense.n_row, .dim = dense.dim, .round = op->t }));
    TERN_TRY(op_put(op, &y, &a->result));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    (void)op;
    (void)args;
    c->flops = 3 * (double)d->n_row * (double)op_dim(d, 'M');
}

const op_desc op_moe_res_matmul = {
    .name = "moe_res_matmul", .summary = "a dense branch and the experts' weighed by channel or by token",
    .args_size = sizeof(tern_moe_res_matmul_args), .args = args_table, .config = config, .check = check, .cost = cost,
    .run = run,
};
OP_TYPED_CALL(moe_res_matmul)
