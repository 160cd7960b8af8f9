/* The AVX-512 BF16 table: the products of bf16 by bf16, which have an instruction of their own.
 * Compiled with baseline flags. */
#include "kernels/x86_avx512/slots.h"
#include "kernels/x86_avx512_bf16/slots.h"

static bool x86_avx512_bf16_usable(const tern_cpu *cpu)
{
    return tern_kernels_x86_avx512.usable(cpu) && (cpu->leaf7_1_eax >> 5 & 1);
}

/* Intel's cores with AVX512_FP16 (leaf 7 edx 23: Sapphire Rapids and on) start a VDPBF16PS every
 * second cycle, measured on Emerald Rapids: half the products of two FMA a cycle, whose AVX-512
 * kernel is 1.6 times as fast. Others start one or two a cycle. */
static bool x86_avx512_bf16_wanted(const tern_cpu *cpu)
{
    return !(cpu->intel && (cpu->leaf7_edx >> 23 & 1));
}

const tern_kernels tern_kernels_x86_avx512_bf16 = {
    .isa    = "x86_avx512_bf16",
    .rank   = 40,
    .usable = x86_avx512_bf16_usable,
    .wanted = x86_avx512_bf16_wanted,
    .pack_bf16 = k_pack_bf16__x86_avx512_bf16,
    .gemm_bf16_bf16 = k_gemm_bf16_bf16__x86_avx512_bf16,
    .pack_nn_bf16 = k_pack_nn_bf16__x86_avx512_bf16,
    .gemm_nn_bf16_bf16 = k_gemm_nn_bf16_bf16__x86_avx512_bf16,
    .exp_nn_bf16_row = k_exp_nn_bf16_row__x86_avx512_bf16,
    .peak_bf16 = k_peak_bf16__x86_avx512_bf16,
};
