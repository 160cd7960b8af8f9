/* y = x w^T with both sides bf16, without an instruction for it: products of two bf16 are exact in f32 and are added by FMA. Each vector
 * folder compiles this for itself; gemm_walk.h has the order of the tiles.
 *
 * A register of bf16 is two of f32, its even numbers and its odd ones. Lane l of a block's sum takes k = 2l, 2l + 1, 2l + STEP, ...
 * A panel is [k / STEP][TILE_N rows][even, odd] f32. */
#include "kernels/vector/gemm_walk.h"

enum { STEP = 2 * LANES };

INLINE bits load_bits(const char *row, size_t k, size_t left)
{
    return b_load_n((const uint16_t *)(const void *)(row + k * sizeof(uint16_t)), left);
}

INLINE vec half_of(bits v, bool odd)
{
    return odd ? v_odd(v) : v_even(v);
}

INLINE void add_half_step(int tm, bool packed, vec sum[TILE_M][TILE_N], const tile_job *t, size_t k, size_t left, bool odd)
{
    vec a[TILE_M];
    const float *panel = (const float *)(const void *)t->panel + k * TILE_N + (odd ? LANES : 0);
    for (int i = 0; i < tm; i++) a[i] = half_of(load_bits(t->x + (size_t)i * t->ldx, k, left), odd);
    for (int j = 0; j < TILE_N; j++) {
        vec b = v_held(packed ? v_load_n(panel + j * STEP, LANES) : half_of(load_bits(t->row[j], k, left), odd));
        for (int i = 0; i < tm; i++) sum[i][j] = v_fma(a[i], b, sum[i][j]);
    }
}

INLINE void bf16_step(int tm, bool packed, vec sum[TILE_M][TILE_N], const tile_job *t, size_t k, bool whole)
{
    size_t left = whole ? STEP : t->k_len - k;
    add_half_step(tm, packed, sum, t, k, left, false);
    add_half_step(tm, packed, sum, t, k, left, true);
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

void K(gemm_bf16_bf16)(float *y, size_t ldy, const void *x, size_t ldx, const void *w, size_t ldw, size_t m, size_t n, size_t k_len)
{
    const gemm_kind kind = { sizeof(uint16_t), sizeof(uint16_t), STEP, PANEL_BYTES / TILE_N / sizeof(float), bf16_step, bf16_pack };
    gemm_walk(&kind, y, ldy, x, ldx, w, ldw, m, n, k_len);
}
