/* y (+)= a b, b [k, n] f32, bf16 or f16: each k spreads one row of b over the outputs, so that every output is one FMA chain in ascending k.
 * Each vector folder compiles this for itself; math.h lists the words.
 *
 * A tile is NN_M rows by NN_N registers of columns; the rows of a call are cut evenly, 8 into 4 + 4. A single row takes NN_WIDE registers.
 * Where b is to be widened for several tiles, a block of it is widened once, into a panel: the chains stop in y and go on from there. */
#include <stdalign.h>
#include <stdbool.h>

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

/* Rows [i, i + tm), tn registers of columns from j; the last one has left columns. */
INLINE void nn_tile(const product *p, int tm, int tn, size_t i, size_t j, size_t left)
{
    vec sum[NN_M][NN_WIDE];
    const float *a = p->a + i * p->lda;
    float *y = p->y + i * p->ldy + j;
    size_t at = j;
    for (int r = 0; r < tm; r++)
        for (int c = 0; c < tn; c++) sum[r][c] = p->add ? v_load_n(y + (size_t)r * p->ldy + c * LANES, c < tn - 1 ? LANES : left) : v_zero();
    for (size_t k = 0; k < p->k_len; k++, at += p->ldb) {
        vec b[NN_WIDE];
        for (int c = 0; c < tn; c++) b[c] = v_load_stored(p->b, at + (size_t)c * LANES, c < tn - 1 ? LANES : left, p->type);
        for (int r = 0; r < tm; r++) {
            vec v = v_all(a[(size_t)r * p->lda + k]);
            for (int c = 0; c < tn; c++) sum[r][c] = v_fma(v, b[c], sum[r][c]);
        }
    }
    for (int r = 0; r < tm; r++)
        for (int c = 0; c < tn; c++) v_store_n(y + (size_t)r * p->ldy + c * LANES, c < tn - 1 ? LANES : left, sum[r][c]);
}

INLINE void nn_tile_of(const product *p, size_t tm, int tn, size_t i, size_t j, size_t left)
{
    switch (tm) {
    case 1: nn_tile(p, 1, tn, i, j, left); break;
    case 2: nn_tile(p, 2, tn, i, j, left); break;
    case 3: nn_tile(p, 3, tn, i, j, left); break;
    case 4: nn_tile(p, 4, tn, i, j, left); break;
    case 5: nn_tile(p, 5, tn, i, j, left); break;
    default: nn_tile(p, 6, tn, i, j, left); break;
    }
}

INLINE void nn_rows(const product *p, size_t tm, size_t i, size_t n)
{
    size_t j = 0;
    for (; tm == 1 && j + NN_WIDE * LANES <= n; j += NN_WIDE * LANES) nn_tile(p, 1, NN_WIDE, i, j, LANES);
    for (; j + NN_N * LANES <= n; j += NN_N * LANES) nn_tile_of(p, tm, NN_N, i, j, LANES);
    for (; j < n; j += LANES) nn_tile_of(p, tm, 1, i, j, n - j);
}

INLINE void nn_groups(const product *p, size_t m, size_t n)
{
    size_t groups = (m + NN_M - 1) / NN_M;
    for (size_t g = 0, i = 0; g < groups; g++) {
        size_t tm = m / groups + (g < m % groups);
        nn_rows(p, tm, i, n);
        i += tm;
    }
}

enum { NN_WIDTH = NN_N * LANES, NN_K_BLOCK = 16384 / sizeof(float) / NN_WIDTH };

/* Columns [j, j + n), n at most NN_WIDTH, by way of panels. */
INLINE void nn_panels(const product *p, size_t m, size_t j, size_t n)
{
    alignas(64) float panel[NN_K_BLOCK * NN_WIDTH];
    for (size_t k = 0; k < p->k_len; k += NN_K_BLOCK) {
        size_t k_len = p->k_len - k < NN_K_BLOCK ? p->k_len - k : NN_K_BLOCK;
        product part = { p->y + j, p->ldy, p->a + k, p->lda, panel, NN_WIDTH, k_len, STORED_F32, p->add || k };
        for (size_t i = 0; i < k_len; i++)
            for (size_t c = 0; c < n; c += LANES)
                v_store_n(panel + i * NN_WIDTH + c, LANES, v_load_stored(p->b, (k + i) * p->ldb + j + c, n - c, p->type));
        nn_groups(&part, m, n);
    }
}

INLINE void nn_walk(const product *p, size_t m, size_t n)
{
    if (p->type == STORED_F32 || m <= NN_M || !p->k_len) nn_groups(p, m, n);
    else
        for (size_t j = 0; j < n; j += NN_WIDTH) nn_panels(p, m, j, n - j < NN_WIDTH ? n - j : NN_WIDTH);
}

#define GEMM_NN(slot, stored_type)                                                                                                               \
    void K(slot)(float *y, size_t ldy, const float *a, size_t lda, const void *b, size_t ldb, size_t m, size_t n, size_t k_len, bool add)        \
    {                                                                                                                                            \
        nn_walk(&(product){ y, ldy, a, lda, b, ldb, k_len, stored_type, add }, m, n);                                                            \
    }

GEMM_NN(gemm_nn_f32, STORED_F32)
GEMM_NN(gemm_nn_bf16, STORED_BF16)
GEMM_NN(gemm_nn_f16, STORED_F16)
