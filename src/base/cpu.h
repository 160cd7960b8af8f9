/* What this CPU can run, asked once: the bits that the kernel tables look at to answer for
 * themselves. */
#ifndef TERN_BASE_CPU_H
#define TERN_BASE_CPU_H

#include <stdbool.h>
#include <stdint.h>

typedef struct tern_cpu {
    /* who made it: the same instruction may be fast here and slow there */
    bool intel;
    uint32_t leaf1_ecx;                        /* FMA 12, AVX 28, F16C 29, OSXSAVE 27 */
    /* AVX2 5, AVX512F 16 DQ 17 BW 30 VL 31 | VBMI2 6 VNNI 11 | FP16 23, AMX BF16 22 TILE 24 INT8
     * 25 */
    uint32_t leaf7_ebx, leaf7_ecx, leaf7_edx;
    uint32_t leaf7_1_eax;                      /* AVX512_BF16 5, AVX_VNNI 4 */
    /* registers that the system saves: 0x6 YMM, 0xe6 ZMM, 0x60000 tiles */
    uint64_t xcr0;
} tern_cpu;

void tern_cpu_probe(tern_cpu *cpu);

/* Asks the system for the tile registers, which Linux hands out per process; false where it will
 * not. */
bool tern_cpu_permit_tiles(void);

#endif
