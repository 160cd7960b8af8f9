/* y = x w^T by FMA on AVX-512, weights as stored. The CPU backend calls the slots through the
 * table. */
#include "kernels/x86_avx512/simd.h"
#include "kernels/x86_avx512/slots.h"

#define K(slot) k_##slot##__x86_avx512
#include "kernels/vector/gemm.h"
