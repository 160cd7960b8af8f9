/* The list of instruction sets, which the build makes out of the folders, and the merged table for
 * one CPU. */
#include <limits.h>
#include <string.h>
#include <tern/context.h>

#include "kernels/kernels.h"

#define TERN_ISA(folder) extern const tern_kernels tern_kernels_##folder;
#include "isa_list.inc"
#undef TERN_ISA

const tern_kernels *const tern_isa_list[] = {
#define TERN_ISA(folder) &tern_kernels_##folder,
#include "isa_list.inc"
#undef TERN_ISA
    NULL
};

/* The table that comes next above rank; ranks are distinct. */
static const tern_kernels *next_above(int rank)
{
    const tern_kernels *next = NULL;
    for (const tern_kernels *const *p = tern_isa_list; *p; p++)
        if ((*p)->rank > rank && (!next || (*p)->rank < next->rank)) next = *p;
    return next;
}

const char *tern_isa_short(const tern_kernels *table)
{
    const char *mark = strchr(table->isa, '_');
    return mark ? mark + 1 : table->isa;
}

const tern_kernels *tern_isa_find(const char *name)
{
    for (const tern_kernels *const *p = tern_isa_list; *p; p++)
        if (!strcmp(name, (*p)->isa) || !strcmp(name, tern_isa_short(*p))) return *p;
    return NULL;
}

void tern_kernels_select(tern_kernels *k, const tern_cpu *cpu, int max_rank)
{
    *k = (tern_kernels){ .isa = "none", .rank = INT_MIN };
    for (const tern_kernels *t = next_above(INT_MIN); t && t->rank <= max_rank; t = next_above(t->rank)) {
        if (!t->usable(cpu) || (t->wanted && t->rank != max_rank && !t->wanted(cpu))) continue;
        k->isa = t->isa;
        k->rank = t->rank;
        if (t->peak_f32) k->peak_f32 = t->peak_f32;
        if (t->gemm_bf16_bf16) k->bf16_rows = t->bf16_rows;
        if (t->gemm_f16_f16) {
            k->prepack_f16 = t->prepack_f16;
            k->gemm_f16_packed = t->gemm_f16_packed;
        }
#define X(slot, type) \
        if (t->slot) k->slot = t->slot;
        TERN_KERNEL_SLOTS(X)
#undef X
    }
}

static const tern_kernels *isa_at(size_t i)
{
    const tern_kernels *t = next_above(INT_MIN);
    while (t && i--) t = next_above(t->rank);
    return t;
}

const char *tern_isa_name(size_t i)
{
    const tern_kernels *t = isa_at(i);
    return t ? tern_isa_short(t) : NULL;
}

int tern_isa_usable(size_t i)
{
    const tern_kernels *t = isa_at(i);
    tern_cpu cpu;
    tern_cpu_probe(&cpu);
    return t && t->usable(&cpu);
}
