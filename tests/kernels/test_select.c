/* Which instruction set is chosen on which CPU, and that a merged table has no hole. CTest runs it;
 * it calls select.c with CPUs made up here. */
#include <limits.h>

#include "kernels/check.h"
#include "kernels/rows.h"

enum { FMA_F16C = 1 << 12 | 1 << 29, AVX2 = 1 << 5, BF16 = 1 << 5, VBMI2 = 1 << 6, FP16 = 1 << 23 };

static const uint32_t avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;

typedef struct select_case {
    tern_cpu cpu;
    int max_rank;
    const char *isa, *bf16_from;    /* the highest set; the one whose gemm_bf16_bf16 it has */
    const char *why;
} select_case;

static const select_case rows[] = {
    { { 0 }, INT_MAX, "scalar", "scalar", "a CPU with nothing" },
    { { .leaf7_ebx = AVX2, .leaf1_ecx = FMA_F16C }, INT_MAX, "scalar", "scalar",
      "the system does not save YMM registers" },
    { { .leaf7_ebx = AVX2, .leaf1_ecx = 1 << 12, .xcr0 = 6 }, INT_MAX, "scalar", "scalar", "AVX2 without F16C" },
    { { .leaf7_ebx = AVX2, .leaf1_ecx = FMA_F16C, .xcr0 = 6 }, INT_MAX, "x86_avx2", "x86_avx2", "AVX2" },
    { { .leaf7_ebx = AVX2 | avx512, .leaf1_ecx = FMA_F16C, .xcr0 = 6 }, INT_MAX, "x86_avx2", "x86_avx2",
      "the system does not save ZMM registers" },
    { { .leaf7_ebx = AVX2 | avx512, .leaf1_ecx = FMA_F16C, .xcr0 = 0xE6 }, INT_MAX, "x86_avx512", "x86_avx512",
      "AVX-512" },
    { { .leaf7_ebx = AVX2 | avx512, .leaf1_ecx = FMA_F16C, .xcr0 = 0xE6 }, 20, "x86_avx2", "x86_avx2",
      "a lower rank by name" },
    { { .leaf7_ebx = AVX2 | avx512, .leaf1_ecx = FMA_F16C, .xcr0 = 0xE6, .leaf7_1_eax = BF16 }, INT_MAX,
      "x86_avx512_bf16", "x86_avx512_bf16", "AVX-512 BF16" },
    { { .intel = true, .leaf7_ebx = AVX2 | avx512, .leaf1_ecx = FMA_F16C, .xcr0 = 0xE6, .leaf7_1_eax = BF16 }, INT_MAX,
      "x86_avx512_bf16", "x86_avx512_bf16", "the same of Intel, before its FP16" },
    { { .intel = true, .leaf7_ebx = AVX2 | avx512, .leaf1_ecx = FMA_F16C, .xcr0 = 0xE6, .leaf7_1_eax = BF16,
        .leaf7_edx = FP16 }, INT_MAX, "x86_avx512", "x86_avx512", "where VDPBF16PS is slow, it is left alone" },
    { { .intel = true, .leaf7_ebx = AVX2 | avx512, .leaf1_ecx = FMA_F16C, .xcr0 = 0xE6, .leaf7_1_eax = BF16,
        .leaf7_edx = FP16 }, 40, "x86_avx512_bf16", "x86_avx512_bf16", "and taken by name" },
    { { .intel = true, .leaf7_ebx = AVX2 | avx512, .leaf7_ecx = VBMI2, .leaf1_ecx = FMA_F16C, .xcr0 = 0xE6,
        .leaf7_1_eax = BF16, .leaf7_edx = FP16 }, INT_MAX, "x86_avx512_fp16", "x86_avx512",
      "FP16 serves products of f16 alone" },
};

static void test_select(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        const select_case *c = &rows[i];
        tern_kernels k;
        if (!tern_isa_find(c->isa) || !tern_isa_find(c->bf16_from)) continue;    /* another architecture's folders */
        tern_kernels_select(&k, &c->cpu, c->max_rank);
        if (strcmp(k.isa, c->isa)) fail_msg("%s: %s, not %s", c->why, k.isa, c->isa);
        if (k.gemm_bf16_bf16 != tern_isa_find(c->bf16_from)->gemm_bf16_bf16)
            fail_msg("%s: gemm_bf16_bf16 is not that of %s", c->why, c->bf16_from);
#define X(slot, type) \
        if (!k.slot) fail_msg("%s: no table serves " #slot, c->why);
        TERN_KERNEL_SLOTS(X)
#undef X
    }
}

static void test_names(void **state)
{
    (void)state;
    for (const tern_kernels *const *p = tern_isa_list; *p; p++) {
        assert_ptr_equal(tern_isa_find((*p)->isa), *p);
        assert_ptr_equal(tern_isa_find(tern_isa_short(*p)), *p);
        for (const tern_kernels *const *q = tern_isa_list; q != p; q++) assert_int_not_equal((*p)->rank, (*q)->rank);
    }
    assert_null(tern_isa_find("x86_abacus"));
    assert_null(tern_isa_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
