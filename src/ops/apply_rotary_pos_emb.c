/* apply_rotary_pos_emb: queries and keys rotated by position. */
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"
#include "ops/rotary.h"

typedef tern_apply_rotary_pos_emb_args rotary_args;

static const op_arg args_table[] = {
    OP_ARG(rotary_args, mixed_query, IN, OF_T, "bHsD"),
    OP_ARG(rotary_args, key_layer, IN, OF_T, "bHsD"),
    { "mixed_query", offsetof(rotary_args, query_output), OUT, OF_T, "bHsD" },
    { "key_layer", offsetof(rotary_args, key_output), OUT, OF_T, "bHsD" },
    { 0 },
};

static const field options[] = {
    { "offset", NULL, FIELD_INT, offsetof(rotary_args, offset), 0, 1e9, NULL, NULL },
    { "num_heads", NULL, FIELD_INT, offsetof(rotary_args, num_heads), 1, 1e9, NULL, NULL },
    { 0 },
};

static const char *const config[] = { "rotary_dim", "rotate_half", "rotate_every_two", "rope_theta", NULL };

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    const rotary_args *a = args;
    int64_t heads = op_dim(d, 'h'), dim = op_dim(d, 'd');
    d->n_row = op_dim(d, 'b') * op_dim(d, 's');
    if (a->num_heads && a->num_heads != heads)
        return op_fail(op, TERN_ERR_SHAPE, "mixed_query has %lld heads, and num_heads is %lld", (long long)heads,
                       (long long)a->num_heads);
    if (op->config.rotary_dim > dim)
        return op_fail(op, TERN_ERR_ARGUMENT, "rotary_dim %lld is larger than a head's %lld",
                       (long long)op->config.rotary_dim, (long long)dim);
    if (a->offset < 0 || a->offset + op_dim(d, 's') > INT32_MAX)
        return op_fail(op, TERN_ERR_ARGUMENT, "offset is %lld, not a position", (long long)a->offset);
    return TERN_OK;
}

static tern_status rotate(tern_op *op, const tern_tensor *from, const rotary_angles *angles, const tern_tensor *to)
{
    op_rows x, y;
    tern_status st = TERN_OK;
    TERN_TRY(op_in(op, from, &x));
    TERN_TRY(op_out(op, to, &y));
    if (y.data != x.data)
        TERN_TRY(op->ctx->backend->convert(op->ctx,
                                           &(tern_convert){ .from = x.data, .to = y.data, .n = x.n_row * x.dim }));
    if (op->config.rotary_dim > 0) TERN_TRY(op_rotary_rotate(op, angles, &y, 1, y.dim));
    TERN_TRY(op_put(op, &y, to));
done:
    return st;
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const rotary_args *a = args;
    int64_t s = op_dim(d, 's'), rows = op_dim(d, 'b') * op_dim(d, 'h') * s;
    int32_t *position;
    rotary_angles angles = { 0 };
    tern_status st = TERN_OK;
    if (op->config.rotary_dim > 0) {
        TERN_TRY(op_memory(op, rows, sizeof *position, (void **)&position));
        for (int64_t r = 0; r < rows; r++) position[r] = (int32_t)(a->offset + r % s);
        TERN_TRY(op_rotary_angles(op, position, rows, &angles));
    }
    TERN_TRY(rotate(op, &a->mixed_query, &angles, &a->query_output));
    TERN_TRY(rotate(op, &a->key_layer, &angles, &a->key_output));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    double rotated = op->config.rotary_dim > 0 ? (double)op->config.rotary_dim : 0;
    (void)args;
    c->flops = 2 * 3 * (double)op_dim(d, 'b') * (double)op_dim(d, 'h') * (double)op_dim(d, 's') * rotated;
}

const op_desc op_apply_rotary_pos_emb = {
    .name = "apply_rotary_pos_emb", .summary = "queries and keys rotated by position", .args_size = sizeof(rotary_args),
    .args = args_table, .options = options, .config = config, .prepare = op_rotary_prepare, .check = check,
    .cost = cost, .run = run,
};
OP_TYPED_CALL(apply_rotary_pos_emb)
