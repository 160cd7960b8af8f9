/* Attention's products on every instruction set: nn_check.h has what is looked at. CTest runs
 * it. */
#include "kernels/nn_check.h"

enum { SHAPES = 1000, ISAS = 16 };

static void test_shapes(void **state)
{
    const tern_kernels *tables[ISAS];
    size_t n_table = usable_tables(tables, ISAS);
    (void)state;
    for (size_t t = 0; t < n_table; t++)
        for (size_t i = 0; i < N_ROWS(gemm_nn_slots); i++)
            if (slot_of(tables[t], gemm_nn_slots[i].offset)) check_products(tables[t], &gemm_nn_slots[i], SHAPES);
}

static void test_weights(void **state)
{
    const tern_kernels *tables[ISAS];
    size_t n_table = usable_tables(tables, ISAS);
    tern_cpu cpu;
    (void)state;
    tern_cpu_probe(&cpu);
    for (size_t t = 0; t < n_table; t++)
        for (size_t i = 0; i < N_ROWS(gemm_nn_slots); i++) {
            tern_kernels merged;
            tern_kernels_select(&merged, &cpu, tables[t]->rank);
            if (gemm_nn_slots[i].exp) check_weights(&merged, &gemm_nn_slots[i], SHAPES);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_shapes), cmocka_unit_test(test_weights) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
