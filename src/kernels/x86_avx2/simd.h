/* AVX2's SIMD operations for the kernels of kernels/vector: eight f32 lanes. kernels/vector/math.h
 * says what each one does. Tails of f32 are masked; AVX2 has no masks for 16 bits, so that tails of
 * those pass through a small array. */
#ifndef TERN_KERNELS_X86_AVX2_SIMD_H
#define TERN_KERNELS_X86_AVX2_SIMD_H

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/vector/stored.h"

#define INLINE static inline __attribute__((always_inline))

typedef __m256 vec;
typedef __m256i bits;    /* 16 numbers of 16 bits */

/* 12 sums, 3 registers of x, one of w. 8 KiB of panel, two strips of x and a tile's sums are well
 * within a first cache of 32 KiB. */
enum { LANES = 8, TILE_M = 3, TILE_N = 4, FEW_M = 6, FEW_STRIPS = 0, M_BLOCK = 96, PANEL_BYTES =
    8192, STREAM_PART = 512, ONE_N = 4, NN_M = 6, NN_N = 2, NN_TALL = 8, NN_SLIM = 1, NN_WIDE = 8 };

#define STREAM_N(m) ((m) <= 3 ? 4 : 2)
#define STREAM_GROUP(m) ((m) <= 4 ? 1 : 8)
#define STREAM_LEAD(m) ((m) <= 4 ? 1 : 4)
#define STREAM_NEAR(m) ((m) <= 4)

/* The first n lanes. */
INLINE __m256i lanes(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n >= LANES ? LANES : (int)n),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

INLINE vec v_all(float x) { return _mm256_set1_ps(x); }
INLINE vec v_zero(void) { return _mm256_setzero_ps(); }
INLINE vec v_add(vec a, vec b) { return _mm256_add_ps(a, b); }
INLINE vec v_sub(vec a, vec b) { return _mm256_sub_ps(a, b); }
INLINE vec v_mul(vec a, vec b) { return _mm256_mul_ps(a, b); }
INLINE vec v_div(vec a, vec b) { return _mm256_div_ps(a, b); }
INLINE vec v_fma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vec v_fnma(vec a, vec b, vec c) { return _mm256_fnmadd_ps(a, b, c); }
INLINE vec v_max(vec a, vec b) { return _mm256_max_ps(a, b); }
INLINE vec v_min(vec a, vec b) { return _mm256_min_ps(a, b); }
INLINE vec v_abs(vec v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
INLINE vec v_round(vec v) { return _mm256_round_ps(v,
                                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vec v_sign_from(vec v,
                       vec x) { return _mm256_or_ps(v, _mm256_and_ps(x, _mm256_set1_ps(-0.0f))); }
INLINE vec v_keep_n(vec v, size_t n) {
    return n >= LANES ? v : _mm256_and_ps(v, _mm256_castsi256_ps(lanes(n)));
}
INLINE vec v_swap(vec v) { return _mm256_permute_ps(v, 0xB1); }
INLINE vec v_fma_sub_add(vec a, vec b, vec c) { return _mm256_fmaddsub_ps(a, b, c); }
INLINE bool v_any_nan(vec v) { return _mm256_movemask_ps(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)) != 0; }
INLINE vec v_positive(vec x, vec a, vec b) {
    return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ));
}

/* By 2^(n/2) and 2^(n - n/2), so that either is a normal number; the first product is exact. */
INLINE vec v_scale(vec v, vec n)
{
    const __m256i bias = _mm256_set1_epi32(127);
    __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1),
        rest = _mm256_sub_epi32(whole, half);
    vec a = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
    return _mm256_mul_ps(_mm256_mul_ps(v, a),
                         _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23)));
}

INLINE vec v_in_register(vec v)
{
    __asm__("" : "+x"(v));
    return v;
}

INLINE vec v_load_n(const float *p, size_t n)
{
    return n >= LANES ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, lanes(n));
}

INLINE void v_store_n(float *p, size_t n, vec v)
{
    if (n >= LANES) _mm256_storeu_ps(p, v);
    else _mm256_maskstore_ps(p, lanes(n), v);
}

