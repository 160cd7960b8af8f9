/* y = x w^T in f32 on AVX-512, weights as stored. The CPU backend calls the slots through the table. */
#include "kernels/x86_avx512/simd.h"
#include "kernels/x86_avx512/slots.h"

#define K(slot) k_##slot##__x86_avx512
#include "kernels/vector/gemm.h"

GEMM(gemm_f32_f32, STORED_F32, STORED_F32)
GEMM(gemm_f32_bf16, STORED_F32, STORED_BF16)
GEMM(gemm_f32_f16, STORED_F32, STORED_F16)
