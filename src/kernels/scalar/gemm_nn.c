/* y (+)= a b in ascending k: the definition of attention's two products.
 * The CPU backend calls it through the table; it calls the conversions of base/dtype.h. */
#include "base/dtype.h"
#include "kernels/scalar/slots.h"

static float same(float v)
{
    return v;
}

#define IN_ROWS(k, j) ((k) * ldb + (j))
#define IN_PAIRS(k, j) (((k) / 2 * ldb + (j)) * 2 + (k) % 2)

#define GEMM_NN(slot, b_type, widen, at) \
    void k_##slot##__scalar(float *y, size_t ldy, const float *a, size_t lda, const void *b, size_t ldb, size_t m, \
                            size_t n, size_t k_len, bool add, const void *next) \
    { \
        (void)next; \
        for (size_t i = 0; i < m; i++) \
            for (size_t j = 0; j < n; j++) { \
                float sum = add ? y[i * ldy + j] : 0; \
                for (size_t k = 0; k < k_len; k++) sum += a[i * lda + k] * widen(((const b_type *)b)[at(k, j)]); \
                y[i * ldy + j] = sum; \
            } \
    }

GEMM_NN(gemm_nn_f32, float, same, IN_ROWS)
GEMM_NN(gemm_nn_bf16, uint16_t, tern_f32_from_bf16, IN_PAIRS)
GEMM_NN(gemm_nn_f16, uint16_t, tern_f32_from_f16, IN_ROWS)

/* a is packed as f32, number by number where it lies. */
GEMM_NN(gemm_nn_bf16_bf16, uint16_t, tern_f32_from_bf16, IN_PAIRS)

void k_pack_nn_bf16__scalar(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = tern_f32_from_bf16(tern_bf16_from_f32(x[i]));
    for (size_t i = n; i % NN_CELL; i++) x[i] = 0;
}
