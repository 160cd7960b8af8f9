/* Attention's AMX kernel over a model of the tile instructions, so that its edges and order are
 * proved where the CPU has no tiles. CTest runs it; test_amx_nn_model.flags has the compiler flags
 * of the kernel that is included here. */
#include "kernels/nn_check.h"
#include "kernels/tile_model.h"

#define k_gemm_nn_bf16_bf16__x86_amx k_gemm_nn_bf16_bf16__model
#define k_pack_nn_bf16__x86_amx k_pack_nn_bf16__model
#define k_exp_nn_bf16_row__x86_amx k_exp_nn_bf16_row__model
k_gemm_nn_fn k_gemm_nn_bf16_bf16__model;
k_pack_nn_fn k_pack_nn_bf16__model;
k_exp_row_fn k_exp_nn_bf16_row__model;
#include "kernels/x86_amx/gemm_nn_bf16.c"

enum { SHAPES = 1000 };

static void test_model(void **state)
{
    tern_kernels k;
    tern_cpu cpu;
    (void)state;
    tile_model_or_skip();
    tern_cpu_probe(&cpu);
    tern_kernels_select(&k, &cpu, tern_isa_find("avx512_bf16")->rank);
    k.isa = "model of x86_amx";
    k.gemm_nn_bf16_bf16 = k_gemm_nn_bf16_bf16__model;
    k.pack_nn_bf16 = k_pack_nn_bf16__model;
    k.exp_nn_bf16_row = k_exp_nn_bf16_row__model;
    for (size_t i = 0; i < N_ROWS(gemm_nn_slots); i++)
        if (gemm_nn_slots[i].exp) {
            check_products(&k, &gemm_nn_slots[i], SHAPES);
            check_weights(&k, &gemm_nn_slots[i], SHAPES);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_model) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
