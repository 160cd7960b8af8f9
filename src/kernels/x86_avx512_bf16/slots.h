/* Declares the slots of this folder. Baseline flags may include it. */
#ifndef TERN_KERNELS_X86_AVX512_BF16_SLOTS_H
#define TERN_KERNELS_X86_AVX512_BF16_SLOTS_H

#include "kernels/kernels.h"

k_pack_fn k_pack_bf16__x86_avx512_bf16;
k_gemm_fn k_gemm_bf16_bf16__x86_avx512_bf16;
k_pack_nn_fn k_pack_nn_bf16__x86_avx512_bf16;
k_gemm_nn_fn k_gemm_nn_bf16_bf16__x86_avx512_bf16;
k_exp_row_fn k_exp_nn_bf16_row__x86_avx512_bf16;
k_peak_fn k_peak_bf16__x86_avx512_bf16;

/* its usable() is asked by the sets that build on it */
extern const tern_kernels tern_kernels_x86_avx512_bf16;

#endif
