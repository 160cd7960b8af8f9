/* The AVX-512 FP16 table: the product of f16 by f16, multiplied and added in f16. Compiled with
 * baseline flags. */
#include "kernels/x86_avx512/slots.h"
#include "kernels/x86_avx512_fp16/slots.h"

static bool x86_avx512_fp16_usable(const tern_cpu *cpu)
{
    return tern_kernels_x86_avx512.usable(cpu) && (cpu->leaf7_ecx >> 6 & 1) && (cpu->leaf7_edx >> 23 & 1);
}

const tern_kernels tern_kernels_x86_avx512_fp16 = {
    .isa    = "x86_avx512_fp16",
    .rank   = 45,
    .usable = x86_avx512_fp16_usable,
    .pack_f16 = k_pack_f16__x86_avx512_fp16,
    .gemm_f16_f16 = k_gemm_f16_f16__x86_avx512_fp16,
    .prepack_f16 = k_prepack_f16__x86_avx512_fp16,
    .gemm_f16_packed = k_gemm_f16_packed__x86_avx512_fp16,
    .peak_f16 = k_peak_f16__x86_avx512_fp16,
};
