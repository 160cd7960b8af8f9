/* AVX-512's SIMD operations for the kernels of kernels/vector: sixteen f32 lanes, tails by masks.
 * kernels/vector/math.h says what each one does. */
#ifndef TERN_KERNELS_X86_AVX512_SIMD_H
#define TERN_KERNELS_X86_AVX512_SIMD_H

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/vector/stored.h"

#define INLINE static inline __attribute__((always_inline))

typedef __m512 vec;
typedef __m512i bits;    /* 32 numbers of 16 bits */

/* 24 sums, 3 registers of x, one of w. 16 KiB of panel, two strips of x and a tile's sums are well
 * within a first cache of 48 or 32 KiB. */
enum { LANES = 16, TILE_M = 3, TILE_N = 8, FEW_M = 8, FEW_STRIPS = 12, M_BLOCK = 96,
       PANEL_BYTES = 16384, STREAM_PART = 1024, ONE_N = 4, NN_M = 6, NN_N = 4, NN_TALL = 8,
       NN_SLIM = 2, NN_WIDE = 8 };

/* From 5 rows on a part of x is too large to pass by for every tile of w. */
#define STREAM_N(m) (3 + ((m) <= 6) + 4 * ((m) <= 3))    /* 8, from 4 rows on 4, from 7 rows on 3 */
#define STREAM_GROUP(m) ((m) <= 4 ? 1 : 8)
#define STREAM_LEAD(m) ((m) <= 4 ? 1 : 4)
#define STREAM_NEAR(m) ((m) <= 4)

INLINE __mmask16 lanes(size_t n)
{
    return n >= LANES ? (__mmask16)0xFFFF : (__mmask16)((1u << n) - 1);
}

INLINE vec v_all(float x) { return _mm512_set1_ps(x); }
INLINE vec v_zero(void) { return _mm512_setzero_ps(); }
INLINE vec v_add(vec a, vec b) { return _mm512_add_ps(a, b); }
INLINE vec v_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
INLINE vec v_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
INLINE vec v_div(vec a, vec b) { return _mm512_div_ps(a, b); }
INLINE vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vec v_fnma(vec a, vec b, vec c) { return _mm512_fnmadd_ps(a, b, c); }
INLINE vec v_max(vec a, vec b) { return _mm512_max_ps(a, b); }
INLINE vec v_min(vec a, vec b) { return _mm512_min_ps(a, b); }
INLINE vec v_abs(vec v) { return _mm512_abs_ps(v); }
INLINE vec v_round(vec v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT |
                                                        _MM_FROUND_NO_EXC); }
INLINE vec v_sign_from(vec v,
                       vec x) { return _mm512_or_ps(v, _mm512_and_ps(x, _mm512_set1_ps(-0.0f))); }
INLINE vec v_scale(vec v, vec n) { return _mm512_scalef_ps(v, n); }
INLINE vec v_keep_n(vec v, size_t n) { return _mm512_maskz_mov_ps(lanes(n), v); }
INLINE vec v_swap(vec v) { return _mm512_permute_ps(v, 0xB1); }
INLINE vec v_fma_sub_add(vec a, vec b, vec c) { return _mm512_fmaddsub_ps(a, b, c); }
INLINE bool v_any_nan(vec v) { return _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q) != 0; }
INLINE float v_max_of(vec v) { return _mm512_reduce_max_ps(v); }

INLINE vec v_positive(vec x, vec a, vec b)
{
    return _mm512_mask_mov_ps(b, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ), a);
}

INLINE vec v_in_register(vec v)
{
    __asm__("" : "+v"(v));
    return v;
}

INLINE vec v_load_n(const float *p, size_t n)
{
    return n >= LANES ? _mm512_loadu_ps(p) : _mm512_maskz_loadu_ps(lanes(n), p);
}

INLINE void v_store_n(float *p, size_t n, vec v)
{
    if (n >= LANES) _mm512_storeu_ps(p, v);
    else _mm512_mask_storeu_ps(p, lanes(n), v);
}

INLINE vec v_twice_n(const float *p, size_t n)
{
    const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    return _mm512_permutexvar_ps(twice, _mm512_maskz_loadu_ps(lanes(n) & 0xFF, p));
}

INLINE vec widen_bf16(__m256i v)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
}

