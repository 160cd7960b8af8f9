/* quantize_asymmetric and dequantize_asymmetric: a weight matrix as codes of 4 or 8 bits, each
 * group from its least number to its largest, and back. */
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"

static const char *const config[] = { NULL };

#define GROUP_OPTIONS(args)                                                                \
    { "num_bits", NULL, FIELD_INT, offsetof(args, num_bits), 4, 8, NULL, NULL },           \
    { "group_size", NULL, FIELD_INT, offsetof(args, group_size), 1, 1e15, NULL, NULL },    \
    { "group_dim", NULL, FIELD_INT, offsetof(args, group_dim), 0, 1, NULL, NULL }

static tern_ranges ranges_of(const op_dims *d, int64_t bits, int64_t group_size, int64_t group_dim)
{
    return (tern_ranges){ .n_row = op_dim(d, 'N'), .dim = op_dim(d, 'K'), .bits = (int)bits,
                          .group_rows = group_dim ? 1 : group_size, .group_cols = group_dim ? group_size : 1 };
}

static tern_status check_groups(tern_op *op, const op_dims *d, int64_t bits, int64_t group_size, int64_t group_dim)
{
    int64_t n = op_dim(d, group_dim ? 'K' : 'N');
    if (bits != 4 && bits != 8) return op_fail(op, TERN_ERR_ARGUMENT, "num_bits is %lld, not 4 or 8", (long long)bits);
    if (group_dim != 0 && group_dim != 1)
        return op_fail(op, TERN_ERR_ARGUMENT, "group_dim is %lld, not 0 or 1", (long long)group_dim);
    if (group_size < 1)
        return op_fail(op, TERN_ERR_ARGUMENT, "group_size is %lld, not 1 or more", (long long)group_size);
    if (n % group_size)
        return op_fail(op, TERN_ERR_SHAPE, "group_size %lld does not divide axis %lld of weight, which is %lld",
                       (long long)group_size, (long long)group_dim, (long long)n);
    return TERN_OK;
}

/* ---- quantize_asymmetric ---- */

static const op_arg quantize_args[] = {
    OP_ARG(tern_quantize_asymmetric_args, weight, IN, OF_PARAM, "NK"),
    OP_ARG(tern_quantize_asymmetric_args, q, OUT, OF_U8, "NP"),
    OP_ARG(tern_quantize_asymmetric_args, scale, OUT, OF_F32, "AB"),
    OP_ARG(tern_quantize_asymmetric_args, min, OUT, OF_F32, "AB"),
    { 0 },
};

static const field quantize_options[] = { GROUP_OPTIONS(tern_quantize_asymmetric_args), { 0 } };

static const tern_quantize_asymmetric_args quantize_defaults = { .num_bits = 8, .group_dim = 1 };

static tern_status quantize_check(tern_op *op, const void *args, op_dims *d)
{
    const tern_quantize_asymmetric_args *a = args;
    tern_status st = check_groups(op, d, a->num_bits, a->group_size, a->group_dim);
    if (st) return st;
    if (a->num_bits == 4 && op_dim(d, 'K') % 2)
        return op_fail(op, TERN_ERR_SHAPE, "weight has %lld columns, and 2 codes of 4 bits make a byte",
                       (long long)op_dim(d, 'K'));
    tern_ranges r = ranges_of(d, a->num_bits, a->group_size, a->group_dim);
    op_bind(d, 'P', r.bits == 4 ? r.dim / 2 : r.dim);
    op_bind(d, 'A', r.n_row / r.group_rows);
    op_bind(d, 'B', r.dim / r.group_cols);
    return TERN_OK;
}

static tern_status quantize_run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_quantize_asymmetric_args *a = args;
    const float *w;
    tern_status st = op_floats(op, &a->weight, &w);
    if (st) return st;
    return op->ctx->backend->quantize_range(op->ctx, &(tern_quantize_range){
        .ranges = ranges_of(d, a->num_bits, a->group_size, a->group_dim), .w = w, .q = a->q.data,
        .scale = a->scale.data, .min = a->min.data });
}

