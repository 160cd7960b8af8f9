/* y = x w^T with bf16 on both sides on AVX-512. The CPU backend calls it through the table. */
#include "kernels/x86_avx512/simd.h"
#include "kernels/x86_avx512/slots.h"

#define K(slot) k_##slot##__x86_avx512
#include "kernels/vector/gemm_bf16.h"
