/* The types of floating point. Those of 16 bits, converted one number at a time: the definition
 * that every vectorized conversion is tested against. Rounding is to nearest, ties to even; NaN
 * stays NaN, overflow becomes infinity, subnormals are kept. IEEE 754-2019. */
#ifndef TERN_BASE_DTYPE_H
#define TERN_BASE_DTYPE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <tern/tensor.h>

/* What is stored, cached and multiplied as a number with an exponent. */
static inline bool tern_is_float(tern_dtype t)
{
    return t == TERN_F32 || t == TERN_F16 || t == TERN_BF16;
}

static inline uint32_t tern_bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float tern_float_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline float tern_f32_from_bf16(uint16_t b)
{
    return tern_float_of((uint32_t)b << 16);
}

static inline uint16_t tern_bf16_from_f32(float f)
{
    uint32_t u = tern_bits_of(f);
    if ((u & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7FFF + (u >> 16 & 1)) >> 16);
}

static inline float tern_f32_from_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3FF;
    if (exponent == 31)
        return tern_float_of(sign | 0x7F800000 | fraction << 13 | (fraction ? 0x400000 : 0));
    if (exponent) return tern_float_of(sign | (exponent + 112) << 23 | fraction << 13);
    float f = (float)fraction * 0x1p-24f;    /* subnormal, exact in f32 */
    return sign ? -f : f;
}

static inline uint16_t tern_f16_from_f32(float f)
{
    uint32_t u = tern_bits_of(f), a = u & 0x7FFFFFFF;
    uint16_t sign = (uint16_t)(u >> 16 & 0x8000);
    if (a > 0x7F800000) return (uint16_t)(sign | 0x7E00 | (a >> 13 & 0x3FF));
    /* rounds to 65536 or beyond */
    if (a >= 0x477FF000) return sign | 0x7C00;
    /* below 2^-14: adding 0.5 aligns and rounds */
    if (a < 0x38800000) {
        uint32_t r = tern_bits_of(tern_float_of(a) + 0.5f);
        return (uint16_t)(sign | (r - 0x3F000000));
    }
    return (uint16_t)(sign | ((a - 0x38000000 + 0xFFF + (a >> 13 & 1)) >> 13));
}

#endif
