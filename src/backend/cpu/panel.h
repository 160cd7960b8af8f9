/* Weights as the GEMM slots want them: used where they lie, or brought panel by panel into scratch.
 *
 * A slot wants [out, in] rows of f32, f16 or bf16 at addresses aligned to their element. A weight
 * that lies so is used in place. Any other (stored [in, out], int8, misaligned, or to be rounded to
 * bf16 or f16) is brought, some outputs at a time, into the same form and then multiplied by the
 * same slot, so that its results have the bits of a weight that was stored that way. One that is
 * packed (cpu_prepack) has a slot of its own, with the same bits, and a panel's rows are whole
 * PACKED_ROWS. */
#ifndef TERN_BACKEND_CPU_PANEL_H
#define TERN_BACKEND_CPU_PANEL_H

#include "backend/cpu/cpu.h"

typedef struct cpu_panel {
    const tern_weight *w;
    tern_dtype dtype;        /* of a row as the slot sees it */
    k_pack_fn *pack;         /* of x */
    k_gemm_fn *gemm;
    bool direct;             /* used where it lies */
} cpu_panel;

/* compute is the type that the GEMM multiplies in. */
void cpu_panel_plan(cpu_panel *p, const tern_kernels *k, const tern_weight *w, tern_dtype compute);

/* Bytes of scratch that a panel of n outputs needs: 0 if the weight is direct. */
size_t cpu_panel_bytes(const cpu_panel *p, int64_t n);

/* Rows [first, first + n) of the weight; *ld counts elements. scratch (64-byte aligned) is written
 * unless the weight is direct. *lost is set where a finite number is infinite as f16. */
const void *cpu_panel_get(const cpu_panel *p, const tern_kernels *k, int64_t first, int64_t n,
                          unsigned char *scratch, size_t *ld, bool *lost);

#endif