INLINE vec v_twice_n(const float *p, size_t n)
{
    return _mm256_permutevar8x32_ps(v_load_n(p, n < LANES / 2 ? n : LANES / 2),
                                    _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
}

INLINE __m128i load_halves(const uint16_t *p, size_t n)
{
    uint16_t some[LANES] = { 0 };
    if (n >= LANES) return _mm_loadu_si128((const __m128i *)(const void *)p);
    memcpy(some, p, n * sizeof *p);
    return _mm_loadu_si128((const __m128i *)(const void *)some);
}

INLINE void store_halves(uint16_t *p, size_t n, __m128i v)
{
    uint16_t some[LANES];
    if (n >= LANES) {
        _mm_storeu_si128((__m128i *)(void *)p, v);
        return;
    }
    _mm_storeu_si128((__m128i *)(void *)some, v);
    memcpy(p, some, n * sizeof *p);
}

INLINE vec v_load_stored(const void *p, size_t at, size_t n, stored type)
{
    if (type == STORED_F32) return v_load_n((const float *)p + at, n);
    __m128i v = load_halves((const uint16_t *)p + at, n);
    return type == STORED_BF16 ? _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(v),
                                                                       16)) : _mm256_cvtph_ps(v);
}

/* To nearest even by adding half a unit, less one where the kept part is even. A NaN keeps its
 * upper bits and becomes quiet. In 32 bits each. */
INLINE __m256i bf16_of(vec v)
{
    __m256i u = _mm256_castps_si256(v), upper = _mm256_srli_epi32(u, 16);
    __m256i half = _mm256_add_epi32(_mm256_and_si256(upper, _mm256_set1_epi32(1)),
                                    _mm256_set1_epi32(0x7FFF));
    __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(u, half), 16),
        quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
    return _mm256_blendv_epi8(rounded, quiet,
                              _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
}

INLINE void v_store_bf16(uint16_t *p, size_t n, vec v)
{
    __m256i r = bf16_of(v);
    store_halves(p, n, _mm_packus_epi32(_mm256_castsi256_si128(r), _mm256_extracti128_si256(r, 1)));
}

INLINE vec v_round_bf16(vec v)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(bf16_of(v), 16));
}

INLINE vec v_evens_of(vec a, vec b)
{
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(_mm256_shuffle_ps(a, b, 0x88)),
                                                  0xD8));
}

INLINE vec v_odds_of(vec a, vec b)
{
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(_mm256_shuffle_ps(a, b, 0xDD)),
                                                  0xD8));
}

INLINE bits b_load_n(const uint16_t *p, size_t n)
{
    uint16_t some[2 * LANES] = { 0 };
    if (n >= 2 * LANES) return _mm256_loadu_si256((const __m256i *)(const void *)p);
    memcpy(some, p, n * sizeof *p);
    return _mm256_loadu_si256((const __m256i *)(const void *)some);
}

INLINE void v_store_f16(uint16_t *p, size_t n, vec v)
{
    store_halves(p, n, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

INLINE vec v_round_f16(vec v)
{
    return _mm256_cvtph_ps(_mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

INLINE bits b_load_pairs(const void *p, size_t n)
{
    return n >= LANES ? _mm256_loadu_si256(p) : _mm256_maskload_epi32(p, lanes(n));
}

INLINE vec v_even(bits v) { return _mm256_castsi256_ps(_mm256_slli_epi32(v, 16)); }
INLINE vec v_odd(bits v) {
    return _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32((int)0xFFFF0000)));
}

INLINE float v_max_of(vec v)
{
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
}

/* Halves, quarters, pairs. */
INLINE float v_sum_of(vec v)
{
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}

/* The sums of four registers at once: neighbours, pairs, halves. */
INLINE void v_store_sums(float *y, size_t n, bool first, const vec sum[TILE_N])
{
    __m256 q = _mm256_hadd_ps(_mm256_hadd_ps(sum[0], sum[1]), _mm256_hadd_ps(sum[2], sum[3]));
    __m128 total = _mm_add_ps(_mm256_castps256_ps128(q), _mm256_extractf128_ps(q, 1));
    __m128i wanted = _mm256_castsi256_si128(lanes(n));
    if (!first) total = _mm_add_ps(_mm_maskload_ps(y, wanted), total);
    _mm_maskstore_ps(y, wanted, total);
}

#endif
