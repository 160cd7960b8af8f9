/* y = x w^T with x f32 and w f32, bf16 or f16 as stored: tiles of 3 rows of x by 8 rows of w, summed along k.
 * The CPU backend calls the three slots through the table; simd.h has the loads and the tree.
 *
 * One output is summed so, whatever tile it lies in: k in blocks of K_BLOCK; within a block lane l takes k = l, l + 16, ... by FMA;
 * the lanes by one tree; the blocks one after the other. A block of 8 rows of f32 weights takes 32 KiB of the first cache, and 3 rows of x
 * pass by it. From PACK_ROWS rows of x on, the block is first copied (and widened) to an aligned panel. */
#include <stdalign.h>
#include <stdbool.h>

#include "kernels/x86_avx512/simd.h"
#include "kernels/x86_avx512/slots.h"

enum { TILE_M = 3, TILE_N = 8, K_BLOCK = 1024, M_BLOCK = 192, PACK_ROWS = 12 };

/* Eight rows of the weight, from a block's first k on; beyond the last row, that one again. */
typedef struct rows {
    const char *at[TILE_N];
    stored type;
} rows;

/* One k step of a tile: tm x 8 FMAs on 16 lanes. */
INLINE void step(int tm, __m512 sum[TILE_M][TILE_N], const float *x, size_t ldx, const rows *w, size_t k, __mmask16 m)
{
    __m512 a[TILE_M];
    for (int i = 0; i < tm; i++) a[i] = m == 0xFFFF ? load(x + (size_t)i * ldx + k) : load_some(m, x + (size_t)i * ldx + k);
    for (int j = 0; j < TILE_N; j++) {
        __m512 b = m == 0xFFFF ? load_stored(w->at[j], k, w->type) : load_stored_some(m, w->at[j], k, w->type);
        for (int i = 0; i < tm; i++) sum[i][j] = _mm512_fmadd_ps(a[i], b, sum[i][j]);
    }
}

/* y[i, 0..7] (+)= the block's sums for tm rows of x. ahead: bytes from a weight to one that is wanted soon, 0 for none. */
INLINE void tile(int tm, float *y, size_t ldy, const float *x, size_t ldx, const rows *w, size_t n, size_t k_len, bool first, size_t ahead)
{
    __m512 sum[TILE_M][TILE_N];
    size_t k = 0;
    for (int i = 0; i < tm; i++)
        for (int j = 0; j < TILE_N; j++) sum[i][j] = _mm512_setzero_ps();
    for (; k + LANES <= k_len; k += LANES) {
        if (ahead)
            for (int j = 0; j < TILE_N; j++) _mm_prefetch(w->at[j] + k * stored_bytes(w->type) + ahead, _MM_HINT_T0);
        step(tm, sum, x, ldx, w, k, 0xFFFF);
    }
    if (k < k_len) step(tm, sum, x, ldx, w, k, lanes(k_len - k));
    __mmask8 wanted = (__mmask8)lanes(n);
    for (int i = 0; i < tm; i++, y += ldy) {
        __m256 total = sum_lanes8(sum[i]);
        if (!first) total = _mm256_add_ps(_mm256_maskz_loadu_ps(wanted, y), total);
        _mm256_mask_storeu_ps(y, wanted, total);
    }
}

/* All rows of x against eight of w. */
INLINE void tile_column(float *y, size_t ldy, const float *x, size_t ldx, const rows *w, size_t m, size_t n, size_t k_len, bool first, size_t ahead)
{
    for (; m >= 3; m -= 3, y += 3 * ldy, x += 3 * ldx) tile(3, y, ldy, x, ldx, w, n, k_len, first, ahead);
    if (m == 2) tile(2, y, ldy, x, ldx, w, n, k_len, first, ahead);
    if (m == 1) tile(1, y, ldy, x, ldx, w, n, k_len, first, ahead);
}

