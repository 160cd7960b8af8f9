/* Conversion of arguments to what primitives take: see operands.h. Called by every op. */
#include "ops/operands.h"

#include <math.h>
#include <string.h>

tern_status op_memory(tern_op *op, int64_t n, size_t size, void **out)
{
    *out = tern_arena_get(op->ctx, &op->ctx->step, (size_t)n, size);
    return *out ? TERN_OK : TERN_ERR_MEMORY;
}

tern_status op_scratch(tern_op *op, int64_t n_row, int64_t dim, op_rows *rows)
{
    *rows = (op_rows){ .ld = dim, .n_row = n_row, .dim = dim };
    return op_memory(op, n_row * dim, sizeof(float), (void **)&rows->data);
}

/* The rows of a tensor as it lies: leading axes count as rows, the innermost one that is not 1 says
 * how far apart they are. */
static op_rows rows_of(const tern_tensor *t)
{
    op_rows r = { .data = t->data, .n_row = 1, .dim = t->rank ? t->shape[t->rank - 1] : 1 };
    r.ld = r.dim;
    for (int i = t->rank - 2; i >= 0; i--) {
        if (t->shape[i] != 1 && r.n_row == 1) r.ld = t->stride[i];
        r.n_row *= t->shape[i];
    }
    return r;
}

static tern_status convert(tern_op *op, const void *from, tern_dtype from_dtype, void *to, tern_dtype to_dtype,
                           int64_t n)
{
    return op->ctx->backend->convert(op->ctx, &(tern_convert){ .from = from, .to = to, .from_dtype = from_dtype,
                                                               .to_dtype = to_dtype, .n = n });
}

/* Row by row where rows lie apart, else in one go. */
static tern_status convert_rows(tern_op *op, const char *from, tern_dtype from_dtype, int64_t ld_from, char *to,
                                tern_dtype to_dtype, int64_t ld_to, int64_t n_row, int64_t dim)
{
    size_t from_bytes = tern_dtype_bytes(from_dtype), to_bytes = tern_dtype_bytes(to_dtype);
    if (ld_from == dim && ld_to == dim) return convert(op, from, from_dtype, to, to_dtype, n_row * dim);
    for (int64_t r = 0; r < n_row; r++) {
        tern_status st = convert(op, from + (size_t)(r * ld_from) * from_bytes, from_dtype,
                                 to + (size_t)(r * ld_to) * to_bytes, to_dtype, dim);
        if (st) return st;
    }
    return TERN_OK;
}

tern_status op_in(tern_op *op, const tern_tensor *t, op_rows *rows)
{
    *rows = rows_of(t);
    if (!t->data || t->dtype == TERN_F32) return TERN_OK;
    int64_t ld = rows->ld;
    tern_status st = op_scratch(op, rows->n_row, rows->dim, rows);
    return st ? st
              : convert_rows(op, t->data, t->dtype, ld, (char *)rows->data, TERN_F32, rows->ld, rows->n_row, rows->dim);
}

tern_status op_out(tern_op *op, const tern_tensor *t, op_rows *rows)
{
    *rows = rows_of(t);
    return !t->data || t->dtype == TERN_F32 ? TERN_OK : op_scratch(op, rows->n_row, rows->dim, rows);
}

tern_status op_put(tern_op *op, const op_rows *rows, const tern_tensor *t)
{
    if (!t->data || t->dtype == TERN_F32) return TERN_OK;
    op_rows to = rows_of(t);
    return convert_rows(op, (const char *)rows->data, TERN_F32, rows->ld, t->data, t->dtype, to.ld, to.n_row, to.dim);
}

tern_status op_floats(tern_op *op, const tern_tensor *t, const float **out)
{
    *out = t->data;
    if (!t->data || t->dtype == TERN_F32) return TERN_OK;
    op_rows rows;
    tern_status st = op_scratch(op, 1, tern_tensor_count(t), &rows);
    *out = rows.data;
    return st ? st : convert(op, t->data, t->dtype, rows.data, TERN_F32, rows.dim);
}

