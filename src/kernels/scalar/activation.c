/* Elementwise functions of one row: the definitions. The CPU backend calls them through the table;
 * they call libm. */
#include <math.h>

#include "kernels/scalar/slots.h"

static const float sqrt_2_over_pi = 0.797884561f, sqrt_half = 0.707106781f;

void k_gelu_tanh_row__scalar(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = 0.5f * x[i] * (1 + tanhf(sqrt_2_over_pi * (x[i] + 0.044715f * x[i] * x[i] * x[i])));
}

void k_gelu_erf_row__scalar(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = 0.5f * x[i] * (1 + erff(x[i] * sqrt_half));
}

void k_silu_row__scalar(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = x[i] / (1 + expf(-x[i]));
}

void k_relu_row__scalar(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = x[i] < 0 ? 0 : x[i];
}

void k_tanh_row__scalar(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = tanhf(x[i]);
}

void k_sigmoid_row__scalar(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = 1 / (1 + expf(-x[i]));
}

void k_softcap_row__scalar(float *y, const float *x, float cap, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = cap * tanhf(x[i] / cap);
}
