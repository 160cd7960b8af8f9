/* y (+)= a b, b [k, n] f32 or f16, or bf16 in pairs: every output is one FMA chain in ascending k.
 * Each vector folder compiles this for itself; gemm_nn_walk.h has the order of the tiles, math.h
 * lists the SIMD operations.
 *
 * Where b is to be widened for several tiles, a block of it is widened once, into a panel: the
 * chains stop in y and go on from there. a that is to be bf16 is packed as f32 that was rounded to
 * bf16, because products of two bf16 are exact in f32. */
#include "kernels/vector/gemm_nn_walk.h"

/* LANES columns of row k from column j on; odd says what k is. */
INLINE vec nn_load(const product *p, size_t k, bool odd, size_t j, size_t left)
{
    if (p->type != STORED_BF16) return v_load_stored(p->b, k * p->ldb + j, left, p->type);
    bits pair = b_load_pairs(p->b + (k / 2 * p->ldb + j) * 2 * sizeof(uint16_t), left);
    return odd ? v_odd(pair) : v_even(pair);
}

INLINE void nn_step(const product *p, int tm, int tn, vec sum[NN_TALL][NN_WIDE], const float *a,
                    size_t k, bool odd, size_t j, size_t left)
{
    vec b[NN_WIDE];
    for (int c = 0; c < tn; c++)
        b[c] = nn_load(p, k, odd, j + (size_t)c * LANES, c < tn - 1 ? LANES : left);
    for (int r = 0; r < tm; r++) {
        vec v = v_all(a[(size_t)r * p->lda + k]);
        for (int c = 0; c < tn; c++) sum[r][c] = v_fma(v, b[c], sum[r][c]);
    }
}

INLINE void nn_add(const product *p, int tm, int tn, vec sum[NN_TALL][NN_WIDE], const float *a,
                   size_t k, bool both, size_t j, size_t left)
{
    nn_step(p, tm, tn, sum, a, k, false, j, left);
    if (both) nn_step(p, tm, tn, sum, a, k + 1, true, j, left);
}

enum { NN_WIDTH = NN_N * LANES, NN_K_BLOCK = 16384 / sizeof(float) / NN_WIDTH };

/* Columns [j, j + n), n at most NN_WIDTH, by way of panels. */
INLINE void nn_panels(const product *p, size_t m, size_t j, size_t n)
{
    alignas(64) float panel[NN_K_BLOCK * NN_WIDTH];
    for (size_t k = 0; k < p->k_len; k += NN_K_BLOCK) {
        size_t k_len = p->k_len - k < NN_K_BLOCK ? p->k_len - k : NN_K_BLOCK;
        product part = { p->y + j, p->ldy, p->a + k, p->lda, (const char *)panel, NN_WIDTH, k_len,
                         STORED_F32, p->add || k, p->ahead, p->ahead_ld };
        if (p->ahead) part.ahead += k / 2 * p->ahead_ld + 2 * j * sizeof(uint16_t);
        for (size_t i = 0; i < k_len; i += 2)
            for (size_t c = 0; c < n; c += LANES) {
                v_store_n(panel + i * NN_WIDTH + c, LANES, nn_load(p, k + i, false, j + c, n - c));
                if (i + 1 < k_len)
                    v_store_n(panel + (i + 1) * NN_WIDTH + c, LANES,
                              nn_load(p, k + i + 1, true, j + c, n - c));
            }
        nn_groups(nn_add, &part, m, n, false);
    }
}

INLINE void nn_walk(const product *p, size_t m, size_t n)
{
    if (p->type == STORED_F32 || m <= NN_TALL || !p->k_len)
        nn_groups(nn_add, p, m, n, p->type == STORED_F32);
    else
        for (size_t j = 0; j < n; j += NN_WIDTH)
            nn_panels(p, m, j, n - j < NN_WIDTH ? n - j : NN_WIDTH);
}

#define GEMM_NN(slot, stored_type, size)                                                      \
    void K(slot)(float *y, size_t ldy, const float *a, size_t lda, const void *b, size_t ldb, \
                 size_t m, size_t n, size_t k_len, bool add, const void *next)                \
    {                                                                                         \
        nn_walk(&(product){ y, ldy, a, lda, b, ldb, k_len, stored_type, add, next,            \
                            2 * ldb * (size) }, m, n);                                        \
    }

GEMM_NN(gemm_nn_f32, STORED_F32, sizeof(float))
GEMM_NN(gemm_nn_bf16, STORED_BF16, sizeof(uint16_t))
GEMM_NN(gemm_nn_f16, STORED_F16, sizeof(uint16_t))

void K(gemm_nn_bf16_bf16)(float *y, size_t ldy, const float *a, size_t lda, const void *b,
                          size_t ldb, size_t m, size_t n, size_t k_len, bool add, const void *next)
{
    K(gemm_nn_bf16)(y, ldy, a, lda, b, ldb, m, n, k_len, add, next);
}

void K(pack_nn_bf16)(float *x, size_t n)
{
    for (size_t i = 0; i < (n + NN_CELL - 1) / NN_CELL * NN_CELL; i += LANES)
        v_store_n(x + i, LANES, v_round_bf16(v_load_n(x + i, i < n ? n - i : 0)));
}