tern_status op_ints(tern_op *op, const char *name, const tern_tensor *t, const int32_t **out)
{
    int32_t *to;
    int64_t n = tern_tensor_count(t);
    *out = t->data;
    if (!t->data || t->dtype == TERN_I32) return TERN_OK;
    tern_status st = op_memory(op, n, sizeof *to, (void **)&to);
    if (st) return st;
    for (int64_t i = 0; i < n; i++) {
        int64_t v = ((const int64_t *)t->data)[i];
        if (v < INT32_MIN || v > INT32_MAX)
            return op_fail(op, TERN_ERR_ARGUMENT, "%s has %lld, beyond 32 bits", name, (long long)v);
        to[i] = (int32_t)v;
    }
    *out = to;
    return TERN_OK;
}

tern_weight op_weight(const tern_op *op, const tern_tensor *w, const tern_tensor *scale)
{
    bool int8 = w->dtype == TERN_I8, flip = int8 || op->config.transposed_mode;
    return (tern_weight){
        .data = w->data, .dtype = w->dtype, .transposed_in = !flip, .out = w->shape[flip ? 0 : 1],
        .in = w->shape[flip ? 1 : 0], .ld = w->shape[0] == 1 ? w->shape[1] : w->stride[0],
        .scale = int8 ? scale->data : NULL, .n_group = int8 ? tern_tensor_count(scale) : 0, .widen = op->t };
}

tern_status op_weight_slice(tern_op *op, const tern_weight *w, int64_t first, int64_t n, tern_weight *out)
{
    *out = *w;
    out->out = n;
    out->data = (const char *)w->data + (size_t)(w->transposed_in ? first : first * w->ld) * tern_dtype_bytes(w->dtype);
    if (!w->scale) return TERN_OK;
    int64_t rows = w->out / w->n_group;
    if (w->n_group == 1) return TERN_OK;
    if (first % rows == 0 && n % rows == 0) {
        out->scale = w->scale + first / rows;
        out->n_group = n / rows;
        return TERN_OK;
    }
    float *each;
    tern_status st = op_memory(op, n, sizeof *each, (void **)&each);
    if (st) return st;
    for (int64_t i = 0; i < n; i++) each[i] = w->scale[(first + i) / rows];
    out->scale = each;
    out->n_group = n;
    return TERN_OK;
}

tern_act op_act(tern_activation_type type)
{
    static const tern_act acts[] = { [TERN_ACT_GELU] = ACT_GELU_TANH,
                                     [TERN_ACT_RELU] = ACT_RELU,
                                     [TERN_ACT_GATED_GELU] = ACT_GELU_ERF,
                                     [TERN_ACT_GATED_SILU] = ACT_SILU,
                                     [TERN_ACT_GELU_ERF] = ACT_GELU_ERF,
                                     [TERN_ACT_GATED_GELU_TANH] = ACT_GELU_TANH,
                                     [TERN_ACT_SILU] = ACT_SILU,
                                     [TERN_ACT_RELU_SQUARED] = ACT_RELU_SQUARED,
                                     [TERN_ACT_QUICK_GELU] = ACT_QUICK_GELU,
                                     [TERN_ACT_GATED_RELU] = ACT_RELU };
    return (size_t)type < sizeof acts / sizeof *acts ? acts[type] : ACT_NONE;
}

bool op_gated(tern_activation_type type)
{
    return type == TERN_ACT_GATED_GELU || type == TERN_ACT_GATED_SILU || type == TERN_ACT_GATED_GELU_TANH ||
           type == TERN_ACT_GATED_RELU;
}

tern_status op_need_eps(tern_op *op)
{
    double eps = op->config.layer_norm_eps;
    if (eps >= 0 && isfinite(eps)) return TERN_OK;
    return op_fail(op, TERN_ERR_ARGUMENT, "layer_norm_eps is %g, not a number from 0", eps);
}

tern_status op_need_norm(tern_op *op)
{
    int norm = (int)op->config.norm_type;
    if (norm != TERN_NORM_LAYER && norm != TERN_NORM_RMS)
        return op_fail(op, TERN_ERR_UNSUPPORTED, "norm_type is %s (%d); there are LayerNorm and RMSNorm",
                       field_name_of(names_of_norms, norm), norm);
    return op_need_eps(op);
}
