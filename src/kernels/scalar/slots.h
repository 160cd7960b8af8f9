/* Declares every slot of this folder: k_<slot>__scalar. */
#ifndef TERN_KERNELS_SCALAR_SLOTS_H
#define TERN_KERNELS_SCALAR_SLOTS_H

#include "kernels/kernels.h"

#define X(slot, type) type k_##slot##__scalar;
TERN_KERNEL_SLOTS(X)
#undef X
k_peak_fn k_peak_f32__scalar;

#endif
