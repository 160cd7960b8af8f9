/* Attention's products with both sides bf16 by VDPBF16PS, which adds the products of a pair of k to
 * each of 16 columns. The CPU backend calls it through the table; kernels/vector/gemm_nn_walk.h has
 * the order of the tiles. Every output is one chain over the pairs in ascending order. */
#include <string.h>

#include "kernels/x86_avx512/simd.h"
#include "kernels/x86_avx512_bf16/pairs.h"
#include "kernels/x86_avx512_bf16/slots.h"

#include "kernels/vector/gemm_nn_walk.h"

/* What lies behind an odd k counts as zero in b, and is zero in a. */
INLINE void add_pairs(const product *p, int tm, int tn, vec sum[NN_TALL][NN_WIDE], const float *a, size_t k, bool both,
                      size_t j, size_t left)
{
    bits b[NN_WIDE];
    for (int c = 0; c < tn; c++) {
        b[c] = b_load_pairs(p->b + (k / 2 * p->ldb + j + (size_t)c * LANES) * 2 * sizeof(uint16_t),
                            c < tn - 1 ? LANES : left);
        if (!both) b[c] = _mm512_and_si512(b[c], _mm512_set1_epi32(0xFFFF));
    }
    for (int r = 0; r < tm; r++) {
        int32_t pair;
        memcpy(&pair, nn_packed_at(a + (size_t)r * p->lda, k), sizeof pair);
        bits v = _mm512_set1_epi32(pair);
        for (int c = 0; c < tn; c++) sum[r][c] = _mm512_dpbf16_ps(sum[r][c], (__m512bh)v, (__m512bh)b[c]);
    }
}

void k_gemm_nn_bf16_bf16__x86_avx512_bf16(float *y, size_t ldy, const float *a, size_t lda, const void *b, size_t ldb,
                                          size_t m, size_t n, size_t k_len, bool add, const void *next)
{
    nn_groups(add_pairs, &(product){ y, ldy, a, lda, b, ldb, k_len, STORED_BF16, add, next,
                                     2 * ldb * sizeof(uint16_t) }, m, n, false);
}

void k_pack_nn_bf16__x86_avx512_bf16(float *x, size_t n)
{
    nn_pack(x, n);
}

float k_exp_nn_bf16_row__x86_avx512_bf16(float *s, size_t n, float *max)
{
    return nn_exp_row(s, n, max);
}
