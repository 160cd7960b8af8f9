/* y = x w^T over weights as stored, one product after the other: the definition of the gemm slots.
 * x is packed as it lies, row by row. The CPU backend calls it through the table; it calls the
 * conversions of base/dtype.h. */
#include <math.h>

#include "base/dtype.h"
#include "kernels/scalar/slots.h"
#include "kernels/unit.h"

static float same(float v)
{
    return v;
}

void k_pack_f32__scalar(void *to, const float *x, size_t ldx, size_t m, size_t k_len)
{
    for (size_t i = 0; i < m; i++)
        for (size_t k = 0; k < k_len; k++) ((float *)to)[i * k_len + k] = x[i * ldx + k];
}

void k_pack_bf16__scalar(void *to, const float *x, size_t ldx, size_t m, size_t k_len)
{
    for (size_t i = 0; i < m; i++)
        for (size_t k = 0; k < k_len; k++) ((uint16_t *)to)[i * k_len + k] = tern_bf16_from_f32(x[i * ldx + k]);
}

/* As f32 that was rounded to f16 in the row's unit: the products of two f16 are exact in f32. */
void k_pack_f16__scalar(void *to, const float *x, size_t ldx, size_t m, size_t k_len)
{
    for (size_t i = 0; i < m; i++) {
        float largest = 0;
        for (size_t k = 0; k < k_len; k++)
            if (fabsf(x[i * ldx + k]) > largest) largest = fabsf(x[i * ldx + k]);
        float unit = k_f16_unit(largest);
        for (size_t k = 0; k < k_len; k++)
            ((float *)to)[i * k_len + k] = tern_f32_from_f16(tern_f16_from_f32(x[i * ldx + k] * unit)) / unit;
    }
}

/* A type pair differs in how a stored number becomes an f32, and in nothing else. */
#define GEMM(slot, x_type, widen_x, w_type, widen_w) \
    void k_##slot##__scalar(float *y, size_t ldy, const void *x, const void *w, size_t ldw, size_t m, size_t n, \
                            size_t k_len) \
    { \
        for (size_t i = 0; i < m; i++) \
            for (size_t j = 0; j < n; j++) { \
                const x_type *x_row = (const x_type *)x + i * k_len; \
                const w_type *w_row = (const w_type *)w + j * ldw; \
                float sum = 0; \
                for (size_t k = 0; k < k_len; k++) sum += widen_x(x_row[k]) * widen_w(w_row[k]); \
                y[i * ldy + j] = sum; \
            } \
    }

GEMM(gemm_f32_f32, float, same, float, same)
GEMM(gemm_f32_bf16, float, same, uint16_t, tern_f32_from_bf16)
GEMM(gemm_f32_f16, float, same, uint16_t, tern_f32_from_f16)
GEMM(gemm_bf16_bf16, uint16_t, tern_f32_from_bf16, uint16_t, tern_f32_from_bf16)
GEMM(gemm_f16_f16, float, same, uint16_t, tern_f32_from_f16)
