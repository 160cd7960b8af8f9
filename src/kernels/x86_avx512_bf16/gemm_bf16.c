/* y = x w^T with both sides bf16 by VDPBF16PS, which adds two products to each of 16 lanes. The CPU
 * backend calls it through the table; kernels/vector/gemm_walk.h has the order of the tiles.
 * Lane l of a block's sum takes k = 2l, 2l + 1, 2l + 32, 2l + 33, ... x lies packed as bf16; a
 * panel is [k / 32][8 rows][32] bf16. */
#include "kernels/x86_avx512/simd.h"
#include "kernels/x86_avx512_bf16/slots.h"

#include "kernels/vector/gemm_walk.h"

INLINE bits load_bits(const char *at, size_t left)
{
    return b_load_n((const uint16_t *)(const void *)at, left);
}

/* Row j of w at k, from the panel or as stored. */
INLINE bits load_w(const tile_job *t, size_t j, source from, size_t k, size_t left)
{
    char *panel = t->panel + (k * TILE_N + j * STEP) * sizeof(uint16_t);
    bits v = from == PANEL ? load_bits(panel, STEP) : load_bits(t->row[j] + k * sizeof(uint16_t), left);
    if (from == FILLING) _mm512_store_si512(panel, v);
    return _mm512_castps_si512(v_in_register(_mm512_castsi512_ps(v)));
}

/* The side with fewer rows stays in registers, the other passes by. */
INLINE void bf16_step(int tm, int tn, source from, vec sum[MOST_M][TILE_N], const tile_job *t, size_t k, bool whole)
{
    bits a[MOST_M], b[TILE_N];
    size_t left = whole ? STEP : t->k_len - k;
    int rows = from == STORED ? tm : TILE_M;
    if (tm <= tn) {
        UNROLLED for (int i = 0; i < tm; i++) a[i] = load_bits(x_at(t, sizeof(uint16_t), rows, i, k), STEP);
        UNROLLED for (int j = 0; j < tn; j++) {
            b[j] = load_w(t, (size_t)j, from, k, left);
            UNROLLED for (int i = 0; i < tm; i++)
                sum[i][j] = _mm512_dpbf16_ps(sum[i][j], (__m512bh)a[i], (__m512bh)b[j]);
        }
    } else {
        UNROLLED for (int j = 0; j < tn; j++) b[j] = load_w(t, (size_t)j, from, k, left);
        UNROLLED for (int i = 0; i < tm; i++) {
            a[i] = load_bits(x_at(t, sizeof(uint16_t), rows, i, k), STEP);
            UNROLLED for (int j = 0; j < tn; j++)
                sum[i][j] = _mm512_dpbf16_ps(sum[i][j], (__m512bh)a[i], (__m512bh)b[j]);
        }
    }
}

INLINE void put_bf16(char *to, const float *x, size_t left)
{
    v_store_bf16((uint16_t *)(void *)to, LANES, v_load_n(x, left));
    v_store_bf16((uint16_t *)(void *)to + LANES, LANES, v_load_n(x + LANES, left > LANES ? left - LANES : 0));
}

void k_pack_bf16__x86_avx512_bf16(void *to, const float *x, size_t ldx, size_t m, size_t k_len)
{
    pack_x(put_bf16, sizeof(uint16_t), to, x, ldx, m, k_len);
}

void k_gemm_bf16_bf16__x86_avx512_bf16(float *y, size_t ldy, const void *x, const void *w, size_t ldw, size_t m,
                                       size_t n, size_t k_len)
{
    const gemm_kind kind = { sizeof(uint16_t), sizeof(uint16_t), sizeof(uint16_t), bf16_step };
    gemm_walk(&kind, y, ldy, x, w, ldw, m, n, k_len);
}
