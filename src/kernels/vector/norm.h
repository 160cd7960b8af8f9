/* Rows that are normalised by a sum over themselves: softmax's exponentials, RMS norm, layer norm. Each vector folder compiles this for
 * itself; math.h lists the words. A norm's sum has 4 LANES lanes whatever n is, exp_row's has LANES. */
#include <math.h>
#include <stdbool.h>

#include "kernels/vector/math.h"

/* The largest number, NaNs left out; -inf where there is none. */
INLINE float find_max(const float *s, size_t n)
{
    vec most[2] = { v_all(-INFINITY), v_all(-INFINITY) };
    size_t j = 0;
    for (; j + 2 * LANES <= n; j += 2 * LANES) {
        most[0] = v_max(v_load_n(s + j, LANES), most[0]);
        most[1] = v_max(v_load_n(s + j + LANES, LANES), most[1]);
    }
    float max = v_max_of(v_max(most[0], most[1]));
    for (; j < n; j++) max = s[j] > max ? s[j] : max;
    return max;
}

static bool find_nan(const float *s, size_t n)
{
    bool nan = false;
    for (size_t j = 0; j < n; j++) nan |= isnan(s[j]);
    return nan;
}

static float fill_row(float *s, size_t n, float v)
{
    for (size_t j = 0; j < n; j++) s[j] = v;
    return v;
}

/* count registers at s, of the last of which left numbers count; their exponentials join the sum one register after the other. */
INLINE vec exp_registers(float *s, int count, size_t left, vec most, vec sum)
{
    vec e[4];
    for (int i = 0; i < count; i++) e[i] = v_sub(v_load_n(s + i * LANES, left), most);
    exp_below(e, count);
    for (int i = 0; i < count; i++) {
        e[i] = v_keep_n(e[i], left);
        v_store_n(s + i * LANES, left, e[i]);
        sum = v_add(sum, e[i]);
    }
    return sum;
}

/* A NaN beside finite numbers shows in the sum, so that the search for the largest need not look for it. */
float K(exp_row)(float *s, size_t n, float *max)
{
    vec sum = v_zero();
    size_t j = 0;
    *max = find_max(s, n);
    if (isinf(*max) && find_nan(s, n)) *max = NAN;
    if (isnan(*max) || *max == -INFINITY) return fill_row(s, n, isnan(*max) ? NAN : 0);
    vec most = v_all(*max);
    for (; j + 4 * LANES <= n; j += 4 * LANES) sum = exp_registers(s + j, 4, LANES, most, sum);
    for (; j < n; j += LANES) sum = exp_registers(s + j, 1, n - j, most, sum);
    float total = v_sum_of(sum);
    if (!isnan(total) || isinf(*max)) return total;
    *max = NAN;
    return fill_row(s, n, NAN);
}

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
static void apply(float *y, const float *x, const float *w, const float *b, size_t n, float mean, float scale)
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

void K(layer_norm_row)(float *y, const float *x, const float *w, const float *b, size_t n, float eps)
{
    float mean = sum_terms(x, n, 0, false) / (float)n, square = sum_terms(x, n, mean, true);
    apply(y, x, w, b, n, mean, 1 / sqrtf(square / (float)n + eps));
}
