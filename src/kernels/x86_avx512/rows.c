/* The kernels of one row on AVX-512: activations, elementwise, exponentials, norms, conversions.
 * The CPU backend calls them through the table. */
#include "kernels/x86_avx512/simd.h"
#include "kernels/x86_avx512/slots.h"

#define K(slot) k_##slot##__x86_avx512
#include "kernels/vector/activation.h"
#include "kernels/vector/convert.h"
#include "kernels/vector/elementwise.h"
#include "kernels/vector/exp.h"
#include "kernels/vector/norm.h"
