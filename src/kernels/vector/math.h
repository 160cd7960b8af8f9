/* exp, tanh, the logistic function and the normal distribution on a register, written once for
 * every vector instruction set.
 *
 * The files of this folder are the kernels in SIMD operations that each instruction set defines in
 * its own simd.h, which is included first:
 *     K(slot), INLINE            the name k_<slot>__<folder>; static, always inlined
 *     vec, LANES                 a register of f32 and how many it holds
 *   v_load_n(p, n), v_store_n(p, n, v)  the first n lanes, all from LANES on; lanes beyond read as
 *                                       zero, memory beyond is not touched
 *    v_load_stored(p, at, n, type)   the same from element at of an array of a stored type, widened
 *   v_store_bf16(p, n, v), v_store_f16(p, n, v)   the first n lanes, rounded as base/dtype.h has it
 *   b_load_pairs(p, n), v_even(b), v_odd(b)  the first n of LANES pairs of bf16; the first and the
 *                                            second of each pair, widened
 *     v_all(x), v_zero(), v_keep_n(v, n)       every lane x; zeros; v with zeros from lane n on
 *     v_add, v_sub, v_mul, v_div, v_fma(a, b, c) = a b + c, v_fnma(a, b, c) = c - a b
 *     v_max(a, b), v_min(a, b)                 b where either is NaN or both are zero
 *   v_abs, v_round, v_sign_from(v, x), v_positive(x, a, b)  nearest even; |v| with x's sign, v >=
 *   0; x > 0 ? a : b
 *     v_scale(v, n)                            v 2^n with one rounding, n whole, -160 to 130
 *     v_any_nan, v_max_of, v_sum_of            over the lanes; the sum by a fixed tree
 *   v_in_register(v)   v, kept in a register: else compilers read it from memory again for each use
 *   v_twice_n(p, n), v_swap(v), v_fma_sub_add(a, b, c)  lanes 0 0 1 1 ... of the first n numbers; 1
 *   0 3 2 ...; a b - c in even lanes, a b + c in odd
 *   v_round_bf16(v), v_round_f16(v), v_evens_of(a, b), v_odds_of(a, b)  each lane to bf16 or f16
 *   and back; lanes 0 2 4 ..., 1 3 5 ... of a and then b
 *     b_load_n(p, n)                   the first n of 2 LANES numbers of 16 bits, zeros behind them
 *   TILE_M, TILE_N, M_BLOCK, FEW_M, FEW_STRIPS, STREAM_*(m), PANEL_BYTES, v_store_sums(y, n, first,
 *   sum[TILE_N])  gemm_walk.h says what for */
#ifndef TERN_KERNELS_VECTOR_MATH_H
#define TERN_KERNELS_VECTOR_MATH_H

#include "kernels/vector/coefficients.h"

/* x = n ln 2 + r; gives exp(r) - 1 and n. x lies within EXP_LEAST and EXP_MOST, or is NaN. */
INLINE vec exp_part(vec x, vec *n)
{
    *n = v_round(v_mul(x, v_all(EXP_LOG2E)));
    vec r = v_fnma(*n, v_all(EXP_LN2_HIGH), x);
    r = v_fnma(*n, v_all(EXP_LN2_LOW), r);
    vec p = v_all(exp_coefficients[4]);
    for (int i = 3; i >= 0; i--) p = v_fma(p, r, v_all(exp_coefficients[i]));
    return v_fma(v_mul(r, r), p, r);
}

/* exp to about 1 ulp: subnormal results, 0 and infinity come out as they should, NaN stays. */
INLINE vec v_exp(vec x)
{
    vec n, p = exp_part(v_min(v_all(EXP_MOST), v_max(v_all(EXP_LEAST), x)), &n);
    return v_scale(v_add(p, v_all(1)), n);
}

/* exp of count registers of numbers that are not above 0, or NaN: v_exp with one limit less, and n
 * found by adding and taking away 1.5 * 2^23, whose last place is 1. Step by step through all of
 * them, so that one waits for another as little as can be. */
INLINE void exp_below(vec x[], int count)
{
    enum { MOST = 4 };
    vec n[MOST], p[MOST];
    for (int i = 0; i < count; i++) x[i] = v_max(v_all(EXP_LEAST), x[i]);
    for (int i = 0; i < count; i++) n[i] = v_fma(x[i], v_all(EXP_LOG2E), v_all(ROUND_TO_ONES));
    for (int i = 0; i < count; i++) n[i] = v_sub(n[i], v_all(ROUND_TO_ONES));
    for (int i = 0; i < count; i++) x[i] = v_fnma(n[i], v_all(EXP_LN2_HIGH), x[i]);
    for (int i = 0; i < count; i++) x[i] = v_fnma(n[i], v_all(EXP_LN2_LOW), x[i]);
    for (int i = 0; i < count; i++)
        p[i] = v_fma(v_all(exp_coefficients[4]), x[i], v_all(exp_coefficients[3]));
    for (int c = 2; c >= 0; c--)
        for (int i = 0; i < count; i++) p[i] = v_fma(p[i], x[i], v_all(exp_coefficients[c]));
    for (int i = 0; i < count; i++) p[i] = v_fma(p[i], x[i], v_all(1));
    for (int i = 0; i < count; i++) p[i] = v_fma(p[i], x[i], v_all(1));
    for (int i = 0; i < count; i++) x[i] = v_scale(p[i], n[i]);
}

/* numerator / (1 + exp(-x)) */
INLINE vec v_logistic(vec numerator, vec x)
{
    return v_div(numerator, v_add(v_all(1), v_exp(v_sub(v_zero(), x))));
}

/* tanh |x| = m / (m + 2), m = exp(2 |x|) - 1, which stays relatively exact down to zero; 10 and
 * beyond give 1. */
INLINE vec v_tanh(vec x)
{
    vec n, a = v_min(v_all(10), v_abs(x)), p = exp_part(v_add(a, a), &n),
        power = v_scale(v_all(1), n);
    vec m = v_fma(p, power, v_sub(power, v_all(1)));
    return v_sign_from(v_div(m, v_add(m, v_all(2))), x);
}

/* Phi(-|x|) of the normal distribution: see coefficients.h. */
INLINE vec v_phi_minus(vec x)
{
    vec s = v_div(v_all(1), v_fma(v_abs(x), v_all(PHI_RATE), v_all(1))),
        p = v_all(phi_coefficients[8]);
    for (int i = 7; i >= 0; i--) p = v_fma(p, s, v_all(phi_coefficients[i]));
    vec e = v_mul(v_mul(x, x), v_all(-0.5f));
    exp_below(&e, 1);
    return v_mul(e, v_mul(p, s));
}

#endif
