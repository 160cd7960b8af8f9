/* Arrays from one float type to another, 16 numbers at a time, as base/dtype.h defines them. The CPU backend calls them through the table. */
#include "kernels/x86_avx512/simd.h"
#include "kernels/x86_avx512/slots.h"

INLINE void widen_row(float *to, const void *from, size_t n, stored type)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        _mm512_mask_storeu_ps(to + i, m, load_stored_some(m, from, i, type));
    }
}

void k_f32_from_bf16__x86_avx512(void *to, const void *from, size_t n)
{
    widen_row(to, from, n, STORED_BF16);
}

void k_f32_from_f16__x86_avx512(void *to, const void *from, size_t n)
{
    widen_row(to, from, n, STORED_F16);
}

/* To nearest even by adding half a unit, less one where the kept part is even. A NaN keeps its upper bits and becomes quiet. */
INLINE __m256i bf16_of(__m512 v)
{
    __m512i u = _mm512_castps_si512(v), upper = _mm512_srli_epi32(u, 16);
    __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
    __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF))), 16);
    __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(rounded, nan, upper, _mm512_set1_epi32(0x40)));
}

void k_bf16_from_f32__x86_avx512(void *to, const void *from, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        _mm256_mask_storeu_epi16((uint16_t *)to + i, m, bf16_of(load_some(m, (const float *)from + i)));
    }
}

void k_f16_from_f32__x86_avx512(void *to, const void *from, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        __m256i v = _mm512_cvtps_ph(load_some(m, (const float *)from + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm256_mask_storeu_epi16((uint16_t *)to + i, m, v);
    }
}
