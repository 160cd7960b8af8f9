/* A row's exponentials above its largest number, and their sum, which has LANES lanes. Included by
 * the files that leave them in one form or another: exp.h, and those of folders that multiply pairs
 * of bf16. math.h lists the SIMD operations. */
#ifndef TERN_KERNELS_VECTOR_EXP_WALK_H
#define TERN_KERNELS_VECTOR_EXP_WALK_H

#include <math.h>
#include <stdbool.h>

#include "kernels/vector/math.h"

enum { EXP_AT_ONCE = 4 };

/* count registers of exponentials to s, in the place of numbers j, j + 1, ... of the row, of which
 * left are there. */
typedef void exp_put_fn(float *s, size_t j, size_t left, const vec e[], int count);

/* Each of the row's n numbers becomes v: NaN or 0. */
typedef void exp_fill_fn(float *s, size_t n, float v);

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

INLINE bool find_nan(const float *s, size_t n)
{
    bool nan = false;
    for (size_t j = 0; j < n; j++) nan |= isnan(s[j]);
    return nan;
}

/* count registers, of the last of which left numbers count; they join the sum one register after
 * the other. */
INLINE vec exp_registers(exp_put_fn *put, float *s, size_t j, int count, size_t left, vec most,
                         vec sum)
{
    vec e[EXP_AT_ONCE];
    for (int i = 0; i < count; i++) e[i] = v_sub(v_load_n(s + j + i * LANES, left), most);
    exp_below(e, count);
    for (int i = 0; i < count; i++) {
        e[i] = v_keep_n(e[i], left);
        sum = v_add(sum, e[i]);
    }
    put(s, j, left, e, count);
    return sum;
}

/* A NaN beside finite numbers shows in the sum, so that the search for the largest need not look
 * for it. */
INLINE float exp_walk(exp_put_fn *put, exp_fill_fn *fill, float *s, size_t n, float *max)
{
    vec sum = v_zero();
    size_t j = 0;
    *max = find_max(s, n);
    if (isinf(*max) && find_nan(s, n)) *max = NAN;
    if (isnan(*max) || *max == -INFINITY) {
        float v = isnan(*max) ? NAN : 0;
        fill(s, n, v);
        return v;
    }
    vec most = v_all(*max);
    for (; j + EXP_AT_ONCE * LANES <= n; j += EXP_AT_ONCE * LANES)
        sum = exp_registers(put, s, j, EXP_AT_ONCE, LANES, most, sum);
    for (; j < n; j += LANES) sum = exp_registers(put, s, j, 1, n - j, most, sum);
    float total = v_sum_of(sum);
    if (!isnan(total) || isinf(*max)) return total;
    *max = NAN;
    fill(s, n, NAN);
    return NAN;
}

#endif
