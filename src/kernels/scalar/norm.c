/* Rows that are normalized by a sum over themselves: softmax's exponentials, RMS norm, layer norm.
 * The definitions. The CPU backend calls them through the table; they call libm. */
#include <math.h>

#include "kernels/scalar/slots.h"

static float largest(const float *s, size_t n)
{
    float max = -INFINITY;
    for (size_t j = 0; j < n; j++)
        /* nothing is greater than a NaN, so it stays, or another NaN does */
        if (s[j] > max || isnan(s[j])) max = s[j];
    return max;
}

float k_exp_row__scalar(float *s, size_t n, float *max)
{
    float sum = 0;
    *max = largest(s, n);
    for (size_t j = 0; j < n; j++) {
        s[j] = *max == -INFINITY ? 0 : expf(s[j] - *max);
        sum += s[j];
    }
    return sum;
}

float k_exp_nn_bf16_row__scalar(float *s, size_t n, float *max)
{
    float sum = k_exp_row__scalar(s, n, max);
    k_pack_nn_bf16__scalar(s, n);
    return sum;
}

void k_rms_row__scalar(float *y, const float *x, const float *w, size_t n, float eps)
{
    float sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
    float scale = 1 / sqrtf(sum / (float)n + eps);
    for (size_t i = 0; i < n; i++) y[i] = x[i] * scale * (w ? w[i] : 1);
}

void k_layer_norm_row__scalar(float *y, const float *x, const float *w, const float *b, size_t n, float eps)
{
    float sum = 0, square = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    float mean = sum / (float)n;
    for (size_t i = 0; i < n; i++) square += (x[i] - mean) * (x[i] - mean);
    float scale = 1 / sqrtf(square / (float)n + eps);
    for (size_t i = 0; i < n; i++) y[i] = (x[i] - mean) * scale * (w ? w[i] : 1) + (b ? b[i] : 0);
}