INLINE vec v_load_stored(const void *p, size_t at, size_t n, stored type)
{
    if (type == STORED_F32) return v_load_n((const float *)p + at, n);
    const uint16_t *from = (const uint16_t *)p + at;
    __m256i v = n >= LANES ? _mm256_loadu_si256((const __m256i *)(const void *)from)
                           : _mm256_maskz_loadu_epi16(lanes(n), from);
    return type == STORED_BF16 ? widen_bf16(v) : _mm512_cvtph_ps(v);
}

/* To nearest even by adding half a unit, less one where the kept part is even. A NaN keeps its
 * upper bits and becomes quiet. In 32 bits each. */
INLINE __m512i bf16_of(vec v)
{
    __m512i u = _mm512_castps_si512(v), upper = _mm512_srli_epi32(u, 16);
    __m512i half = _mm512_add_epi32(_mm512_and_si512(upper, _mm512_set1_epi32(1)),
                                    _mm512_set1_epi32(0x7FFF));
    __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(u, half), 16);
    __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return _mm512_mask_or_epi32(rounded, nan, upper, _mm512_set1_epi32(0x40));
}

INLINE void v_store_bf16(uint16_t *p, size_t n, vec v)
{
    _mm256_mask_storeu_epi16(p, lanes(n), _mm512_cvtepi32_epi16(bf16_of(v)));
}

INLINE vec v_round_bf16(vec v)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(bf16_of(v), 16));
}

INLINE void v_store_f16(uint16_t *p, size_t n, vec v)
{
    _mm256_mask_storeu_epi16(p, lanes(n),
                             _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

INLINE vec v_round_f16(vec v)
{
    return _mm512_cvtph_ps(_mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/* Halves, quarters, pairs. */
INLINE float v_sum_of(vec v)
{
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}

/* The sums of eight registers at once: neighbours, pairs, quarters, halves. */
INLINE __m256 sums_of(const vec v[TILE_N])
{
    __m512 a = _mm512_add_ps(_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1]));
    __m512 b = _mm512_add_ps(_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3]));
    __m512 c = _mm512_add_ps(_mm512_unpacklo_ps(v[4], v[5]), _mm512_unpackhi_ps(v[4], v[5]));
    __m512 d = _mm512_add_ps(_mm512_unpacklo_ps(v[6], v[7]), _mm512_unpackhi_ps(v[6], v[7]));
    __m512 e = _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xEE));
    __m512 f = _mm512_add_ps(_mm512_shuffle_ps(c, d, 0x44), _mm512_shuffle_ps(c, d, 0xEE));
    __m512 g = _mm512_add_ps(_mm512_shuffle_f32x4(e, f, 0x44), _mm512_shuffle_f32x4(e, f, 0xEE));
    __m256 low = _mm512_castps512_ps256(g), high = _mm512_extractf32x8_ps(g, 1);
    return _mm256_add_ps(_mm256_permute2f128_ps(low, high, 0x20),
                         _mm256_permute2f128_ps(low, high, 0x31));
}

INLINE void v_store_sums(float *y, size_t n, bool first, const vec sum[TILE_N])
{
    __mmask8 wanted = (__mmask8)lanes(n);
    __m256 total = sums_of(sum);
    if (!first) total = _mm256_add_ps(_mm256_maskz_loadu_ps(wanted, y), total);
    _mm256_mask_storeu_ps(y, wanted, total);
}

INLINE vec v_evens_of(vec a, vec b)
{
    return _mm512_permutex2var_ps(a, _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22,
                                                       24, 26, 28, 30), b);
}

INLINE vec v_odds_of(vec a, vec b)
{
    return _mm512_permutex2var_ps(a, _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23,
                                                       25, 27, 29, 31), b);
}

INLINE bits b_load_n(const uint16_t *p, size_t n)
{
    return n >= 2 * LANES ? _mm512_loadu_si512(p) : _mm512_maskz_loadu_epi16((1u << n) - 1, p);
}

INLINE bits b_load_pairs(const void *p, size_t n)
{
    return n >= LANES ? _mm512_loadu_si512(p) : _mm512_maskz_loadu_epi32(lanes(n), p);
}

INLINE vec v_even(bits v) { return _mm512_castsi512_ps(_mm512_slli_epi32(v, 16)); }
INLINE vec v_odd(bits v) {
    return _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32((int)0xFFFF0000)));
}

#endif
