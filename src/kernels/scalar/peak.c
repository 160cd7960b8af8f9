/* peak_f32 with the compiler's own arithmetic: a product and a sum apart, as the scalar kernels
 * compute. */
#include "kernels/scalar/slots.h"

double k_peak_f32__scalar(size_t rounds, float *sink)
{
    enum { CHAINS = 16 };
    float sum[CHAINS] = { 0 }, x = 1.0f + sink[0] * 0x1p-30f;
    for (size_t r = 0; r < rounds; r++)
        for (int c = 0; c < CHAINS; c++) sum[c] = sum[c] * x + x;
    for (int c = 0; c < CHAINS; c++) sink[0] += sum[c] * 0x1p-60f;
    return 2.0 * CHAINS * (double)rounds;
}
