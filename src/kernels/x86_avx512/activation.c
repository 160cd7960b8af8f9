/* Elementwise functions of one row, 16 lanes at a time. The CPU backend calls them through the table; simd.h has exp, tanh and Phi. */
#include "kernels/x86_avx512/simd.h"
#include "kernels/x86_avx512/slots.h"

/* x / (1 + exp(-2u)) equals 0.5 x (1 + tanh u), u = sqrt(2 / pi) (x + 0.044715 x^3). */
INLINE __m512 gelu_tanh(__m512 x)
{
    __m512 cube = _mm512_mul_ps(_mm512_mul_ps(_mm512_mul_ps(_mm512_set1_ps(GELU_CUBE), x), x), x);
    return over_1_plus_exp_minus(x, _mm512_mul_ps(_mm512_set1_ps(GELU_RATE), _mm512_add_ps(x, cube)));
}

INLINE __m512 gelu_erf(__m512 x)
{
    __m512 tail = phi_minus(x);
    __mmask16 positive = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ);
    return _mm512_mul_ps(x, _mm512_mask_sub_ps(tail, positive, _mm512_set1_ps(1), tail));
}

INLINE __m512 silu(__m512 x)
{
    return over_1_plus_exp_minus(x, x);
}

/* max gives its second operand where one is NaN or both are zero: x itself. */
INLINE __m512 relu(__m512 x)
{
    return _mm512_max_ps(_mm512_setzero_ps(), x);
}

INLINE __m512 sigmoid(__m512 x)
{
    return over_1_plus_exp_minus(_mm512_set1_ps(1), x);
}

#define MAP(slot, f)                                                                          \
    void k_##slot##__x86_avx512(float *y, const float *x, size_t n)                           \
    {                                                                                         \
        size_t i = 0;                                                                         \
        for (; i + LANES <= n; i += LANES) _mm512_storeu_ps(y + i, f(load(x + i)));           \
        __mmask16 m = lanes(n - i);                                                           \
        if (m) _mm512_mask_storeu_ps(y + i, m, f(load_some(m, x + i)));                       \
    }

MAP(gelu_tanh_row, gelu_tanh)
MAP(gelu_erf_row, gelu_erf)
MAP(silu_row, silu)
MAP(relu_row, relu)
MAP(tanh_row, tanh16)
MAP(sigmoid_row, sigmoid)

void k_softcap_row__x86_avx512(float *y, const float *x, float cap, size_t n)
{
    __m512 c = _mm512_set1_ps(cap);
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        _mm512_mask_storeu_ps(y + i, m, _mm512_mul_ps(c, tanh16(_mm512_div_ps(load_some(m, x + i), c))));
    }
}
