/* Declares every slot of this folder: k_<slot>__x86_avx512. Baseline flags may include it. */
#ifndef TERN_KERNELS_X86_AVX512_SLOTS_H
#define TERN_KERNELS_X86_AVX512_SLOTS_H

#include "kernels/kernels.h"

#define X(slot, type) type k_##slot##__x86_avx512;
TERN_KERNEL_SLOTS(X)
#undef X
k_peak_fn k_peak_f32__x86_avx512;

/* its usable() is asked by the sets that build on it */
extern const tern_kernels tern_kernels_x86_avx512;

#endif
