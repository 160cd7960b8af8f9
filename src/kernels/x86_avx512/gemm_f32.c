/* y = x w^T with x f32 and w f32, bf16 or f16 as stored. The CPU backend calls the three slots through the table; gemm_walk.h has the order
 * of the tiles. Lane l of a block's sum takes k = l, l + 16, ... by FMA. A panel is [k / 16][8 rows][16] f32. */
#include "kernels/x86_avx512/gemm_walk.h"
#include "kernels/x86_avx512/slots.h"

INLINE void add_step(int tm, bool packed, __m512 sum[TILE_M][TILE_N], const tile_job *t, size_t k, bool whole, stored type)
{
    __m512 a[TILE_M];
    __mmask16 m = whole ? 0xFFFF : lanes(t->k_len - k);
    for (int i = 0; i < tm; i++) {
        const void *x = t->x + (size_t)i * t->ldx;
        a[i] = whole ? load_stored(x, k, STORED_F32) : load_stored_some(m, x, k, STORED_F32);
    }
    for (int j = 0; j < TILE_N; j++) {
        const void *panel = t->panel;
        __m512 b = packed ? load_stored(panel, k * TILE_N + (size_t)j * LANES, STORED_F32)
                 : whole  ? load_stored(t->row[j], k, type)
                          : load_stored_some(m, t->row[j], k, type);
        b = held(b);
        for (int i = 0; i < tm; i++) sum[i][j] = _mm512_fmadd_ps(a[i], b, sum[i][j]);
    }
}

INLINE void pack(char *panel, const char *const row[TILE_N], size_t k_len, stored type)
{
    float *to = (float *)(void *)panel;
    for (int j = 0; j < TILE_N; j++)
        for (size_t k = 0; k < k_len; k += LANES) _mm512_store_ps(to + k * TILE_N + j * LANES, load_stored_some(lanes(k_len - k), row[j], k, type));
}

/* The three kinds differ in how a stored number widens, and in nothing else: the same sums, the same bits for equal numbers. */
#define GEMM(slot, type, bytes)                                                                                                           \
    INLINE void slot##_step(int tm, bool packed, __m512 sum[TILE_M][TILE_N], const tile_job *t, size_t k, bool whole)                     \
    {                                                                                                                                     \
        add_step(tm, packed, sum, t, k, whole, type);                                                                                     \
    }                                                                                                                                     \
    INLINE void slot##_pack(char *panel, const char *const row[TILE_N], size_t k_len)                                                     \
    {                                                                                                                                     \
        pack(panel, row, k_len, type);                                                                                                    \
    }                                                                                                                                     \
    void k_##slot##__x86_avx512(float *y, size_t ldy, const void *x, size_t ldx, const void *w, size_t ldw, size_t m, size_t n,           \
                                size_t k_len)                                                                                             \
    {                                                                                                                                     \
        const gemm_kind kind = { sizeof(float), bytes, LANES, PANEL_BYTES / TILE_N / sizeof(float), slot##_step, slot##_pack };           \
        gemm_walk(&kind, y, ldy, x, ldx, w, ldw, m, n, k_len);                                                                            \
    }

GEMM(gemm_f32_f32, STORED_F32, sizeof(float))
GEMM(gemm_f32_bf16, STORED_BF16, sizeof(uint16_t))
GEMM(gemm_f32_f16, STORED_F16, sizeof(uint16_t))
