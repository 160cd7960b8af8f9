/* y = x w^T with f32 activations on AVX2. The CPU backend calls it through the table. */
#include "kernels/x86_avx2/simd.h"
#include "kernels/x86_avx2/slots.h"

#define K(slot) k_##slot##__x86_avx2
#include "kernels/vector/gemm_f32.h"
