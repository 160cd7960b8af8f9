/* peak_f16: sixteen chains of multiply-adds of 32 lanes, more than the two units times their
 * latency. */
#include <immintrin.h>

#include "kernels/x86_avx512_fp16/slots.h"

double k_peak_f16__x86_avx512_fp16(size_t rounds, float *sink)
{
    enum { CHAINS = 16 };
    __m256i one = _mm512_cvtps_ph(_mm512_set1_ps(1.0f + sink[0] * 0x1p-30f),
                                  _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512h x = _mm512_castsi512_ph(_mm512_broadcast_i64x4(one)), sum[CHAINS];
    for (int c = 0; c < CHAINS; c++) sum[c] = _mm512_castsi512_ph(_mm512_set1_epi16((short)c));
    for (size_t r = 0; r < rounds; r++)
#pragma GCC unroll 16
        for (int c = 0; c < CHAINS; c++) sum[c] = _mm512_fmadd_ph(sum[c], x, x);
    for (int c = 0; c < CHAINS; c++)
        sink[0] += _mm512_reduce_add_ps(_mm512_cvtph_ps(_mm512_castsi512_si256(_mm512_castph_si512(sum[c])))) *
                   0x1p-60f;
    return 2.0 * 32 * CHAINS * (double)rounds;
}
