/* y (+)= a b, b [k, n] f32, bf16 or f16: each k spreads one row of b over the outputs, so that every output is one FMA chain in ascending k.
 * The CPU backend's attention calls the three slots through the table; simd.h has the loads.
 *
 * A tile is up to 6 rows by 64 columns: 24 sums, 4 registers of b. The rows of a call are cut evenly, 8 into 4 + 4. */
#include <stdbool.h>

#include "kernels/x86_avx512/simd.h"
#include "kernels/x86_avx512/slots.h"

enum { TILE_M = 6, TILE_N = 4 };    /* rows, registers of columns */

typedef struct product {
    float *y;
    size_t ldy;
    const float *a;
    size_t lda;
    const void *b;
    size_t ldb, k_len;
    stored type;
    bool add;
} product;

/* Rows [i, i + tm), tn registers of columns from j; the last one has the mask's columns. */
INLINE void tile(const product *p, int tm, int tn, size_t i, size_t j, __mmask16 last)
{
    __m512 sum[TILE_M][TILE_N];
    const float *a = p->a + i * p->lda;
    float *y = p->y + i * p->ldy + j;
    size_t at = j;
    for (int r = 0; r < tm; r++)
        for (int c = 0; c < tn; c++)
            sum[r][c] = p->add ? load_some(c == tn - 1 ? last : 0xFFFF, y + (size_t)r * p->ldy + c * LANES) : _mm512_setzero_ps();
    for (size_t k = 0; k < p->k_len; k++, at += p->ldb) {
        __m512 b[TILE_N];
        for (int c = 0; c < tn; c++)
            b[c] = c < tn - 1 || last == 0xFFFF ? load_stored(p->b, at + (size_t)c * LANES, p->type)
                                                : load_stored_some(last, p->b, at + (size_t)c * LANES, p->type);
        for (int r = 0; r < tm; r++) {
            __m512 v = _mm512_set1_ps(a[(size_t)r * p->lda + k]);
            for (int c = 0; c < tn; c++) sum[r][c] = _mm512_fmadd_ps(v, b[c], sum[r][c]);
        }
    }
    for (int r = 0; r < tm; r++)
        for (int c = 0; c < tn; c++) _mm512_mask_storeu_ps(y + (size_t)r * p->ldy + c * LANES, c == tn - 1 ? last : 0xFFFF, sum[r][c]);
}

INLINE void tile_rows(const product *p, size_t tm, int tn, size_t i, size_t j, __mmask16 last)
{
    switch (tm) {
    case 1: tile(p, 1, tn, i, j, last); break;
    case 2: tile(p, 2, tn, i, j, last); break;
    case 3: tile(p, 3, tn, i, j, last); break;
    case 4: tile(p, 4, tn, i, j, last); break;
    case 5: tile(p, 5, tn, i, j, last); break;
    default: tile(p, 6, tn, i, j, last); break;
    }
}

INLINE void gemm_nn(const product *p, size_t m, size_t n)
{
    size_t groups = (m + TILE_M - 1) / TILE_M;
    for (size_t g = 0, i = 0; g < groups; g++) {
        size_t tm = m / groups + (g < m % groups), j = 0;
        for (; j + TILE_N * LANES <= n; j += TILE_N * LANES) tile_rows(p, tm, TILE_N, i, j, 0xFFFF);
        for (; j < n; j += LANES) tile_rows(p, tm, 1, i, j, lanes(n - j));
        i += tm;
    }
}

#define GEMM_NN(slot, stored_type)                                                                                                     \
    void k_##slot##__x86_avx512(float *y, size_t ldy, const float *a, size_t lda, const void *b, size_t ldb, size_t m, size_t n,      \
                                size_t k_len, bool add)                                                                                \
    {                                                                                                                                  \
        gemm_nn(&(product){ y, ldy, a, lda, b, ldb, k_len, stored_type, add }, m, n);                                                  \
    }

GEMM_NN(gemm_nn_f32, STORED_F32)
GEMM_NN(gemm_nn_bf16, STORED_BF16)
GEMM_NN(gemm_nn_f16, STORED_F16)