INLINE void rows_of(rows *r, const void *w, size_t ldw, size_t n, size_t k, stored type)
{
    r->type = type;
    for (size_t j = 0; j < TILE_N; j++) r->at[j] = (const char *)w + ((j < n ? j : n - 1) * ldw + k) * stored_bytes(type);
}

/* Copies eight rows of a block side by side as f32, zeros up to a whole register. */
INLINE void pack(float *panel, const rows *w, size_t k_len)
{
    for (int j = 0; j < TILE_N; j++, panel += K_BLOCK)
        for (size_t k = 0; k < k_len; k += LANES) _mm512_store_ps(panel + k, load_stored_some(lanes(k_len - k), w->at[j], k, w->type));
}

/* Many rows: a block of rows of x stays in the second cache while all rows of w pass. */
INLINE void gemm_many(float *y, size_t ldy, const float *x, size_t ldx, const void *w, size_t ldw, size_t m, size_t n, size_t k_len, stored type)
{
    alignas(64) float panel[TILE_N * K_BLOCK];
    rows stored_rows, packed;
    rows_of(&packed, panel, K_BLOCK, TILE_N, 0, STORED_F32);
    for (size_t k = 0; k < k_len; k += K_BLOCK)
        for (size_t j = 0; j < n; j += TILE_N) {
            size_t k_part = k_len - k < K_BLOCK ? k_len - k : K_BLOCK;
            rows_of(&stored_rows, (const char *)w + j * ldw * stored_bytes(type), ldw, n - j, k, type);
            pack(panel, &stored_rows, k_part);
            tile_column(y + j, ldy, x + k, ldx, &packed, m, n - j, k_part, k == 0, 0);
        }
}

/* Few rows: the weight streams by once, eight rows at a time over the whole of k. */
INLINE void gemm_few(float *y, size_t ldy, const float *x, size_t ldx, const void *w, size_t ldw, size_t m, size_t n, size_t k_len, stored type)
{
    for (size_t j = 0; j < n; j += TILE_N)
        for (size_t k = 0; k < k_len; k += K_BLOCK) {
            rows r;
            rows_of(&r, (const char *)w + j * ldw * stored_bytes(type), ldw, n - j, k, type);
            tile_column(y + j, ldy, x + k, ldx, &r, m, n - j, k_len - k < K_BLOCK ? k_len - k : K_BLOCK, k == 0, 0);
        }
}

INLINE void gemm(float *y, size_t ldy, const float *x, size_t ldx, const void *w, size_t ldw, size_t m, size_t n, size_t k_len, stored type)
{
    for (size_t i = 0; i < m && !k_len; i++)
        for (size_t j = 0; j < n; j++) y[i * ldy + j] = 0;
    for (size_t i = 0; i < m; i += M_BLOCK) {
        size_t part = m - i < M_BLOCK ? m - i : M_BLOCK;
        if (part < PACK_ROWS) gemm_few(y + i * ldy, ldy, x + i * ldx, ldx, w, ldw, part, n, k_len, type);
        else gemm_many(y + i * ldy, ldy, x + i * ldx, ldx, w, ldw, part, n, k_len, type);
    }
}

void k_gemm_f32_f32__x86_avx512(float *y, size_t ldy, const void *x, size_t ldx, const void *w, size_t ldw, size_t m, size_t n, size_t k_len)
{
    gemm(y, ldy, x, ldx, w, ldw, m, n, k_len, STORED_F32);
}

void k_gemm_f32_bf16__x86_avx512(float *y, size_t ldy, const void *x, size_t ldx, const void *w, size_t ldw, size_t m, size_t n, size_t k_len)
{
    gemm(y, ldy, x, ldx, w, ldw, m, n, k_len, STORED_BF16);
}

void k_gemm_f32_f16__x86_avx512(float *y, size_t ldy, const void *x, size_t ldx, const void *w, size_t ldw, size_t m, size_t n, size_t k_len)
{
    gemm(y, ldy, x, ldx, w, ldw, m, n, k_len, STORED_F16);
}
