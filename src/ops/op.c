/* Checks every op's arguments against its table and runs it: see op.h. Called by the typed calls
 * and by the generic one. */
#include "ops/op.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "base/fp.h"

tern_status op_fail(const tern_op *op, tern_status status, const char *format, ...)
{
    char message[800];
    va_list args;
    va_start(args, format);
    tern_show_v(message, sizeof message, format, args);
    va_end(args);
    return tern_fail(op->ctx, status, "%s: %s", op->desc->name, message);
}

/* "[2, 3, 8]" */
static const char *show_shape(const tern_tensor *t, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < t->rank && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%lld", i ? ", " : "", (long long)t->shape[i]);
    if (n < size) snprintf(text + n, size - n, "]");
    return text;
}

/* ---- Types and layout ---- */

static bool type_fits(const tern_op *op, op_type type, tern_dtype d)
{
    switch (type) {
    case OF_T: return d == op->t;
    case OF_PARAM: return d == op->t || d == TERN_F32;
    case OF_WEIGHT: return tern_is_float(d) || d == TERN_I8 || (d == TERN_F16_PACKED && op->config.compute == TERN_F16);
    case OF_FLOAT: return tern_is_float(d);
    case OF_F32: return d == TERN_F32;
    case OF_F16: return d == TERN_F16;
    case OF_I8: return d == TERN_I8;
    case OF_U8: return d == TERN_U8;
    case OF_I32: return d == TERN_I32;
    case OF_I64: return d == TERN_I64;
    case OF_INT: return d == TERN_I32 || d == TERN_I64;
    }
    return false;
}

static tern_status wrong_type(const tern_op *op, const op_arg *arg, tern_dtype d)
{
    static const char *const other[] = { [OF_WEIGHT] = "f32, f16, bf16 or i8",
                                         [OF_F32] = "f32",
                                         [OF_F16] = "f16",
                                         [OF_I8] = "i8",
                                         [OF_U8] = "u8",
                                         [OF_I32] = "i32",
                                         [OF_I64] = "i64",
                                         [OF_INT] = "i32 or i64",
                                         [OF_FLOAT] = "f32, f16 or bf16" };
    const char *t = tern_dtype_name(op->t);
    if (arg->type == OF_T) return op_fail(op, TERN_ERR_DTYPE, "%s is %s, not %s", arg->name, tern_dtype_name(d), t);
    if (arg->type == OF_PARAM && op->t != TERN_F32)
        return op_fail(op, TERN_ERR_DTYPE, "%s is %s, not %s or f32", arg->name, tern_dtype_name(d), t);
    return op_fail(op, TERN_ERR_DTYPE, "%s is %s, not %s", arg->name, tern_dtype_name(d),
                   arg->type == OF_PARAM ? "f32" : other[arg->type]);
}

/* Rows may lie apart (a slice of columns), elements of a row and leading axes may not; a weight's
 * rows likewise; anything else lies end to end. */
static bool layout_fits(const op_arg *arg, const tern_tensor *t)
{
    bool rows = arg->shape[0] == '*' || arg->type == OF_WEIGHT;
    if (!rows || t->rank < 2) return tern_tensor_contiguous(t);
    if (!tern_tensor_count(t)) return true;
    if (t->shape[t->rank - 1] > 1 && t->stride[t->rank - 1] != 1) return false;
    int64_t want = 0;
    for (int i = t->rank - 2; i >= 0; i--) {
        if (t->shape[i] == 1) continue;
        if (want ? t->stride[i] != want : t->stride[i] < t->shape[t->rank - 1]) return false;
        want = (want ? want : t->stride[i]) * t->shape[i];
    }
    return true;
}

static tern_status check_kind(const tern_op *op, const op_arg *arg, const tern_tensor *t)
{
    if (t->device != TERN_CPU)
        return op_fail(op, TERN_ERR_UNSUPPORTED, "%s lies on device %d, and this context computes on the CPU",
                       arg->name, (int)t->device);
    if (t->rank < 0 || t->rank > TERN_MAX_RANK)
        return op_fail(op, TERN_ERR_SHAPE, "%s has rank %d, more than %d", arg->name, t->rank, TERN_MAX_RANK);
    if (!type_fits(op, arg->type, t->dtype)) return wrong_type(op, arg, t->dtype);
    if (!layout_fits(arg, t))
        return op_fail(op, TERN_ERR_ARGUMENT, "%s is not contiguous: its last axis has stride %lld", arg->name,
                       (long long)(t->rank ? t->stride[t->rank - 1] : 1));
    return TERN_OK;
}

