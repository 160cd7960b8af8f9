/* The numbers behind the vectorized exp and erf, one copy for every instruction set. The folders'
 * simd.h files use them.
 *
 * exp(x) = 2^n exp(r), n = round(x / ln 2), r = x - n ln 2 in two steps (Cody and Waite 1980), and
 * for |r| <= ln 2 / 2
 *     exp(r) - 1 = r + r^2 (E0 + E1 r + ... + E4 r^4),          relative error 1.6e-8
 * Phi(-x) = erfc(x / sqrt 2) / 2 for x >= 0, with s = 1 / (1 + PHI_RATE x):
 *   Phi(-x) = exp(-x^2 / 2) s (P0 + P1 s + ... + P8 s^8),  relative error 3.2e-8 up to x = 14.5,
 *   beyond which the result is no f32
 * Both were fitted by iteratively reweighted least squares (Lawson 1961) on Chebyshev points, the
 * error weighed to be relative. */
#ifndef TERN_KERNELS_COEFFICIENTS_H
#define TERN_KERNELS_COEFFICIENTS_H

#define EXP_LOG2E 1.44269504f
#define EXP_LN2_HIGH 0x1.62ep-1f              /* 12 bits: n times this is exact */
#define EXP_LN2_LOW 0x1.0bfbe8p-15f
#define ROUND_TO_ONES 12582912.0f             /* 1.5 * 2^23 */
#define EXP_LEAST (-105.0f)                   /* exp gives 0 here and below */
#define EXP_MOST 89.0f                        /* and infinity here and above */

static const float exp_coefficients[] = { 0.5f, 0.16666541993618011f, 0.04166627675294876f,
                                          0.00836674403399229f, 0.0013946722028777003f };

#define PHI_RATE 0.35f
static const float phi_coefficients[] =
    { 0.139621302485466f,   0.139863520860672f,   0.11982124298810959f, 0.10555266588926315f,
      -0.023212729021906853f, 0.15932022035121918f, -0.25583943724632263f, 0.1440311223268509f,
      -0.02915792539715767f };

#define GELU_RATE 1.59576912f                 /* 2 sqrt(2 / pi) */
#define GELU_CUBE 0.044715f

#endif
