/* The unit in which a row of x is rounded to f16, so that no finite number overflows and small ones
 * keep their digits: a power of two that brings the row's largest number into [4, 8). Called by the
 * packing of every folder; the definition is scalar/gemm.c's pack_f16. */
#ifndef TERN_KERNELS_UNIT_H
#define TERN_KERNELS_UNIT_H

#include "base/dtype.h"

/* Of the largest |x| of a row: x times this is rounded. Its reciprocal is exact, too. Rows below
 * 2^-110 stop at that unit, and lose digits; infinity
 * takes the least one. */
static inline float k_f16_unit(float largest)
{
    uint32_t exponent = tern_bits_of(largest) >> 23, least = 127 - 110;
    return tern_float_of((2 * 127 + 2 - (exponent < least ? least : exponent)) << 23);
}

#endif
