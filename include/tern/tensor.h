/* tern_tensor: a view of numbers somewhere in memory. It never owns them. */
#ifndef TERN_TENSOR_H
#define TERN_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tern/export.h>

#define TERN_MAX_RANK 8

typedef enum tern_dtype {
    TERN_F32 = 0,
    TERN_F16 = 1,
    TERN_BF16 = 2,
    TERN_I8 = 3,
    TERN_U8 = 4,
    TERN_BOOL = 5,   /* one byte, 0 or 1 */
    TERN_I32 = 6,
    TERN_I64 = 7,
    /* f16 in the order of this machine's kernel: a matrix that a model holds for itself. No call
     * takes or gives it */
    TERN_F16_PACKED = 8,
    TERN_N_DTYPES
} tern_dtype;

typedef enum tern_device { TERN_CPU = 0, TERN_CUDA = 1 } tern_device;

/* Shapes are outermost first; strides count elements. data null means "no tensor": an optional
 * argument left out. Its fields are those of DLPack's DLTensor, so that either can be filled from
 * the other without a copy. */
typedef struct tern_tensor {
    void *data;
    tern_dtype dtype;
    tern_device device;
    int rank;
    int64_t shape[TERN_MAX_RANK];
    int64_t stride[TERN_MAX_RANK];
} tern_tensor;

/* A tensor with the name that an op has for it: "input", "attention.attn_qkvw". The name is
 * borrowed. */
typedef struct tern_named_tensor {
    const char *name;
    tern_tensor tensor;
} tern_named_tensor;

/* A contiguous view of data; rank dimensions follow. A rank outside 0..TERN_MAX_RANK gives an empty
 * tensor (data null). */
TERN_API tern_tensor tern_tensor_of(void *data, tern_dtype dtype, int rank, const int64_t *shape);

/* elements: the product of the shape, 1 for rank 0 */
TERN_API int64_t tern_tensor_count(const tern_tensor *t);
TERN_API bool tern_tensor_contiguous(const tern_tensor *t);    /* rows lie end to end, in order */

TERN_API size_t tern_dtype_bytes(tern_dtype dtype);            /* 0 for a value that is none */
TERN_API const char *tern_dtype_name(tern_dtype dtype);        /* "f32", "bf16", ...; "?" */

#endif
