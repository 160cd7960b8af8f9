/* y = x w^T with both sides bf16 on AVX-512 without its BF16 part: products of two bf16 are exact in f32 and are added by FMA.
 * The CPU backend calls it through the table; simd.h has the tree.
 *
 * A register holds 32 bf16: its odd numbers are f32 once the lower half is cleared, its even ones once shifted up. Lane l of a sum takes
 * k = 2l, 2l + 1, 2l + 32, 2l + 33, ... of a block of K_BLOCK; then the tree; then the blocks one after the other. */
#include <stdalign.h>
#include <stdbool.h>

#include "kernels/x86_avx512/simd.h"
#include "kernels/x86_avx512/slots.h"

enum { TILE_M = 3, TILE_N = 8, STEP = 32, K_BLOCK = 1024, M_BLOCK = 192, PACK_ROWS = 12 };

typedef struct pair {
    __m512 even, odd;
} pair;

INLINE pair load_pair(const uint16_t *p, __mmask32 m)
{
    __m512i v = m == 0xFFFFFFFF ? _mm512_loadu_si512(p) : _mm512_maskz_loadu_epi16(m, p);
    return (pair){ _mm512_castsi512_ps(_mm512_slli_epi32(v, 16)), _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32((int)0xFFFF0000))) };
}

INLINE pair load_panel(const float *p)
{
    return (pair){ _mm512_load_ps(p), _mm512_load_ps(p + LANES) };
}

INLINE __mmask32 halves(size_t n)
{
    return n >= STEP ? 0xFFFFFFFF : (1u << n) - 1;
}

/* Eight rows of the weight: as stored, or widened to pairs in a panel. */
typedef struct rows {
    const uint16_t *at[TILE_N];
    const float *panel;
} rows;

INLINE void step(int tm, __m512 sum[TILE_M][TILE_N], const uint16_t *x, size_t ldx, const rows *w, size_t k, __mmask32 m)
{
    pair a[TILE_M];
    for (int i = 0; i < tm; i++) a[i] = load_pair(x + (size_t)i * ldx + k, m);
    for (int j = 0; j < TILE_N; j++) {
        pair b = w->panel ? load_panel(w->panel + (size_t)j * K_BLOCK + k) : load_pair(w->at[j] + k, m);
        for (int i = 0; i < tm; i++) sum[i][j] = _mm512_fmadd_ps(a[i].even, b.even, sum[i][j]);
        for (int i = 0; i < tm; i++) sum[i][j] = _mm512_fmadd_ps(a[i].odd, b.odd, sum[i][j]);
    }
}

INLINE void tile(int tm, float *y, size_t ldy, const uint16_t *x, size_t ldx, const rows *w, size_t n, size_t k_len, bool first)
{
    __m512 sum[TILE_M][TILE_N];
    size_t k = 0;
    for (int i = 0; i < tm; i++)
        for (int j = 0; j < TILE_N; j++) sum[i][j] = _mm512_setzero_ps();
    for (; k + STEP <= k_len; k += STEP) step(tm, sum, x, ldx, w, k, 0xFFFFFFFF);
    if (k < k_len) step(tm, sum, x, ldx, w, k, halves(k_len - k));
    __mmask8 wanted = (__mmask8)lanes(n);
    for (int i = 0; i < tm; i++, y += ldy) {
        __m256 total = sum_lanes8(sum[i]);
        if (!first) total = _mm256_add_ps(_mm256_maskz_loadu_ps(wanted, y), total);
        _mm256_mask_storeu_ps(y, wanted, total);
    }
}

INLINE void tile_column(float *y, size_t ldy, const uint16_t *x, size_t ldx, const rows *w, size_t m, size_t n, size_t k_len, bool first)
{
    for (; m >= 3; m -= 3, y += 3 * ldy, x += 3 * ldx) tile(3, y, ldy, x, ldx, w, n, k_len, first);
    if (m == 2) tile(2, y, ldy, x, ldx, w, n, k_len, first);
    if (m == 1) tile(1, y, ldy, x, ldx, w, n, k_len, first);
}

INLINE void pack(float *panel, const rows *w, size_t k_len)
{
    for (int j = 0; j < TILE_N; j++, panel += K_BLOCK)
        for (size_t k = 0; k < k_len; k += STEP) {
            pair p = load_pair(w->at[j] + k, halves(k_len - k));
            _mm512_store_ps(panel + k, p.even);
            _mm512_store_ps(panel + k + LANES, p.odd);
        }
}

INLINE rows rows_of(const uint16_t *w, size_t ldw, size_t n)
{
    rows r = { .panel = NULL };
    for (size_t j = 0; j < TILE_N; j++) r.at[j] = w + (j < n ? j : n - 1) * ldw;
    return r;
}

/* Many rows: a block of rows of x stays in the second cache while all rows of w pass. */
static void gemm_many(float *y, size_t ldy, const uint16_t *x, size_t ldx, const uint16_t *w, size_t ldw, size_t m, size_t n, size_t k_len)
{
    alignas(64) float panel[TILE_N * K_BLOCK];
    const rows packed = { .panel = panel };
    for (size_t k = 0; k < k_len; k += K_BLOCK)
        for (size_t j = 0; j < n; j += TILE_N) {
            size_t k_part = k_len - k < K_BLOCK ? k_len - k : K_BLOCK;
            rows r = rows_of(w + j * ldw + k, ldw, n - j);
            pack(panel, &r, k_part);
            tile_column(y + j, ldy, x + k, ldx, &packed, m, n - j, k_part, k == 0);
        }
}

/* Few rows: the weight streams by once, eight rows at a time over the whole of k. */
static void gemm_few(float *y, size_t ldy, const uint16_t *x, size_t ldx, const uint16_t *w, size_t ldw, size_t m, size_t n, size_t k_len)
{
    for (size_t j = 0; j < n; j += TILE_N)
        for (size_t k = 0; k < k_len; k += K_BLOCK) {
            rows r = rows_of(w + j * ldw + k, ldw, n - j);
            tile_column(y + j, ldy, x + k, ldx, &r, m, n - j, k_len - k < K_BLOCK ? k_len - k : K_BLOCK, k == 0);
        }
}

void k_gemm_bf16_bf16__x86_avx512(float *y, size_t ldy, const void *x, size_t ldx, const void *w, size_t ldw, size_t m, size_t n, size_t k_len)
{
    const uint16_t *from = x;
    for (size_t i = 0; i < m && !k_len; i++)
        for (size_t j = 0; j < n; j++) y[i * ldy + j] = 0;
    for (size_t i = 0; i < m; i += M_BLOCK) {
        size_t part = m - i < M_BLOCK ? m - i : M_BLOCK;
        (part < PACK_ROWS ? gemm_few : gemm_many)(y + i * ldy, ldy, from + i * ldx, ldx, w, ldw, part, n, k_len);
    }
}
