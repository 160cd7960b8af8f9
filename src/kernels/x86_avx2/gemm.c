/* y = x w^T by FMA on AVX2, weights as stored. The CPU backend calls the slots through the
 * table. */
#include "kernels/x86_avx2/simd.h"
#include "kernels/x86_avx2/slots.h"

#define K(slot) k_##slot##__x86_avx2
#include "kernels/vector/gemm.h"
