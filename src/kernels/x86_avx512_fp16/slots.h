/* Declares the slots of this folder. Baseline flags may include it. */
#ifndef TERN_KERNELS_X86_AVX512_FP16_SLOTS_H
#define TERN_KERNELS_X86_AVX512_FP16_SLOTS_H

#include "kernels/kernels.h"

k_pack_fn k_pack_f16__x86_avx512_fp16;
k_gemm_fn k_gemm_f16_f16__x86_avx512_fp16;
k_prepack_fn k_prepack_f16__x86_avx512_fp16;
k_gemm_fn k_gemm_f16_packed__x86_avx512_fp16;
k_peak_fn k_peak_f16__x86_avx512_fp16;

#endif
