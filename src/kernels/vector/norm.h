/* Rows that are normalized by a sum over themselves: RMS norm, layer norm. Each vector folder
 * compiles this for itself; math.h lists the SIMD operations. A norm's sum has 4 LANES lanes
 * whatever n is. */
#include <math.h>
#include <stdbool.h>

#include "kernels/vector/math.h"

/* The sum of x[i] - minus, or of its square. */
INLINE float sum_terms(const float *x, size_t n, float minus, bool square)
{
    vec sum[4] = { v_zero(), v_zero(), v_zero(), v_zero() };
    for (size_t i = 0; i < n; i += 4 * LANES)
        for (size_t r = 0; r < 4; r++) {
            size_t at = i + r * LANES, left = at < n ? n - at : 0;
            vec v = v_keep_n(v_sub(v_load_n(x + at, left), v_all(minus)), left);
            sum[r] = square ? v_fma(v, v, sum[r]) : v_add(v, sum[r]);
        }
    return v_sum_of(v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])));
}

/* y = (x - mean) * scale * w + b */
static void apply(float *y, const float *x, const float *w, const float *b, size_t n, float mean,
                  float scale)
{
    for (size_t i = 0; i < n; i += LANES) {
        size_t left = n - i;
        vec v = v_mul(v_sub(v_load_n(x + i, left), v_all(mean)), v_all(scale));
        if (w) v = v_mul(v, v_load_n(w + i, left));
        if (b) v = v_add(v, v_load_n(b + i, left));
        v_store_n(y + i, left, v);
    }
}

void K(rms_row)(float *y, const float *x, const float *w, size_t n, float eps)
{
    float square = sum_terms(x, n, 0, true);
    apply(y, x, w, NULL, n, 0, 1 / sqrtf(square / (float)n + eps));
}

void K(layer_norm_row)(float *y, const float *x, const float *w, const float *b, size_t n,
                       float eps)
{
    float mean = sum_terms(x, n, 0, false) / (float)n, square = sum_terms(x, n, mean, true);
    apply(y, x, w, b, n, mean, 1 / sqrtf(square / (float)n + eps));
}
