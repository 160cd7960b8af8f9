/* pad_transform: heads moved before tokens, and padded for a fixed-size attention. */
#include "ops/operands.h"
#include "ops/ops.h"

typedef tern_pad_transform_args pad_args;

static const op_arg args_table[] = {
    OP_ARG(pad_args, query, IN, OF_T, "bqE"),
    OP_ARG(pad_args, key, IN, OF_T, "bkE"),
    OP_ARG(pad_args, value, IN, OF_T, "bkE"),
    { "query", offsetof(pad_args, query_output), OUT, OF_T, "bHqP" },
    { "key", offsetof(pad_args, key_output), OUT, OF_T, "bHsP" },
    { "value", offsetof(pad_args, value_output), OUT, OF_T, "bHsP" },
    { 0 },
};

static const field options[] = {
    { "do_flash_attn", NULL, FIELD_BOOL, offsetof(pad_args, do_flash_attn), 0, 0, NULL, NULL },
    { 0 },
};

static const char *const config[] = { "heads", NULL };

enum { PADDED_KEYS = 128 };

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    const pad_args *a = args;
    int64_t heads = a->heads ? a->heads : op->config.heads, width = op_dim(d, 'E'), keys = op_dim(d, 'k');
    if (heads < 1) return op_fail(op, TERN_ERR_ARGUMENT, "heads is %lld, not 1 or more", (long long)heads);
    if (width % heads)
        return op_fail(op, TERN_ERR_SHAPE, "query has %lld channels, which do not split into %lld heads",
                       (long long)width, (long long)heads);
    int64_t dim = width / heads;
    int64_t padded = 128;
    if (dim < 32) padded = 32;
    else if (dim < 64) padded = 64;
    if (a->do_flash_attn && dim > 128)
        return op_fail(op, TERN_ERR_UNSUPPORTED, "heads of %lld channels; do_flash_attn pads up to 128",
                       (long long)dim);
    if (a->do_flash_attn && keys > PADDED_KEYS)
        return op_fail(op, TERN_ERR_UNSUPPORTED, "key has %lld tokens; do_flash_attn pads up to %d", (long long)keys,
                       PADDED_KEYS);
    op_bind(d, 'H', heads);
    op_bind(d, 'D', dim);
    op_bind(d, 'P', a->do_flash_attn ? padded : dim);
    op_bind(d, 'S', a->do_flash_attn ? PADDED_KEYS : keys);
    d->n_row = op_dim(d, 'b');
    return TERN_OK;
}

/* [B, S, H * D] to [B, H, to_s, P] with zeros. */
static tern_status move(tern_op *op, const tern_tensor *from, const tern_tensor *to, const op_dims *d)
{
    op_rows x, y;
    int64_t b = op_dim(d, 'b'), h = op_dim(d, 'H'), dim = op_dim(d, 'D'), pad = op_dim(d, 'P'), s = from->shape[1],
        to_s = to->shape[2];
    tern_status st = TERN_OK;
    TERN_TRY(op_in(op, from, &x));
    TERN_TRY(op_out(op, to, &y));
    tern_copy c = {
        .x = x.data, .y = y.data, .n = { b, h, s }, .stride_x = { s * h * dim, dim, h * dim },
        .stride_y = { h * to_s * pad, to_s * pad, pad }, .dim = dim, .dim_y = pad, .step_x = 1, .step_y = 1 };
    TERN_TRY(op->ctx->backend->copy(op->ctx, &c));
    c.x = NULL;
    c.y = y.data + s * pad;
    c.n[2] = to_s - s;
    if (c.n[2]) TERN_TRY(op->ctx->backend->copy(op->ctx, &c));
    TERN_TRY(op_put(op, &y, to));
done:
    return st;
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const pad_args *a = args;
    tern_status st = move(op, &a->query, &a->query_output, d);
    if (!st) st = move(op, &a->key, &a->key_output, d);
    return st ? st : move(op, &a->value, &a->value_output, d);
}

const op_desc op_pad_transform = {
    .name = "pad_transform", .summary = "heads moved before tokens, and padded", .args_size = sizeof(pad_args),
    .args = args_table, .options = options, .config = config, .check = check, .run = run,
};
OP_TYPED_CALL(pad_transform)
