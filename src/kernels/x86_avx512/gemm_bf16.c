/* y = x w^T with both sides bf16 on AVX-512 without its BF16 part: products of two bf16 are exact in f32 and are added by FMA. The CPU
 * backend calls it through the table; kernels/vector/gemm_walk.h has the order of the tiles.
 *
 * A register of bf16 is two of f32, its even numbers and its odd ones: one operation each, where widening 16 numbers takes two.
 * Lane l of a block's sum takes k = 2l, 2l + 1, 2l + 32, ... A panel is [k / 32][8 rows][16 even, 16 odd] f32. */
#include "kernels/x86_avx512/simd.h"
#include "kernels/x86_avx512/slots.h"

#include "kernels/vector/gemm_walk.h"

enum { STEP = 2 * LANES };

INLINE bits load_bits(const char *row, size_t k, size_t left)
{
    return b_load_n((const uint16_t *)(const void *)(row + k * sizeof(uint16_t)), left);
}

typedef struct pair {
    vec even, odd;
} pair;

INLINE pair load_x(const tile_job *t, int i, size_t k, size_t left)
{
    bits v = load_bits(t->x + (size_t)i * t->ldx, k, left);
    return (pair){ v_even(v), v_odd(v) };
}

INLINE pair load_w(const tile_job *t, int j, bool packed, size_t k, size_t left)
{
    const float *panel = (const float *)(const void *)t->panel;
    if (packed) return (pair){ v_held(v_load_n(panel + k * TILE_N + j * STEP, LANES)), v_held(v_load_n(panel + k * TILE_N + j * STEP + LANES, LANES)) };
    bits v = load_bits(t->row[j], k, left);
    return (pair){ v_held(v_even(v)), v_held(v_odd(v)) };
}

/* The side with fewer rows stays in registers, the other passes by. */
INLINE void bf16_step(int tm, int tn, bool packed, vec sum[MOST_M][TILE_N], const tile_job *t, size_t k, bool whole)
{
    pair a[MOST_M], b[TILE_N];
    size_t left = whole ? STEP : t->k_len - k;
    if (tm <= tn) {
        for (int i = 0; i < tm; i++) a[i] = load_x(t, i, k, left);
        for (int j = 0; j < tn; j++) {
            b[j] = load_w(t, j, packed, k, left);
            for (int i = 0; i < tm; i++) sum[i][j] = v_fma(a[i].even, b[j].even, sum[i][j]);
            for (int i = 0; i < tm; i++) sum[i][j] = v_fma(a[i].odd, b[j].odd, sum[i][j]);
        }
    } else {
        for (int j = 0; j < tn; j++) b[j] = load_w(t, j, packed, k, left);
        for (int i = 0; i < tm; i++) {
            a[i] = load_x(t, i, k, left);
            for (int j = 0; j < tn; j++) sum[i][j] = v_fma(a[i].even, b[j].even, sum[i][j]);
            for (int j = 0; j < tn; j++) sum[i][j] = v_fma(a[i].odd, b[j].odd, sum[i][j]);
        }
    }
}

INLINE void bf16_pack(char *panel, const char *const row[TILE_N], size_t k_len)
{
    float *to = (float *)(void *)panel;
    for (int j = 0; j < TILE_N; j++)
        for (size_t k = 0; k < k_len; k += STEP) {
            bits v = load_bits(row[j], k, k_len - k);
            v_store_n(to + k * TILE_N + j * STEP, LANES, v_even(v));
            v_store_n(to + k * TILE_N + j * STEP + LANES, LANES, v_odd(v));
        }
}

void k_gemm_bf16_bf16__x86_avx512(float *y, size_t ldy, const void *x, size_t ldx, const void *w, size_t ldw, size_t m, size_t n, size_t k_len)
{
    const gemm_kind kind = { sizeof(uint16_t), sizeof(uint16_t), STEP, PANEL_BYTES / TILE_N / sizeof(float), bf16_step, bf16_pack };
    gemm_walk(&kind, y, ldy, x, ldx, w, ldw, m, n, k_len);
}
