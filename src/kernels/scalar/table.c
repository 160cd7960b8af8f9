/* The scalar table: the definition of every slot, for any CPU. select.c starts from it. */
#include "kernels/scalar/slots.h"

static bool scalar_usable(const tern_cpu *cpu)
{
    (void)cpu;
    return true;
}

const tern_kernels tern_kernels_scalar = {
    .isa    = "scalar",
    .rank   = 0,
    .usable = scalar_usable,
#define X(slot, type) .slot = k_##slot##__scalar,
    TERN_KERNEL_SLOTS(X)
#undef X
    .peak_f32 = k_peak_f32__scalar,
};
