/* Sums, products and turns of rows, 16 lanes at a time. The CPU backend calls them through the table. */
#include "kernels/x86_avx512/simd.h"
#include "kernels/x86_avx512/slots.h"

void k_axpb_row__x86_avx512(float *y, float alpha, const float *a, const float *b, size_t n)
{
    __m512 scale = _mm512_set1_ps(alpha);
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        _mm512_mask_storeu_ps(y + i, m, _mm512_fmadd_ps(scale, load_some(m, a + i), load_some(m, b + i)));
    }
}

void k_mul_row__x86_avx512(float *y, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        _mm512_mask_storeu_ps(y + i, m, _mm512_mul_ps(load_some(m, a + i), load_some(m, b + i)));
    }
}

void k_scale_row__x86_avx512(float *y, float alpha, const float *x, size_t n)
{
    __m512 scale = _mm512_set1_ps(alpha);
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        _mm512_mask_storeu_ps(y + i, m, _mm512_mul_ps(scale, load_some(m, x + i)));
    }
}

void k_rope_half_row__x86_avx512(float *x, const float *cos, const float *sin, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        __m512 a = load_some(m, x + i), b = load_some(m, x + n + i), c = load_some(m, cos + i), s = load_some(m, sin + i);
        _mm512_mask_storeu_ps(x + i, m, _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)));
        _mm512_mask_storeu_ps(x + n + i, m, _mm512_fmadd_ps(b, c, _mm512_mul_ps(a, s)));
    }
}

/* Eight pairs in a register: cosines and sines are doubled, the pair's other half is swapped in, even lanes subtract and odd ones add. */
void k_rope_pair_row__x86_avx512(float *x, const float *cos, const float *sin, size_t n)
{
    const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    for (size_t i = 0; i < n; i += LANES / 2) {
        __mmask16 pairs = lanes(2 * (n - i)), one = (__mmask16)(lanes(n - i) & 0xFF);
        __m512 v = load_some(pairs, x + 2 * i), swapped = _mm512_permute_ps(v, 0xB1);
        __m512 c = _mm512_permutexvar_ps(twice, load_some(one, cos + i)), s = _mm512_permutexvar_ps(twice, load_some(one, sin + i));
        _mm512_mask_storeu_ps(x + 2 * i, pairs, _mm512_fmaddsub_ps(v, c, _mm512_mul_ps(swapped, s)));
    }
}
