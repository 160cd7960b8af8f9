/* What an op is made of: one constant that describes its arguments and options as data, and up to
 * three short functions.
 *
 * Everything that can be said by a table is checked from the table, with the same messages for
 * every op: which tensors must be there, their types, their layout, and how their shapes fit each
 * other. A shape is a word of letters, one an axis, each bound by the first tensor that has it:
 *
 *    "*E"   any leading axes (the rows), then E   all tensors with '*' have the same number of rows
 *   "EN"  two axes; a weight is written [in, out], and is read [out, in] under transposed_mode or
 *         when int8
 *     "bSE"   a small letter may be 0, a capital may not; 'b' and 'B' are one axis
 *     "1"     an axis of 1, and other digits likewise
 *   "?"  any shape: the op's own check looks at it, or says which letters an output has
 *        (dims->output) */
#ifndef TERN_OPS_OP_H
#define TERN_OPS_OP_H

#include <tern/ops.h>

#include "backend/backend.h"
#include "base/ctx.h"
#include "ops/fields.h"

/* required and optional inputs, outputs that must and that may be wanted */
typedef enum op_role { IN, MAYBE, OUT, OUT_MAYBE } op_role;

typedef enum op_type {
    OF_T,         /* the config's T */
    OF_PARAM,     /* T or f32 */
    /* f32, f16, bf16, or i8: then the table's row of its name with ".scale" must be there */
    OF_WEIGHT,
    OF_F32, OF_F16, OF_I8, OF_U8, OF_I32, OF_I64,
    OF_INT,       /* i32 or i64 */
    OF_FLOAT      /* f32, f16 or bf16 */
} op_type;

typedef struct op_arg {
    const char *name;
    size_t offset;        /* of its tern_tensor in the args struct */
    op_role role;
    op_type type;
    const char *shape;
} op_arg;

/* Sizes by letter, -1 where unbound, and the leading axes that '*' stands for. */
typedef struct op_dims {
    int64_t size[26];
    const char *bound_by[26];
    int64_t lead[TERN_MAX_RANK];
    int n_lead;
    int64_t n_row;
    const char *rows_by;
    const char *output;      /* the shape of outputs whose row says "?", chosen by the op's check */
} op_dims;

typedef struct op_desc {
    const char *name, *summary;
    size_t args_size;
    const op_arg *args;                  /* ends with name null */
    const field *options;                /* into the args struct; null: none */
    /* an args struct with the options' defaults; null: zeros */
    const void *defaults;
    /* the config's fields that this op reads besides dtype and compute; ends with null */
    const char *const *config;
    /* at creation: refuses a config, makes constants; may be null */
    tern_status (*prepare)(tern_op *op);
    /* what the table cannot say; binds what outputs derive from; may be null */
    tern_status (*check)(tern_op *op, const void *args, op_dims *dims);
    /* the operations, of arguments that were checked; the bytes of arguments are there already.
     * null: it only moves */
    void (*cost)(const tern_op *op, const void *args, const op_dims *dims, tern_cost *cost);
    tern_status (*run)(tern_op *op, const void *args, const op_dims *dims);
} op_desc;

struct tern_op {
    tern_ctx *ctx;
    const op_desc *desc;
    tern_config config;
    tern_dtype t;                        /* T */
    float *inv_freq;                     /* owned: rotary angles a position, [rotary_dim / 2] */
    /* owned: what the run by names starts from, an args struct; null: desc->defaults */
    void *defaults;
    tern_workspace *workspace;           /* borrowed: of the generic run; tern_op_bind_workspace */
};

/* A row of a table: the field's own name is the argument's. */
#define OP_ARG(args, field, role, type, shape) { #field, offsetof(args, field), role, type, shape }
#define OP_SCALE(args, weight) \
    { #weight ".scale", offsetof(args, weight##_scale), MAYBE, OF_F32, "?" }

/* The typed call that every op has. */
#define OP_TYPED_CALL(op_name)                                                             \
    tern_status tern_##op_name##_run(tern_op *op, const tern_##op_name##_args *args)       \
    {                                                                                      \
        return op_run(op, &op_##op_name, args);                                            \
    }

/* The registry, in the order of the list. */
extern const op_desc *const op_list[];
const op_desc *op_find(const char *name);

/* A typed call: checks the table, then the op, then the outputs, and runs. The arena is as before
 * afterwards. */
tern_status op_run(tern_op *op, const op_desc *desc, const void *args);

/* The same without running: binds dims and checks the inputs. */
tern_status op_check_inputs(tern_op *op, const void *args, op_dims *dims);
tern_status op_check_outputs(tern_op *op, const void *args, const op_dims *dims);

/* The shape that the row's letters stand for, and the type, as a tensor without data. */
tern_tensor op_expected(const tern_op *op, const op_arg *arg, const op_dims *dims);

static inline const tern_tensor *op_tensor(const void *args, const op_arg *arg)
{
    return (const tern_tensor *)((const char *)args + arg->offset);
}

/* "linear: " and the rest; returns status. */
tern_status op_fail(const tern_op *op, tern_status status, const char *format,
                    ...) TERN_PRINTF(3, 4);

static inline int64_t op_dim(const op_dims *dims, char letter)
{
    return dims->size[(letter | 32) - 'a'];
}

static inline void op_bind(op_dims *dims, char letter, int64_t size)
{
    dims->size[(letter | 32) - 'a'] = size;
}

#endif
