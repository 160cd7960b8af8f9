/* a of gemm_nn_bf16_bf16 as bf16: a cell's numbers lie one after the other in its first half. For
 * the folders whose instructions multiply pairs, this one and x86_amx; needs AVX-512 BF16. Their
 * products take subnormal numbers as zeros, and so does this. */
#ifndef TERN_KERNELS_X86_AVX512_BF16_PAIRS_H
#define TERN_KERNELS_X86_AVX512_BF16_PAIRS_H

#include "kernels/kernels.h"
#include "kernels/x86_avx512/simd.h"

#include "kernels/vector/exp_walk.h"

/* Two registers of f32 as one of bf16. */
INLINE bits b_round_two(vec low, vec high)
{
    return (bits)_mm512_cvtne2ps_pbh(high, low);
}

/* Number k of a packed row. */
INLINE void *nn_address(float *row, size_t k)
{
    return (char *)(row + k / NN_CELL * NN_CELL) + k % NN_CELL * sizeof(uint16_t);
}

INLINE const void *nn_packed_at(const float *row, size_t k)
{
    return (const char *)(row + k / NN_CELL * NN_CELL) + k % NN_CELL * sizeof(uint16_t);
}

/* In ascending order, so that nothing is overwritten before it is read. */
INLINE void nn_pack(float *x, size_t n)
{
    for (size_t k = 0; k < (n + NN_CELL - 1) / NN_CELL * NN_CELL; k += 2 * LANES) {
        size_t left = k < n ? n - k : 0;
        _mm512_store_si512(nn_address(x, k),
                           b_round_two(v_load_n(x + k, left),
                                       v_load_n(x + k + LANES, left > LANES ? left - LANES : 0)));
    }
}

/* Exponentials: a whole cell of them, or LANES of a row's last cell. */
INLINE void nn_exp_put(float *s, size_t j, size_t left, const vec e[], int count)
{
    (void)left;
    if (count == 1)
        _mm256_store_si256((__m256i *)(void *)nn_address(s, j), (__m256i)_mm512_cvtneps_pbh(e[0]));
    for (int i = 0; i + 1 < count; i += 2)
        _mm512_store_si512(nn_address(s, j + (size_t)i * LANES), b_round_two(e[i], e[i + 1]));
}

INLINE void nn_exp_fill(float *s, size_t n, float v)
{
    for (size_t j = 0; j < n; j++) s[j] = v;
    nn_pack(s, n);
}

INLINE float nn_exp_row(float *s, size_t n, float *max)
{
    float sum = exp_walk(nn_exp_put, nn_exp_fill, s, n, max);
    for (size_t k = (n + LANES - 1) / LANES * LANES; k % NN_CELL; k += LANES)
        _mm256_store_si256((__m256i *)(void *)nn_address(s, k), _mm256_setzero_si256());
    return sum;
}

#endif
