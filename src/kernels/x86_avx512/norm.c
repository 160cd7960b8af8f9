/* Rows that are normalised by a sum over themselves: softmax's exponentials, RMS norm, layer norm. The CPU backend calls them through the
 * table; simd.h has exp and the tree. A sum has 64 lanes in four registers, whatever n is; exp_row's has 16. */
#include <math.h>
#include <stdbool.h>

#include "kernels/x86_avx512/simd.h"
#include "kernels/x86_avx512/slots.h"

static bool find_max(const float *s, size_t n, float *max)
{
    __m512 most = _mm512_set1_ps(-INFINITY);
    __mmask16 nan = 0;
    for (size_t j = 0; j < n; j += LANES) {
        __m512 v = _mm512_mask_loadu_ps(most, lanes(n - j), s + j);
        nan |= _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
        most = _mm512_max_ps(most, v);
    }
    *max = nan ? NAN : _mm512_reduce_max_ps(most);
    return !nan;
}

static void fill(float *s, size_t n, float value)
{
    for (size_t j = 0; j < n; j += LANES) _mm512_mask_storeu_ps(s + j, lanes(n - j), _mm512_set1_ps(value));
}

float k_exp_row__x86_avx512(float *s, size_t n, float *max)
{
    if (!find_max(s, n, max) || *max == -INFINITY) {
        float all = *max == -INFINITY ? 0 : NAN;
        fill(s, n, all);
        return all;
    }
    __m512 top = _mm512_set1_ps(*max), sum = _mm512_setzero_ps();
    for (size_t j = 0; j < n; j += LANES) {
        __mmask16 m = lanes(n - j);
        __m512 e = exp16(_mm512_sub_ps(load_some(m, s + j), top));
        _mm512_mask_storeu_ps(s + j, m, e);
        sum = _mm512_mask_add_ps(sum, m, sum, e);
    }
    return sum_lanes(sum);
}

typedef enum term { TERM_SELF, TERM_SQUARE } term;

/* The sum of x[i] - minus, or of its square. */
INLINE float sum_terms(const float *x, size_t n, float minus, term what)
{
    __m512 sum[4], from = _mm512_set1_ps(minus);
    for (int r = 0; r < 4; r++) sum[r] = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += 4 * LANES)
        for (size_t r = 0; r < 4; r++) {
            __mmask16 m = lanes_from(n, i + r * LANES);
            __m512 v = _mm512_maskz_sub_ps(m, load_some(m, x + i + r * LANES), from);
            sum[r] = what == TERM_SQUARE ? _mm512_fmadd_ps(v, v, sum[r]) : _mm512_add_ps(v, sum[r]);
        }
    return sum_lanes(_mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
}

/* y = (x - mean) * scale * w + b */
static void apply(float *y, const float *x, const float *w, const float *b, size_t n, float mean, float scale)
{
    __m512 from = _mm512_set1_ps(mean), by = _mm512_set1_ps(scale);
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        __m512 v = _mm512_mul_ps(_mm512_sub_ps(load_some(m, x + i), from), by);
        if (w) v = _mm512_mul_ps(v, load_some(m, w + i));
        if (b) v = _mm512_add_ps(v, load_some(m, b + i));
        _mm512_mask_storeu_ps(y + i, m, v);
    }
}

void k_rms_row__x86_avx512(float *y, const float *x, const float *w, size_t n, float eps)
{
    float square = sum_terms(x, n, 0, TERM_SQUARE);
    apply(y, x, w, NULL, n, 0, 1 / sqrtf(square / (float)n + eps));
}

void k_layer_norm_row__x86_avx512(float *y, const float *x, const float *w, const float *b, size_t n, float eps)
{
    float mean = sum_terms(x, n, 0, TERM_SELF) / (float)n, square = sum_terms(x, n, mean, TERM_SQUARE);
    apply(y, x, w, b, n, mean, 1 / sqrtf(square / (float)n + eps));
}
