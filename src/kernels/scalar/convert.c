/* Arrays from one float type to another, a number at a time by base/dtype.h. The CPU backend calls
 * them through the table. */
#include "base/dtype.h"
#include "kernels/scalar/slots.h"

#define CONVERT(slot, to_type, from_type, one)                                                    \
    void k_##slot##__scalar(void *to, const void *from, size_t n)                                 \
    {                                                                                             \
        for (size_t i = 0; i < n; i++) ((to_type *)to)[i] = one(((const from_type *)from)[i]);    \
    }

CONVERT(f32_from_bf16, float, uint16_t, tern_f32_from_bf16)
CONVERT(f32_from_f16, float, uint16_t, tern_f32_from_f16)
CONVERT(bf16_from_f32, uint16_t, float, tern_bf16_from_f32)
CONVERT(f16_from_f32, uint16_t, float, tern_f16_from_f32)
