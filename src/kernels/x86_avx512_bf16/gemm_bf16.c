/* y = x w^T with both sides bf16 by VDPBF16PS, which adds two products to each of 16 lanes. The CPU backend calls it through the table;
 * the AVX-512 folder's gemm_walk.h has the order of the tiles.
 * Lane l of a block's sum takes k = 2l, 2l + 1, 2l + 32, 2l + 33, ... A panel is [k / 32][8 rows][32] bf16. */
#include "kernels/x86_avx512/gemm_walk.h"
#include "kernels/x86_avx512_bf16/slots.h"

enum { STEP = 2 * LANES };

INLINE __m512i load_pairs(const char *row, size_t k, size_t left, bool whole)
{
    const char *at = row + k * sizeof(uint16_t);
    if (whole) return _mm512_loadu_si512(at);
    return _mm512_maskz_loadu_epi16(left >= STEP ? 0xFFFFFFFF : (1u << left) - 1, at);
}

INLINE void bf16_step(int tm, bool packed, __m512 sum[TILE_M][TILE_N], const tile_job *t, size_t k, bool whole)
{
    __m512i a[TILE_M];
    for (int i = 0; i < tm; i++) a[i] = load_pairs(t->x + (size_t)i * t->ldx, k, t->k_len - k, whole);
    for (int j = 0; j < TILE_N; j++) {
        __m512i b = packed ? _mm512_load_si512(t->panel + (k * TILE_N + (size_t)j * STEP) * sizeof(uint16_t)) : load_pairs(t->row[j], k, t->k_len - k, whole);
        __m512 w = held(_mm512_castsi512_ps(b));
        for (int i = 0; i < tm; i++) sum[i][j] = _mm512_dpbf16_ps(sum[i][j], (__m512bh)a[i], (__m512bh)w);
    }
}

INLINE void bf16_pack(char *panel, const char *const row[TILE_N], size_t k_len)
{
    for (size_t j = 0; j < TILE_N; j++)
        for (size_t k = 0; k < k_len; k += STEP)
            _mm512_store_si512(panel + (k * TILE_N + j * STEP) * sizeof(uint16_t), load_pairs(row[j], k, k_len - k, false));
}

void k_gemm_bf16_bf16__x86_avx512_bf16(float *y, size_t ldy, const void *x, size_t ldx, const void *w, size_t ldw, size_t m, size_t n, size_t k_len)
{
    const gemm_kind kind = { sizeof(uint16_t), sizeof(uint16_t), STEP, PANEL_BYTES / TILE_N / sizeof(uint16_t), bf16_step, bf16_pack };
    gemm_walk(&kind, y, ldy, x, ldx, w, ldw, m, n, k_len);
}
