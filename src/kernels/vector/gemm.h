/* y = x w^T with either side f32, bf16 or f16 as stored, multiplied in f32. Each vector folder compiles this for itself; gemm_walk.h has the order of the tiles.
 * Lane l of a block's sum takes k = l, l + LANES, ... by FMA. A panel is [k / LANES][TILE_N rows][LANES] f32. */
#include "kernels/vector/gemm_walk.h"

/* Row j of w at k, from the panel or as stored. */
INLINE vec weights_at(const tile_job *t, int j, bool packed, size_t k, size_t left, stored type)
{
    return v_held(packed ? v_load_stored(t->panel, k * TILE_N + (size_t)j * LANES, LANES, STORED_F32) : v_load_stored(t->row[j], k, left, type));
}

/* The side with fewer rows stays in registers, the other passes by. */
INLINE void add_step(int tm, int tn, bool packed, vec sum[MOST_M][TILE_N], const tile_job *t, size_t k, bool whole, stored x_type, stored w_type)
{
    vec a[MOST_M], b[TILE_N];
    size_t left = whole ? LANES : t->k_len - k;
    if (tm <= tn) {
        for (int i = 0; i < tm; i++) a[i] = v_load_stored(t->x + (size_t)i * t->ldx, k, left, x_type);
        for (int j = 0; j < tn; j++) {
            b[j] = weights_at(t, j, packed, k, left, w_type);
            for (int i = 0; i < tm; i++) sum[i][j] = v_fma(a[i], b[j], sum[i][j]);
        }
    } else {
        for (int j = 0; j < tn; j++) b[j] = weights_at(t, j, packed, k, left, w_type);
        for (int i = 0; i < tm; i++) {
            a[i] = v_held(v_load_stored(t->x + (size_t)i * t->ldx, k, left, x_type));
            for (int j = 0; j < tn; j++) sum[i][j] = v_fma(a[i], b[j], sum[i][j]);
        }
    }
}

INLINE void pack(char *panel, const char *const row[TILE_N], size_t k_len, stored type)
{
    float *to = (float *)(void *)panel;
    for (int j = 0; j < TILE_N; j++)
        for (size_t k = 0; k < k_len; k += LANES) v_store_n(to + k * TILE_N + j * LANES, LANES, v_load_stored(row[j], k, k_len - k, type));
}

/* The kinds differ in how a stored number widens, and in nothing else: the same sums, the same bits for equal numbers. */
#define GEMM(slot, x_type, w_type)                                                                                                      \
    INLINE void slot##_step(int tm, int tn, bool packed, vec sum[MOST_M][TILE_N], const tile_job *t, size_t k, bool whole)              \
    {                                                                                                                                   \
        add_step(tm, tn, packed, sum, t, k, whole, x_type, w_type);                                                                     \
    }                                                                                                                                   \
    INLINE void slot##_pack(char *panel, const char *const row[TILE_N], size_t k_len)                                                   \
    {                                                                                                                                   \
        pack(panel, row, k_len, w_type);                                                                                                \
    }                                                                                                                                   \
    void K(slot)(float *y, size_t ldy, const void *x, size_t ldx, const void *w, size_t ldw, size_t m, size_t n, size_t k_len)          \
    {                                                                                                                                   \
        const gemm_kind kind = { stored_bytes(x_type), stored_bytes(w_type), LANES, PANEL_BYTES / TILE_N / sizeof(float),               \
                                 slot##_step, slot##_pack };                                                                            \
        gemm_walk(&kind, y, ldy, x, ldx, w, ldw, m, n, k_len);                                                                          \
    }
