/* The AVX-512 table: every slot, for CPUs with F, BW, DQ and VL whose system saves ZMM registers.
 * Compiled with baseline flags. */
#include "kernels/x86_avx512/slots.h"

static bool x86_avx512_usable(const tern_cpu *cpu)
{
    const uint32_t f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31, fma_f16c = 1u << 12 | 1u << 29;
    return (cpu->leaf7_ebx & f_dq_bw_vl) == f_dq_bw_vl && (cpu->leaf1_ecx & fma_f16c) == fma_f16c &&
           (cpu->xcr0 & 0xE6) == 0xE6;
}

const tern_kernels tern_kernels_x86_avx512 = {
    .isa    = "x86_avx512",
    .rank   = 30,
    .usable = x86_avx512_usable,
#define X(slot, type) .slot = k_##slot##__x86_avx512,
    TERN_KERNEL_SLOTS(X)
#undef X
    .peak_f32 = k_peak_f32__x86_avx512,
};
