/* Sixteen f32 lanes: loads and stores with tails, widening, sums by a fixed tree, exp. Shared by the files of this folder.
 * A tail is masked: lanes beyond the end read as zero and memory behind them is not touched. */
#ifndef TERN_KERNELS_X86_AVX512_SIMD_H
#define TERN_KERNELS_X86_AVX512_SIMD_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/coefficients.h"

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16 };

/* The first n lanes; all of them for n >= 16. */
INLINE __mmask16 lanes(size_t n)
{
    return n >= LANES ? (__mmask16)0xFFFF : (__mmask16)((1u << n) - 1);
}

/* What remains of n after at, zero at the least: the mask of a block that may lie wholly behind the end. */
INLINE __mmask16 lanes_from(size_t n, size_t at)
{
    return n > at ? lanes(n - at) : 0;
}

INLINE __m512 load(const float *p)
{
    return _mm512_loadu_ps(p);
}

INLINE __m512 load_some(__mmask16 m, const float *p)
{
    return _mm512_maskz_loadu_ps(m, p);
}

/* v, held in a register: without this the compiler reads it from memory again for each of its uses. */
INLINE __m512 held(__m512 v)
{
    __asm__("" : "+v"(v));
    return v;
}

/* The types that widen to f32 as they are loaded. Each is a constant where it is used, so the choice is made by the compiler. */
typedef enum stored { STORED_F32, STORED_BF16, STORED_F16 } stored;

INLINE size_t stored_bytes(stored type)
{
    return type == STORED_F32 ? sizeof(float) : sizeof(uint16_t);
}

INLINE __m512 widen_bf16(__m256i v)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
}

/* 16 numbers of a stored type from p + at elements. */
INLINE __m512 load_stored(const void *p, size_t at, stored type)
{
    if (type == STORED_F32) return _mm512_loadu_ps((const float *)p + at);
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)((const uint16_t *)p + at));
    return type == STORED_BF16 ? widen_bf16(v) : _mm512_cvtph_ps(v);
}

INLINE __m512 load_stored_some(__mmask16 m, const void *p, size_t at, stored type)
{
    if (type == STORED_F32) return _mm512_maskz_loadu_ps(m, (const float *)p + at);
    __m256i v = _mm256_maskz_loadu_epi16(m, (const uint16_t *)p + at);
    return type == STORED_BF16 ? widen_bf16(v) : _mm512_cvtph_ps(v);
}

/* The sum of each of eight registers, by one tree. */
INLINE __m256 sum_lanes8(const __m512 v[8])
{
    __m512 a = _mm512_add_ps(_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1]));
    __m512 b = _mm512_add_ps(_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3]));
    __m512 c = _mm512_add_ps(_mm512_unpacklo_ps(v[4], v[5]), _mm512_unpackhi_ps(v[4], v[5]));
    __m512 d = _mm512_add_ps(_mm512_unpacklo_ps(v[6], v[7]), _mm512_unpackhi_ps(v[6], v[7]));
    __m512 e = _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xEE));
    __m512 f = _mm512_add_ps(_mm512_shuffle_ps(c, d, 0x44), _mm512_shuffle_ps(c, d, 0xEE));
    __m512 g = _mm512_add_ps(_mm512_shuffle_f32x4(e, f, 0x44), _mm512_shuffle_f32x4(e, f, 0xEE));
    __m256 low = _mm512_castps512_ps256(g), high = _mm512_extractf32x8_ps(g, 1);
    return _mm256_add_ps(_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31));
}

/* The sum of one register: halves, quarters, pairs. */
INLINE float sum_lanes(__m512 v)
{
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}

/* x = n ln 2 + r; gives exp(r) - 1 and n. x lies within EXP_LEAST and EXP_MOST, or is NaN. */
INLINE __m512 exp_part(__m512 x, __m512 *n)
{
    *n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(EXP_LOG2E)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fnmadd_ps(*n, _mm512_set1_ps(EXP_LN2_HIGH), x);
    r = _mm512_fnmadd_ps(*n, _mm512_set1_ps(EXP_LN2_LOW), r);
    __m512 p = _mm512_set1_ps(exp_coefficients[4]);
    for (int i = 3; i >= 0; i--) p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(exp_coefficients[i]));
    return _mm512_fmadd_ps(_mm512_mul_ps(r, r), p, r);
}

/* exp to about 1 ulp: subnormal results, 0 and infinity come out as they should, NaN stays (max and min give their second operand then). */
INLINE __m512 exp16(__m512 x)
{
    __m512 n;
    x = _mm512_min_ps(_mm512_set1_ps(EXP_MOST), _mm512_max_ps(_mm512_set1_ps(EXP_LEAST), x));
    __m512 p = exp_part(x, &n);
    return _mm512_scalef_ps(_mm512_add_ps(p, _mm512_set1_ps(1)), n);
}

/* 1 / (1 + exp(-x)) = sigmoid(x), numerator given. */
INLINE __m512 over_1_plus_exp_minus(__m512 numerator, __m512 x)
{
    __m512 e = exp16(_mm512_sub_ps(_mm512_setzero_ps(), x));
    return _mm512_div_ps(numerator, _mm512_add_ps(_mm512_set1_ps(1), e));
}

/* tanh |x| = m / (m + 2), m = exp(2 |x|) - 1, which stays relatively exact down to zero; 10 and beyond give 1. */
INLINE __m512 tanh16(__m512 x)
{
    __m512 n, one = _mm512_set1_ps(1), a = _mm512_abs_ps(x);
    a = _mm512_min_ps(_mm512_set1_ps(10), a);
    __m512 p = exp_part(_mm512_add_ps(a, a), &n), power = _mm512_scalef_ps(one, n);
    __m512 m = _mm512_fmadd_ps(p, power, _mm512_sub_ps(power, one));
    __m512 t = _mm512_div_ps(m, _mm512_add_ps(m, _mm512_set1_ps(2)));
    return _mm512_or_ps(t, _mm512_and_ps(x, _mm512_set1_ps(-0.0f)));
}

/* Phi(-|x|) of the normal distribution: see coefficients.h. */
INLINE __m512 phi_minus(__m512 x)
{
    __m512 one = _mm512_set1_ps(1), s = _mm512_div_ps(one, _mm512_fmadd_ps(_mm512_abs_ps(x), _mm512_set1_ps(PHI_RATE), one));
    __m512 p = _mm512_set1_ps(phi_coefficients[8]);
    for (int i = 7; i >= 0; i--) p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(phi_coefficients[i]));
    __m512 e = exp16(_mm512_mul_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(-0.5f)));
    return _mm512_mul_ps(e, _mm512_mul_ps(p, s));
}

#endif
