/* peak_f32: twelve chains of multiply-adds, more than the two units times their latency, in sixteen
 * registers. */
#include <immintrin.h>

#include "kernels/x86_avx2/slots.h"

double k_peak_f32__x86_avx2(size_t rounds, float *sink)
{
    enum { CHAINS = 12 };
    float lane[8];
    __m256 x = _mm256_set1_ps(1.0f + sink[0] * 0x1p-30f), sum[CHAINS];
    for (int c = 0; c < CHAINS; c++) sum[c] = _mm256_set1_ps((float)c);
    for (size_t r = 0; r < rounds; r++)
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++) sum[c] = _mm256_fmadd_ps(sum[c], x, x);
    for (int c = 1; c < CHAINS; c++) sum[0] = _mm256_add_ps(sum[0], sum[c]);
    _mm256_storeu_ps(lane, sum[0]);
    for (int i = 0; i < 8; i++) sink[0] += lane[i] * 0x1p-60f;
    return 2.0 * 8 * CHAINS * (double)rounds;
}
