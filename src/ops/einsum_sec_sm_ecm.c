/* einsum_sec_sm_ecm: tokens copied to the places that a dispatch mask gives them. */
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"

static const op_arg args_table[] = {
    OP_ARG(tern_einsum_sec_sm_ecm_args, Q, IN, OF_T, "sec"),
    OP_ARG(tern_einsum_sec_sm_ecm_args, W, IN, OF_T, "sM"),
    OP_ARG(tern_einsum_sec_sm_ecm_args, output, OUT, OF_T, "ecM"),
    { 0 },
};

static const char *const config[] = { NULL };

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    (void)op;
    (void)args;
    d->n_row = op_dim(d, 'e') * op_dim(d, 'c');
    return TERN_OK;
}

/* output [e * c, m] = Q^T [e * c, s] . W [s, m] */
static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_einsum_sec_sm_ecm_args *a = args;
    int64_t s = op_dim(d, 's'), places = d->n_row, m = op_dim(d, 'm');
    op_rows q, transposed, y;
    tern_status st = TERN_OK;
    TERN_TRY(op_in(op, &a->Q, &q));
    TERN_TRY(op_scratch(op, places, s, &transposed));
    TERN_TRY(op_out(op, &a->output, &y));
    tern_copy c = {
        .x = s ? q.data : NULL, .y = transposed.data, .n = { 1, 1, places }, .stride_x = { 0, 0, 1 },
        .stride_y = { 0, 0, s }, .dim = s, .step_x = places, .step_y = 1 };
    TERN_TRY(op->ctx->backend->copy(op->ctx, &c));
    tern_matmul product = { .x = transposed.data, .ldx = s, .n_row = places, .n_part = 1, .round = op->t };
    product.part[0] = (tern_matmul_part){
        .w = { .data = a->W.data, .dtype = a->W.dtype, .transposed_in = true, .out = m, .in = s, .ld = m,
               .widen = op->t }, .y = y.data, .ldy = m };
    TERN_TRY(op->ctx->backend->matmul(op->ctx, &product));
    TERN_TRY(op_put(op, &y, &a->output));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    (void)op;
    (void)args;
    c->flops = cost_product((double)d->n_row, (double)op_dim(d, 's'), (double)op_dim(d, 'm'));
}

const op_desc op_einsum_sec_sm_ecm = {
    .name = "einsum_sec_sm_ecm", .summary = "tokens at the places of a dispatch mask",
    .args_size = sizeof(tern_einsum_sec_sm_ecm_args), .args = args_table, .config = config, .check = check,
    .cost = cost, .run = run,
};
OP_TYPED_CALL(einsum_sec_sm_ecm)
