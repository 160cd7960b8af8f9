/* Creates ops by name, and lists ops and primitives. Called by layers, the program and bindings. */
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "base/fp.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "ops/config_fields.h"
#include "ops/ops.h"

const op_desc *const op_list[] = {
#define X(name) &op_##name,
    OP_LIST(X)
#undef X
    NULL,
};

static const struct { const char *name, *summary; } primitives[] = {
    { "matmul", "products with up to three weights in one pass, with bias, activation, gate and residual" },
    { "prepack", "a model's own f16 matrix in the order that matmul reads" },
    { "norm", "layer or RMS norm of a sum" },
    { "activation", "an elementwise function of rows and a bias, plain or gated" },
    { "add", "alpha * (a + bias + c) + b" },
    { "blend", "two tensors weighed by channel or by row, and summed" },
    { "copy", "axes moved, rows padded" },
    { "convert", "one float type to another" },
    { "lookup", "rows of a table, by id" },
    { "rope_table", "cosines and sines of positions" },
    { "rope", "heads rotated by position" },
    { "kv_write", "keys and values into the cache" },
    { "kv_read", "keys and values out of the cache" },
    { "attention", "queries over the paged cache, in key blocks" },
    { "softmax", "softmax of scores with masks" },
    { "route", "scores of tokens for experts, and each token's best" },
    { "assign", "each route's place in its expert's queue" },
    { "gather_rows", "rows copied by index" },
    { "combine", "experts' outputs added back by token" },
    { "random", "numbers by seed and position" },
    { "quantize", "int8 and a scale a group" },
    { "dequantize", "scale * q, rounded" },
    { "quantize_range", "codes from a group's least number to its largest" },
    { "dequantize_range", "q / scale + min, rounded" },
};

const char *tern_primitive_name(size_t i)
{
    return i < sizeof primitives / sizeof *primitives ? primitives[i].name : NULL;
}

const char *tern_primitive_summary(size_t i)
{
    return i < sizeof primitives / sizeof *primitives ? primitives[i].summary : NULL;
}

static const size_t n_ops = sizeof op_list / sizeof *op_list - 1;

const char *tern_op_name(size_t i)
{
    return i < n_ops ? op_list[i]->name : NULL;
}

const char *tern_op_summary(size_t i)
{
    return i < n_ops ? op_list[i]->summary : NULL;
}

const op_desc *op_find(const char *name)
{
    for (size_t i = 0; i < n_ops; i++)
        if (!strcmp(op_list[i]->name, name)) return op_list[i];
    return NULL;
}

static tern_status unknown(tern_ctx *ctx, const char *name)
{
    char list[700];
    size_t n = 0;
    tern_nearest near = { .word = name };
    for (size_t i = 0; i < n_ops; i++) {
        if (n + 4 < sizeof list) n += tern_show(list + n, sizeof list - n, "%s%s", i ? ", " : "", op_list[i]->name);
        tern_nearest_offer(&near, op_list[i]->name);
    }
    return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "there is no op \"%s\"%s%s%s; there are %s", name,
                     near.best ? ", the nearest is \"" : "", near.best ? near.best : "", near.best ? "\"" : "", list);
}

/* T, and the types in which the op computes. */
static tern_status choose_types(tern_op *op)
{
    if ((unsigned)op->config.dtype > TERN_DTYPE_INT8)
        return op_fail(op, TERN_ERR_ARGUMENT, "dtype is %d, which is none", (int)op->config.dtype);
    if (!tern_is_float(op->config.compute))
        return op_fail(op, TERN_ERR_UNSUPPORTED, "compute is %s, not f32, bf16 or f16",
                       tern_dtype_name(op->config.compute));
    op->t = config_type(op->config.dtype);
    return TERN_OK;
}

tern_status tern_op_create(tern_ctx *ctx, const char *name, const tern_config *config, tern_op **out)
{
    tern_status st = TERN_OK;
    tern_op *op = NULL;
    if (!ctx || !name || !out) return tern_fail(ctx, TERN_ERR_ARGUMENT, "an op needs a context, a name and a place");
    TERN_OWN_FP(ctx);
    const op_desc *desc = op_find(name);
    if (!desc) return unknown(ctx, name);
    op = tern_alloc(ctx, 1, sizeof *op, "an op");
    if (!op) return TERN_ERR_MEMORY;
    op->ctx = ctx;
    op->desc = desc;
    op->config = config ? *config : tern_config_default();
    TERN_TRY(choose_types(op));
    if (desc->prepare) TERN_TRY(desc->prepare(op));
    *out = op;
    op = NULL;
done:
    tern_op_free(op);
    return st;
}

void tern_op_free(tern_op *op)
{
    if (!op) return;
    tern_free(op->inv_freq);
    tern_free(op->defaults);
    tern_free(op);
}
