/* peak_bf16: sixteen chains of VDPBF16PS, each two products for each of sixteen lanes. */
#include <immintrin.h>

#include "kernels/x86_avx512_bf16/slots.h"

double k_peak_bf16__x86_avx512_bf16(size_t rounds, float *sink)
{
    enum { CHAINS = 16 };
    __m512bh x = (__m512bh)_mm512_set1_ps(1.0f + sink[0] * 0x1p-30f);
    __m512 sum[CHAINS];
    for (int c = 0; c < CHAINS; c++) sum[c] = _mm512_set1_ps((float)c);
    for (size_t r = 0; r < rounds; r++)
#pragma GCC unroll 16
        for (int c = 0; c < CHAINS; c++) sum[c] = _mm512_dpbf16_ps(sum[c], x, x);
    for (int c = 0; c < CHAINS; c++) sink[0] += _mm512_reduce_add_ps(sum[c]) * 0x1p-60f;
    return 4.0 * 16 * CHAINS * (double)rounds;
}
