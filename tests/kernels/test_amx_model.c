/* The AMX kernel of weights over a model of the tile instructions, so that its packing, edges and
 * order are proved where the CPU has no tiles. CTest runs it; test_amx_model.flags has the compiler
 * flags of the kernel that is included here. */
#include "kernels/check.h"
#include "kernels/rows.h"
#include "kernels/tile_model.h"

#define k_pack_bf16__x86_amx k_pack_bf16__model
#define k_gemm_bf16_bf16__x86_amx k_gemm_bf16_bf16__model
k_pack_fn k_pack_bf16__model;
k_gemm_fn k_gemm_bf16_bf16__model;
#include "kernels/x86_amx/gemm_bf16.c"

enum { SHAPES = 60, MOST = 1 << 18 };

static const gemm_shape tile_rows[] = {
    { 64, 32, 1024, "whole tiles, two parts of k" },
    { 70, 50, 1100, "tails each way, three parts of k" },
    { 33, 16, 1537, "one row in the second strip of x, one number in the fourth part" },
    { 47, 31, 545, "tiles that are not whole wait in y between parts" },
    { 100, 96, 512, "a part of k" },
    { 32, 64, 1024, "the most rows that w passes by as stored" },
};

static void model(const guarded *packed, float *y, size_t ldy, const float *x, size_t ldx, const void *w, size_t ldw,
                  size_t m, size_t n, size_t k)
{
    run_gemm(k_pack_bf16__model, k_gemm_bf16_bf16__model, packed, y, ldy, x, ldx, w, ldw, m, n, k);
}

static void check_shape(const gemm_shape *s, const guarded g[5], rng *r)
{
    size_t ldx = s->k + rng_below(r, 3), ldw = s->k + rng_below(r, 3), ldy = s->n + rng_below(r, 3),
        count = extent(s->m, s->n, ldy);
    uint16_t *w = guarded_end(&g[1], extent(s->n, s->k, ldw), 2);
    float *x = guarded_end(&g[0], extent(s->m, s->k, ldx), 4), *y = guarded_end(&g[2], count, 4),
        *want = guarded_end(&g[3], count, 4);
    fill_rows(r, x, 'f', s->m, s->k, ldx);
    fill_rows(r, w, 'b', s->n, s->k, ldw);
    for (size_t i = 0; i < count; i++) y[i] = want[i] = -12345;
    model(&g[4], y, ldy, x, ldx, w, ldw, s->m, s->n, s->k);
    run_gemm(tern_kernels_scalar.pack_bf16, tern_kernels_scalar.gemm_bf16_bf16, &g[4], want, ldy, x, ldx, w, ldw, s->m,
             s->n, s->k);
    for (size_t i = 0; i < count; i++) {
        /* |x w| < 1; test_gemm.c has the reason */
        double allowed = (2 + sqrt((double)s->k) / 2) * FLT_EPSILON * (double)s->k;
        if (!(fabs((double)y[i] - want[i]) <= allowed))
            fail_msg("y[%zu,%zu] of %zu x %zu x %zu (%s) is %.9g, not %.9g", i / ldy, i % ldy, s->m, s->n, s->k, s->why,
                     (double)y[i], (double)want[i]);
    }
    for (size_t i = 0; i < s->m; i++) model(&g[4], want + i * ldy, ldy, x + i * ldx, ldx, w, ldw, 1, s->n, s->k);
    assert_memory_equal(y, want, count * sizeof *y);
    size_t cut = rng_below(r, s->n + 1);
    model(&g[4], want, ldy, x, ldx, w, ldw, s->m, cut, s->k);
    if (cut < s->n) model(&g[4], want + cut, ldy, x, ldx, w + cut * ldw, ldw, s->m, s->n - cut, s->k);
    assert_memory_equal(y, want, count * sizeof *y);
}

static void test_shapes(void **state)
{
    rng r = { .s = 23 };
    guarded g[5];
    (void)state;
    tile_model_or_skip();
    for (size_t i = 0; i < 5; i++) guarded_open(&g[i], MOST * sizeof(float));
    for (size_t i = 0; i < N_ROWS(gemm_rows); i++) check_shape(&gemm_rows[i], g, &r);
    for (size_t i = 0; i < N_ROWS(tile_rows); i++) check_shape(&tile_rows[i], g, &r);
    for (size_t i = 0; i < SHAPES; i++) {
        gemm_shape s = { rng_size(&r, 70), rng_size(&r, 80), rng_size(&r, i % 4 ? 150 : 2500), "by seed" };
        check_shape(&s, g, &r);
    }
    for (size_t i = 0; i < 5; i++) guarded_close(&g[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_shapes) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
