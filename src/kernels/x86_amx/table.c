/* The AMX table: the products of bf16 by bf16 on tiles, where the CPU has them and the system hands
 * them out; AVX-512 BF16, which every such CPU has, rounds what enters them. Compiled with baseline
 * flags. */
#include "kernels/x86_amx/slots.h"
#include "kernels/x86_avx512_bf16/slots.h"

static bool x86_amx_usable(const tern_cpu *cpu)
{
    const uint32_t bf16_tile = 1u << 22 | 1u << 24;
    const uint64_t tile_state = 0x60000;
    return tern_kernels_x86_avx512_bf16.usable(cpu) && (cpu->leaf7_edx & bf16_tile) == bf16_tile &&
           (cpu->xcr0 & tile_state) == tile_state && tern_cpu_permit_tiles();
}

const tern_kernels tern_kernels_x86_amx = {
    .isa    = "x86_amx",
    .rank   = 60,
    .usable = x86_amx_usable,
    .pack_bf16 = k_pack_bf16__x86_amx,
    .gemm_bf16_bf16 = k_gemm_bf16_bf16__x86_amx,
    .pack_nn_bf16 = k_pack_nn_bf16__x86_amx,
    .gemm_nn_bf16_bf16 = k_gemm_nn_bf16_bf16__x86_amx,
    .exp_nn_bf16_row = k_exp_nn_bf16_row__x86_amx,
    /* so that copying a strip of w is little beside its products, and x's part of k lies in the
     * second cache */
    .bf16_rows = 256,
    .peak_bf16 = k_peak_bf16__x86_amx,
};
