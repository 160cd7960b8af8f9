/* Sums, products and rotations of rows: the definitions. The CPU backend calls them through the
 * table; they call nothing. */
#include "kernels/scalar/slots.h"

void k_axpb_row__scalar(float *y, float alpha, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = alpha * a[i] + b[i];
}

void k_mul_row__scalar(float *y, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = a[i] * b[i];
}

void k_scale_row__scalar(float *y, float alpha, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = alpha * x[i];
}

static void rotate(float *a, float *b, float cos, float sin)
{
    float rotated = *a * cos - *b * sin;
    *b = *b * cos + *a * sin;
    *a = rotated;
}

void k_rope_half_row__scalar(float *x, const float *cos, const float *sin, size_t n)
{
    for (size_t i = 0; i < n; i++) rotate(&x[i], &x[i + n], cos[i], sin[i]);
}

void k_rope_pair_row__scalar(float *x, const float *cos, const float *sin, size_t n)
{
    for (size_t i = 0; i < n; i++) rotate(&x[2 * i], &x[2 * i + 1], cos[i], sin[i]);
}
