/* A safetensors file, mapped and checked: the names, types, shapes and bytes of its tensors.
 *
 *     +-----------------+---------------------------+---------------------------------------------+
 *     | u64 LE: n_header| n_header bytes of JSON    | the tensors' bytes, end to end, no holes    |
 *     +-----------------+---------------------------+---------------------------------------------+
 *     { "__metadata__": { "format": "pt" }, "name": { "dtype": "F32", "shape": [2, 3],
 *     "data_offsets": [0, 24] }, ... }
 *
 * Everything that the format promises is checked before a tensor is handed out: the header's size
 * (at most 100 MB, inside the file), UTF-8, JSON of exactly this form, no name twice, known dtypes,
 * shapes and offsets whose products and sums do not overflow, sizes that agree, no overlap, no
 * hole, nothing behind the last tensor. Memory taken is bounded by the header's length.
 * Source: github.com/huggingface/safetensors, README "Format". */
#ifndef TERN_FORMATS_SAFETENSORS_H
#define TERN_FORMATS_SAFETENSORS_H

#include <tern/tensor.h>

#include "base/file.h"

typedef enum tern_stored_dtype {
    TERN_ST_F32, TERN_ST_F16, TERN_ST_BF16, TERN_ST_I8, TERN_ST_U8, TERN_ST_BOOL, TERN_ST_I32,
    TERN_ST_I64,
    TERN_ST_I16, TERN_ST_U16, TERN_ST_U32, TERN_ST_U64, TERN_ST_F64, TERN_ST_F8_E4M3,
    TERN_ST_F8_E5M2,
    TERN_ST_N_DTYPES
} tern_stored_dtype;

/* One tensor of a file. Name and data live as long as the file is open; data may be less aligned
 * than its type asks. */
typedef struct tern_stored {
    const char *name;             /* UTF-8 without NUL, as the file has it */
    const unsigned char *data;
    size_t n_bytes;
    tern_stored_dtype dtype;
    int rank;                     /* at most TERN_MAX_RANK; 0 is a single number */
    int64_t shape[TERN_MAX_RANK]; /* outermost first; a 0 is possible */
} tern_stored;

typedef struct tern_safetensors {
    char *path;                   /* for messages: "dir/model.safetensors" */
    char *real;                   /* where it lies, to look at it again; null for bytes in memory */
    tern_map map;
    tern_stored *tensors;         /* in the order of their bytes */
    size_t count;
    uint32_t *by_name;            /* indices into tensors, names ascending by byte */
    /* "__metadata__", keys ascending */
    struct tern_st_pair { const char *key, *value; } *metadata;
    size_t n_metadata;
    char *text;                   /* what the names and metadata point into */
} tern_safetensors;

/* Maps and checks dir/name (dir null: a path). The caller owns *out: tern_safetensors_close.
 * TERN_ERR_IO | TERN_ERR_FORMAT, with the file, the tensor or byte, and the numbers |
 * TERN_ERR_UNSUPPORTED an unknown dtype. */
tern_status tern_safetensors_open(tern_ctx *ctx, const char *dir, const char *name,
                                  tern_safetensors **out);

/* The same for bytes in memory, which are borrowed until close. what begins the sentences of
 * errors. */
tern_status tern_safetensors_parse(tern_ctx *ctx, const char *what, const void *data,
                                   size_t n_bytes, tern_safetensors **out);
void tern_safetensors_close(tern_safetensors *file);

/* Null where there is none of that name; by bisection. */
const tern_stored *tern_safetensors_find(const tern_safetensors *file, const char *name);

/* The value of a key of "__metadata__", null where there is none. */
const char *tern_safetensors_metadata(const tern_safetensors *file, const char *key);

/* A view of the tensor's bytes. TERN_ERR_UNSUPPORTED where tern has no such type: "stored as F64,
 * which tern does not compute with". The data is read-only although a tern_tensor's pointer is not
 * const. */
tern_status tern_stored_view(tern_ctx *ctx, const tern_stored *stored, tern_tensor *out);

const char *tern_stored_dtype_name(tern_stored_dtype dtype);    /* "BF16" */
size_t tern_stored_dtype_bytes(tern_stored_dtype dtype);

/* Writing: tensors are declared first, then their bytes come in any order, then the file appears
 * under its name as a whole. Until commit an older file of that name stays as it is; close without
 * commit leaves nothing behind. */
typedef struct tern_safetensors_writer tern_safetensors_writer;

/* tensors: names (no two equal, none "__metadata__"), dtypes and shapes; their data may be null
 * here. metadata: n_metadata pairs, may be null. Larger element types come first in the file, then
 * names in order, so that every tensor is aligned to its element. */
tern_status tern_safetensors_write_begin(tern_ctx *ctx, const char *path,
                                         const tern_named_tensor *tensors, size_t count,
                                         const struct tern_st_pair *metadata, size_t n_metadata,
                                         tern_safetensors_writer **out);

/* The bytes of tensors[index]; tensor must be contiguous and of the declared type and shape. */
tern_status tern_safetensors_write_put(tern_ctx *ctx, tern_safetensors_writer *writer, size_t index,
                                       const tern_tensor *tensor);

/* Makes sure that every tensor was put, flushes to the disk and renames. Afterwards the writer must
 * still be closed. */
tern_status tern_safetensors_write_commit(tern_ctx *ctx, tern_safetensors_writer *writer);
void tern_safetensors_write_close(tern_safetensors_writer *writer);

/* All of that in one call. */
tern_status tern_safetensors_write(tern_ctx *ctx, const char *path,
                                   const tern_named_tensor *tensors, size_t count);

#endif
