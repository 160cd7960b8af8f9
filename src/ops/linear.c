/* linear: a projection with its bias, fused or q, k and v apart, and DeepSpeed's split into padded
 * heads. */
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"
#include "ops/parts.h"

static const op_arg args_table[] = {
    OP_ARG(tern_linear_args, input, IN, OF_T, "*K"),
    OP_ARG(tern_linear_args, weight, IN, OF_WEIGHT, "KN"),
    OP_ARG(tern_linear_args, weight_k, MAYBE, OF_WEIGHT, "KP"),
    OP_ARG(tern_linear_args, weight_v, MAYBE, OF_WEIGHT, "KQ"),
    OP_SCALE(tern_linear_args, weight),
    OP_SCALE(tern_linear_args, weight_k),
    OP_SCALE(tern_linear_args, weight_v),
    OP_ARG(tern_linear_args, bias, MAYBE, OF_PARAM, "N"),
    OP_ARG(tern_linear_args, bias_k, MAYBE, OF_PARAM, "P"),
    OP_ARG(tern_linear_args, bias_v, MAYBE, OF_PARAM, "Q"),
    OP_ARG(tern_linear_args, output, OUT, OF_T, "?"),
    { 0 },
};

static const field options[] = {
    { "add_bias", NULL, FIELD_NOT, offsetof(tern_linear_args, no_bias), 0, 0, NULL, NULL },
    { "do_flash_attn", NULL, FIELD_BOOL, offsetof(tern_linear_args, do_flash_attn), 0, 0, NULL, NULL },
    { "num_heads", NULL, FIELD_INT, offsetof(tern_linear_args, num_heads), 1, 1e9, NULL, NULL },
    { 0 },
};

static const char *const config[] = { "transposed_mode", NULL };
static const tern_linear_args defaults = { .num_heads = 1 };

/* Heads: N = 3 num_heads D; the output is [3, B, num_heads, S, D padded]. */
static tern_status check_heads(tern_op *op, const tern_linear_args *a, op_dims *d)
{
    int64_t n = op_dim(d, 'O'), head_dim, padded;
    if (a->input.rank != 3)
        return op_fail(op, TERN_ERR_SHAPE, "input has %d axes, and do_flash_attn needs 3", a->input.rank);
    if (a->num_heads < 1)
        return op_fail(op, TERN_ERR_ARGUMENT, "num_heads is %lld, not 1 or more", (long long)a->num_heads);
    if (n % (3 * a->num_heads))
        return op_fail(op, TERN_ERR_SHAPE, "weight has %lld outputs, which do not split into 3 x num_heads %lld",
                       (long long)n, (long long)a->num_heads);
    head_dim = n / (3 * a->num_heads);
    tern_status st = op_padded_head(op, head_dim, &padded);
    if (st) return st;
    op_bind(d, 'B', a->input.shape[0]);
    op_bind(d, 'S', a->input.shape[1]);
    op_bind(d, 'H', a->num_heads);
    op_bind(d, 'D', padded);
    op_bind(d, 'C', head_dim);
    d->output = "3bHsD";
    return TERN_OK;
}

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    const tern_linear_args *a = args;
    tern_status st = op_check_parts(op, &a->weight_k, &a->weight_v, d);
    d->output = "*O";
    return st || !a->do_flash_attn ? st : check_heads(op, a, d);
}

static tern_status project(tern_op *op, const tern_linear_args *a, const op_rows *x, const op_rows *y)
{
    static const tern_tensor none;
    op_parts p = { { &a->weight, &a->weight_k, &a->weight_v },
                   { &a->weight_scale, &a->weight_k_scale, &a->weight_v_scale },
                   { &a->bias, &a->bias_k, &a->bias_v } };
    for (int i = 0; i < 3 && a->no_bias; i++) p.bias[i] = &none;
    return op_matmul_parts(op, &p, x, y);
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_linear_args *a = args;
    op_rows x, y, heads;
    tern_status st = TERN_OK;
    TERN_TRY(op_in(op, &a->input, &x));
    if (a->do_flash_attn) TERN_TRY(op_scratch(op, x.n_row, op_dim(d, 'O'), &y));
    else TERN_TRY(op_out(op, &a->output, &y));
    TERN_TRY(project(op, a, &x, &y));
    if (!a->do_flash_attn) return op_put(op, &y, &a->output);

    int64_t b = op_dim(d, 'B'), s = op_dim(d, 'S'), h = op_dim(d, 'H'), dim = op_dim(d, 'C'), pad = op_dim(d, 'D');
    TERN_TRY(op_out(op, &a->output, &heads));
    for (int64_t part = 0; part < 3; part++)
        TERN_TRY(op->ctx->backend->copy(op->ctx, &(tern_copy){
            .x = y.data + part * h * dim, .y = heads.data + part * b * h * s * pad, .n = { b, h, s },
            .stride_x = { s * y.ld, dim, y.ld }, .stride_y = { h * s * pad, s * pad, pad }, .dim = dim, .dim_y = pad,
            .step_x = 1, .step_y = 1 }));
    TERN_TRY(op_put(op, &heads, &a->output));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    const tern_linear_args *a = args;
    double n = (double)d->n_row, out = (double)op_dim(d, 'O'), biases = cost_if(&a->bias) * (double)op_dim(d, 'N');
    const tern_tensor *const bias[] = { &a->bias, &a->bias_k, &a->bias_v };
    (void)op;
    biases += a->bias_k.data ? (double)op_dim(d, 'P') : 0;
    biases += a->bias_v.data ? (double)op_dim(d, 'Q') : 0;
    for (int i = 0; i < 3 && a->no_bias; i++) cost_unread(c, bias[i]);
    c->flops = cost_product(n, (double)op_dim(d, 'K'), out) + (a->no_bias ? 0 : n * biases);
}

const op_desc op_linear = {
    .name = "linear", .summary = "a projection with its bias; q, k and v fused or apart",
    .args_size = sizeof(tern_linear_args), .args = args_table, .options = options, .defaults = &defaults,
    .config = config, .check = check, .cost = cost, .run = run,
};
OP_TYPED_CALL(linear)