/* ---- Shapes ---- */

static tern_status wrong_rank(const tern_op *op, const op_arg *arg, const tern_tensor *t, int least, bool more)
{
    char shape[120];
    return op_fail(op, TERN_ERR_SHAPE, "%s %s has %d axes, not %d%s", arg->name, show_shape(t, shape, sizeof shape),
                   t->rank, least, more ? " or more" : "");
}

static tern_status fit_lead(const tern_op *op, const op_arg *arg, const tern_tensor *t, int n_lead, op_dims *d)
{
    int64_t n_row = 1;
    char shape[120];
    for (int i = 0; i < n_lead; i++) n_row *= t->shape[i];
    if (!d->rows_by) {
        d->n_lead = n_lead;
        memcpy(d->lead, t->shape, (size_t)n_lead * sizeof *d->lead);
        d->n_row = n_row;
        d->rows_by = arg->name;
    }
    if (n_row == d->n_row) return TERN_OK;
    return op_fail(op, TERN_ERR_SHAPE, "%s %s has %lld rows, %s has %lld", arg->name,
                   show_shape(t, shape, sizeof shape), (long long)n_row, d->rows_by, (long long)d->n_row);
}

static tern_status fit_axis(const tern_op *op, const op_arg *arg, const tern_tensor *t, char letter, int axis,
                            op_dims *d)
{
    char shape[120];
    int64_t size = t->shape[axis];
    if (isdigit((unsigned char)letter)) {
        if (size == letter - '0') return TERN_OK;
        return op_fail(op, TERN_ERR_SHAPE, "axis %d of %s %s is %lld, not %c", axis, arg->name,
                       show_shape(t, shape, sizeof shape), (long long)size, letter);
    }
    int i = (letter | 32) - 'a';
    if (size < 0 || (size == 0 && isupper((unsigned char)letter)))
        return op_fail(op, TERN_ERR_SHAPE, "axis %d of %s %s is %lld", axis, arg->name,
                       show_shape(t, shape, sizeof shape), (long long)size);
    if (d->size[i] < 0) {
        d->size[i] = size;
        d->bound_by[i] = arg->name;
    }
    if (d->size[i] == size) return TERN_OK;
    return op_fail(op, TERN_ERR_SHAPE, "axis %d of %s %s is %lld, and %s has %lld there", axis, arg->name,
                   show_shape(t, shape, sizeof shape), (long long)size, d->bound_by[i] ? d->bound_by[i] : "the op",
                   (long long)d->size[i]);
}

/* The letters of a row; an output's "?" is what the op's check has chosen. */
static const char *letters_of(const op_arg *arg, const op_dims *d)
{
    bool chosen = arg->shape[0] == '?' && arg->role != IN && arg->role != MAYBE && d->output;
    return chosen ? d->output : arg->shape;
}

static bool flipped(const tern_op *op, const op_arg *arg, const tern_tensor *t)
{
    return arg->type == OF_WEIGHT && (op->config.transposed_mode || t->dtype == TERN_I8);
}

static tern_status fit_shape(const tern_op *op, const op_arg *arg, const tern_tensor *t, op_dims *d)
{
    const char *letters = letters_of(arg, d);
    int lead = 0, n;
    if (letters[0] == '?') return TERN_OK;
    bool star = letters[0] == '*';
    letters += star;
    n = (int)strlen(letters);
    if (star ? t->rank < n : t->rank != n) return wrong_rank(op, arg, t, n, star);
    if (star) lead = t->rank - n;
    bool flip = flipped(op, arg, t);
    for (int i = 0; i < n; i++) {
        tern_status st = fit_axis(op, arg, t, letters[flip ? n - 1 - i : i], lead + i, d);
        if (st) return st;
    }
    return star ? fit_lead(op, arg, t, lead, d) : TERN_OK;
}

/* ---- The whole table ---- */

