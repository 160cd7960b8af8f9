/* softmax's exponentials of a row: as f32, or rounded to bf16 as gemm_nn_bf16_bf16 of the vector
 * folders takes them. Each of these compiles this for itself; math.h lists the SIMD operations. */
#include "kernels/vector/exp_walk.h"

INLINE void exp_put(float *s, size_t j, size_t left, const vec e[], int count)
{
    for (int i = 0; i < count; i++) v_store_n(s + j + i * LANES, left, e[i]);
}

/* To bf16, by Dekker's splitting of a number (1971): for 0 and every normal number up to 1 it is to
 * nearest even, which was tried for all of them; a subnormal one may keep more places. NaN
 * stays. */
INLINE vec round_weight(vec v)
{
    vec high = v_mul(v, v_all(0x1p16f + 1));
    return v_sub(high, v_sub(high, v));
}

INLINE void exp_put_rounded(float *s, size_t j, size_t left, const vec e[], int count)
{
    for (int i = 0; i < count; i++) v_store_n(s + j + i * LANES, left, round_weight(e[i]));
}

INLINE void exp_fill(float *s, size_t n, float v)
{
    for (size_t j = 0; j < n; j++) s[j] = v;
}

float K(exp_row)(float *s, size_t n, float *max)
{
    return exp_walk(exp_put, exp_fill, s, n, max);
}

float K(exp_nn_bf16_row)(float *s, size_t n, float *max)
{
    exp_fill(s + n, (NN_CELL - n % NN_CELL) % NN_CELL, 0);
    return exp_walk(exp_put_rounded, exp_fill, s, n, max);
}
