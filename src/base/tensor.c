/* Views of numbers: their sizes and shapes (tern/tensor.h). */
#include <tern/tensor.h>

static const struct { size_t bytes; const char *name; } dtypes[TERN_N_DTYPES] = {
    [TERN_F32] = { 4, "f32" }, [TERN_F16] = { 2, "f16" },   [TERN_BF16] = { 2, "bf16" }, [TERN_I8] = { 1, "i8" },
    [TERN_U8] = { 1, "u8" },   [TERN_BOOL] = { 1, "bool" }, [TERN_I32] = { 4, "i32" },   [TERN_I64] = { 8, "i64" },
    [TERN_F16_PACKED] = { 2, "f16 packed" },
};

size_t tern_dtype_bytes(tern_dtype dtype)
{
    return (unsigned)dtype < TERN_N_DTYPES ? dtypes[dtype].bytes : 0;
}

const char *tern_dtype_name(tern_dtype dtype)
{
    return (unsigned)dtype < TERN_N_DTYPES ? dtypes[dtype].name : "?";
}

tern_tensor tern_tensor_of(void *data, tern_dtype dtype, int rank, const int64_t *shape)
{
    tern_tensor t = { .data = data, .dtype = dtype, .rank = rank };
    if (rank < 0 || rank > TERN_MAX_RANK) return (tern_tensor){ 0 };
    int64_t stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        t.shape[i] = shape[i];
        t.stride[i] = stride;
        stride *= shape[i];
    }
    return t;
}

int64_t tern_tensor_count(const tern_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->shape[i];
    return n;
}

bool tern_tensor_contiguous(const tern_tensor *t)
{
    int64_t stride = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->shape[i] != 1 && t->stride[i] != stride) return false;
        stride *= t->shape[i];
    }
    return true;
}
