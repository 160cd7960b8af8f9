/* The AVX2 table: every slot, for CPUs with AVX2, FMA and F16C whose system saves YMM registers.
 * Compiled with baseline flags. */
#include "kernels/x86_avx2/slots.h"

static bool x86_avx2_usable(const tern_cpu *cpu)
{
    const uint32_t fma_f16c = 1u << 12 | 1u << 29;
    return (cpu->leaf7_ebx >> 5 & 1) && (cpu->leaf1_ecx & fma_f16c) == fma_f16c && (cpu->xcr0 & 6) == 6;
}

const tern_kernels tern_kernels_x86_avx2 = {
    .isa    = "x86_avx2",
    .rank   = 20,
    .usable = x86_avx2_usable,
#define X(slot, type) .slot = k_##slot##__x86_avx2,
    TERN_KERNEL_SLOTS(X)
#undef X
    .peak_f32 = k_peak_f32__x86_avx2,
};
