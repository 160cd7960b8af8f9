/* peak_f32: sixteen chains of multiply-adds, more than the two units times their latency. */
#include <immintrin.h>

#include "kernels/x86_avx512/slots.h"

double k_peak_f32__x86_avx512(size_t rounds, float *sink)
{
    enum { CHAINS = 16 };
    __m512 x = _mm512_set1_ps(1.0f + sink[0] * 0x1p-30f), sum[CHAINS];
    for (int c = 0; c < CHAINS; c++) sum[c] = _mm512_set1_ps((float)c);
    for (size_t r = 0; r < rounds; r++)
#pragma GCC unroll 16
        for (int c = 0; c < CHAINS; c++) sum[c] = _mm512_fmadd_ps(sum[c], x, x);
    for (int c = 0; c < CHAINS; c++) sink[0] += _mm512_reduce_add_ps(sum[c]) * 0x1p-60f;
    return 2.0 * 16 * CHAINS * (double)rounds;
}