static void quantize_cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    (void)op;
    (void)args;
    c->flops = 5 * (double)op_dim(d, 'N') * (double)op_dim(d, 'K');
}

const op_desc op_quantize_asymmetric = {
    .name = "quantize_asymmetric",
    .summary = "a weight matrix as codes of 4 or 8 bits, with a scale and a least number for each group",
    .args_size = sizeof(tern_quantize_asymmetric_args), .args = quantize_args, .options = quantize_options,
    .defaults = &quantize_defaults, .config = config, .check = quantize_check, .cost = quantize_cost,
    .run = quantize_run,
};
OP_TYPED_CALL(quantize_asymmetric)

/* ---- dequantize_asymmetric ---- */

static const op_arg dequantize_args[] = {
    OP_ARG(tern_dequantize_asymmetric_args, weight, IN, OF_U8, "NP"),
    { "weight.scale", offsetof(tern_dequantize_asymmetric_args, weight_scale), IN, OF_F32, "AB" },
    { "weight.min", offsetof(tern_dequantize_asymmetric_args, weight_min), IN, OF_F32, "AB" },
    OP_ARG(tern_dequantize_asymmetric_args, output, OUT, OF_T, "NK"),
    { 0 },
};

static const field dequantize_options[] = { GROUP_OPTIONS(tern_dequantize_asymmetric_args), { 0 } };

static const tern_dequantize_asymmetric_args dequantize_defaults = { .num_bits = 8, .group_dim = 1 };

static tern_status dequantize_check(tern_op *op, const void *args, op_dims *d)
{
    const tern_dequantize_asymmetric_args *a = args;
    op_bind(d, 'K', op_dim(d, 'P') * (a->num_bits == 4 ? 2 : 1));
    tern_status st = check_groups(op, d, a->num_bits, a->group_size, a->group_dim);
    if (st) return st;
    tern_ranges r = ranges_of(d, a->num_bits, a->group_size, a->group_dim);
    int64_t down = r.n_row / r.group_rows, across = r.dim / r.group_cols;
    if (op_dim(d, 'A') == down && op_dim(d, 'B') == across) return TERN_OK;
    return op_fail(op, TERN_ERR_SHAPE, "weight.scale and weight.min are [%lld, %lld], and weight has [%lld, %lld] "
                   "groups", (long long)op_dim(d, 'A'), (long long)op_dim(d, 'B'), (long long)down, (long long)across);
}

static tern_status dequantize_run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_dequantize_asymmetric_args *a = args;
    op_rows y;
    tern_status st = TERN_OK;
    TERN_TRY(op_out(op, &a->output, &y));
    TERN_TRY(op->ctx->backend->dequantize_range(op->ctx, &(tern_dequantize_range){
        .ranges = ranges_of(d, a->num_bits, a->group_size, a->group_dim), .q = a->weight.data,
        .scale = a->weight_scale.data, .min = a->weight_min.data, .y = y.data, .round = op->t }));
    TERN_TRY(op_put(op, &y, &a->output));
done:
    return st;
}

static void dequantize_cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    (void)op;
    (void)args;
    c->flops = 2 * (double)op_dim(d, 'N') * (double)op_dim(d, 'K');
}

const op_desc op_dequantize_asymmetric = {
    .name = "dequantize_asymmetric", .summary = "codes of 4 or 8 bits and their ranges as numbers of the config's type",
    .args_size = sizeof(tern_dequantize_asymmetric_args), .args = dequantize_args, .options = dequantize_options,
    .defaults = &dequantize_defaults, .config = config, .check = dequantize_check, .cost = dequantize_cost,
    .run = dequantize_run,
};
OP_TYPED_CALL(dequantize_asymmetric)