/* An int8 weight has scales: f32 [G] where G divides its rows. */
static tern_status check_scale(tern_op *op, const void *args, const op_arg *arg, const tern_tensor *t)
{
    char name[64];
    if (arg->type != OF_WEIGHT || t->dtype != TERN_I8) return TERN_OK;
    snprintf(name, sizeof name, "%s.scale", arg->name);
    const op_arg *row = op->desc->args;
    while (row->name && strcmp(row->name, name)) row++;
    if (!row->name) return op_fail(op, TERN_ERR_UNSUPPORTED, "%s is i8, and this op takes no scales for it", arg->name);
    const tern_tensor *scale = op_tensor(args, row);
    if (!scale->data) return op_fail(op, TERN_ERR_ARGUMENT, "%s is i8 and %s is missing", arg->name, name);
    if (scale->rank != 1) return wrong_rank(op, row, scale, 1, false);
    int64_t groups = scale->shape[0], rows = t->shape[0];
    if (groups < 1 || rows % groups)
        return op_fail(op, TERN_ERR_SHAPE, "%s has %lld groups, which do not divide the %lld rows of %s", name,
                       (long long)groups, (long long)rows, arg->name);
    return TERN_OK;
}

tern_status op_check_inputs(tern_op *op, const void *args, op_dims *dims)
{
    tern_status st = TERN_OK;
    memset(dims, 0, sizeof *dims);
    memset(dims->size, -1, sizeof dims->size);
    dims->n_row = 1;
    for (const op_arg *arg = op->desc->args; arg->name; arg++) {
        const tern_tensor *t = op_tensor(args, arg);
        if (arg->role == OUT || arg->role == OUT_MAYBE) continue;
        if (!t->data && arg->role == IN) return op_fail(op, TERN_ERR_ARGUMENT, "%s is missing", arg->name);
        if (!t->data) continue;
        TERN_TRY(check_kind(op, arg, t));
        TERN_TRY(fit_shape(op, arg, t, dims));
        TERN_TRY(check_scale(op, args, arg, t));
    }
    if (op->desc->check) TERN_TRY(op->desc->check(op, args, dims));
done:
    return st;
}

tern_status op_check_outputs(tern_op *op, const void *args, const op_dims *dims)
{
    op_dims copy = *dims;
    tern_status st = TERN_OK;
    for (const op_arg *arg = op->desc->args; arg->name; arg++) {
        const tern_tensor *t = op_tensor(args, arg);
        if (arg->role == IN || arg->role == MAYBE) continue;
        if (!t->data && arg->role == OUT) return op_fail(op, TERN_ERR_ARGUMENT, "%s is missing", arg->name);
        if (!t->data) continue;
        TERN_TRY(check_kind(op, arg, t));
        TERN_TRY(fit_shape(op, arg, t, &copy));
    }
done:
    return st;
}

tern_tensor op_expected(const tern_op *op, const op_arg *arg, const op_dims *dims)
{
    static const tern_dtype fixed[] = { [OF_F32] = TERN_F32, [OF_F16] = TERN_F16, [OF_I8] = TERN_I8,   [OF_U8] =
        TERN_U8, [OF_I32] = TERN_I32, [OF_I64] = TERN_I64, [OF_INT] = TERN_I64, [OF_FLOAT] = TERN_F32 };
    int64_t shape[TERN_MAX_RANK];
    int rank = 0;
    const char *letters = letters_of(arg, dims);
    if (letters[0] == '*') {
        for (; rank < dims->n_lead; rank++) shape[rank] = dims->lead[rank];
        letters++;
    }
    for (; *letters && rank < TERN_MAX_RANK; letters++)
        shape[rank++] = isdigit((unsigned char)*letters) ? *letters - '0' : op_dim(dims, *letters);
    bool of_t = arg->type == OF_T || arg->type == OF_PARAM || arg->type == OF_WEIGHT;
    return tern_tensor_of(NULL, of_t ? op->t : fixed[arg->type], rank, shape);
}

tern_status op_run(tern_op *op, const op_desc *desc, const void *args)
{
    op_dims dims;
    tern_status st = TERN_OK;
    if (!op) return tern_fail(NULL, TERN_ERR_ARGUMENT, "%s: no op", desc->name);
    if (op->desc != desc) return op_fail(op, TERN_ERR_ARGUMENT, "this op was called as %s", desc->name);
    if (!args) return op_fail(op, TERN_ERR_ARGUMENT, "no arguments");
    TERN_OWN_FP(op->ctx);
    tern_mark mark = tern_arena_mark(&op->ctx->step);
    TERN_TRY(op_check_inputs(op, args, &dims));
    TERN_TRY(op_check_outputs(op, args, &dims));
    if (dims.n_row) TERN_TRY(desc->run(op, args, &dims));
done:
    tern_arena_reset(&op->ctx->step, mark);
    return st;
}
