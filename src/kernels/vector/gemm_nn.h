/* y (+)= a b, b [k, n] f32 or f16, or bf16 in pairs: each k spreads one row of b over the outputs, so that every output is one FMA chain in
 * ascending k. Each vector folder compiles this for itself; math.h lists the words.
 *
 * A tile is up to NN_M rows by NN_N registers of columns, or up to NN_TALL rows by NN_SLIM; a single row takes NN_WIDE. The rows of a call are
 * cut evenly, 14 into 5 + 5 + 4. Where b is to be widened for several tiles, a block of it is widened once, into a panel: the chains stop in y
 * and go on from there. What is wanted next is fetched by the first tiles that pass over b, at b's own pace. */
#include <stdalign.h>
#include <stdbool.h>

typedef struct product {
    float *y;
    size_t ldy;
    const float *a;
    size_t lda;
    const char *b;
    size_t ldb, k_len;
    stored type;         /* bf16: in pairs */
    bool add;
    const char *ahead;   /* null: nothing; fetched line by line, ahead_ld bytes further on for every two k */
    size_t ahead_ld;
} product;

/* LANES columns of row k from column j on; odd says what k is. */
INLINE vec nn_load(const product *p, size_t k, bool odd, size_t j, size_t left)
{
    if (p->type != STORED_BF16) return v_load_stored(p->b, k * p->ldb + j, left, p->type);
    bits pair = b_load_pairs(p->b + (k / 2 * p->ldb + j) * 2 * sizeof(uint16_t), left);
    return odd ? v_odd(pair) : v_even(pair);
}

INLINE void nn_step(const product *p, int tm, int tn, vec sum[NN_TALL][NN_WIDE], const float *a, size_t k, bool odd, size_t j, size_t left)
{
    vec b[NN_WIDE];
    for (int c = 0; c < tn; c++) b[c] = nn_load(p, k, odd, j + (size_t)c * LANES, c < tn - 1 ? LANES : left);
    for (int r = 0; r < tm; r++) {
        vec v = v_all(a[(size_t)r * p->lda + k]);
        for (int c = 0; c < tn; c++) sum[r][c] = v_fma(v, b[c], sum[r][c]);
    }
}

/* The lines of two k under tn registers of columns. */
INLINE void nn_fetch(const product *p, int tn, size_t k, size_t j, bool wide)
{
    enum { LINE = 64 };
    size_t size = wide ? sizeof(float) : sizeof(uint16_t);
    const char *at = p->ahead + k / 2 * p->ahead_ld + 2 * j * size;
    for (size_t line = 0; line < 2 * (size_t)tn * LANES * size; line += LINE) _mm_prefetch(at + line, _MM_HINT_T0);
}

/* Rows [i, i + tm), tn registers of columns from j; the last one has left columns. */
INLINE void nn_tile(const product *p, int tm, int tn, size_t i, size_t j, size_t left, bool fetch, bool wide)
{
    vec sum[NN_TALL][NN_WIDE];
    const float *a = p->a + i * p->lda;
    float *y = p->y + i * p->ldy + j;
    size_t k = 0;
    for (int r = 0; r < tm; r++)
        for (int c = 0; c < tn; c++) sum[r][c] = p->add ? v_load_n(y + (size_t)r * p->ldy + c * LANES, c < tn - 1 ? LANES : left) : v_zero();
    for (; k + 2 <= p->k_len; k += 2) {
        if (fetch) nn_fetch(p, tn, k, j, wide);
        nn_step(p, tm, tn, sum, a, k, false, j, left);
        nn_step(p, tm, tn, sum, a, k + 1, true, j, left);
    }
    if (k < p->k_len) nn_step(p, tm, tn, sum, a, k, false, j, left);
    for (int r = 0; r < tm; r++)
        for (int c = 0; c < tn; c++) v_store_n(y + (size_t)r * p->ldy + c * LANES, c < tn - 1 ? LANES : left, sum[r][c]);
}

INLINE void nn_tile_of(const product *p, size_t tm, int tn, size_t i, size_t j, size_t left, bool fetch, bool wide)
{
    switch (tm) {
    case 1: nn_tile(p, 1, tn, i, j, left, fetch, wide); break;
    case 2: nn_tile(p, 2, tn, i, j, left, fetch, wide); break;
    case 3: nn_tile(p, 3, tn, i, j, left, fetch, wide); break;
    case 4: nn_tile(p, 4, tn, i, j, left, fetch, wide); break;
    case 5: nn_tile(p, 5, tn, i, j, left, fetch, wide); break;
    default: nn_tile(p, 6, tn, i, j, left, fetch, wide); break;
    }
}

INLINE void nn_tall(const product *p, size_t tm, int tn, size_t i, size_t j, size_t left, bool fetch, bool wide)
{
    if (tm == 7) nn_tile(p, 7, tn, i, j, left, fetch, wide);
    else nn_tile(p, 8, tn, i, j, left, fetch, wide);
}

INLINE void nn_rows(const product *p, size_t tm, size_t i, size_t n, bool fetch, bool wide)
{
    size_t j = 0;
    if (tm > NN_M) {
        for (; j + NN_SLIM * LANES <= n; j += NN_SLIM * LANES) nn_tall(p, tm, NN_SLIM, i, j, LANES, fetch, wide);
        for (; j < n; j += LANES) nn_tall(p, tm, 1, i, j, n - j, fetch, wide);
        return;
    }
    for (; tm == 1 && j + NN_WIDE * LANES <= n; j += NN_WIDE * LANES) nn_tile(p, 1, NN_WIDE, i, j, LANES, fetch, wide);
    for (; j + NN_N * LANES <= n; j += NN_N * LANES) nn_tile_of(p, tm, NN_N, i, j, LANES, fetch, wide);
    for (; j < n; j += LANES) nn_tile_of(p, tm, 1, i, j, n - j, fetch, wide);
}

/* wide: what is fetched ahead is f32. */
INLINE void nn_groups(const product *p, size_t m, size_t n, bool wide)
{
    size_t groups = m <= NN_TALL ? 1 : (m + NN_M - 1) / NN_M;
    for (size_t g = 0, i = 0; g < groups && m; g++) {
        size_t tm = m / groups + (g < m % groups);
        if (g == 0 && p->ahead) nn_rows(p, tm, i, n, true, wide);
        else nn_rows(p, tm, i, n, false, wide);
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
        product part = { p->y + j, p->ldy, p->a + k, p->lda, (const char *)panel, NN_WIDTH, k_len, STORED_F32, p->add || k, p->ahead, p->ahead_ld };
        if (p->ahead) part.ahead += k / 2 * p->ahead_ld + 2 * j * sizeof(uint16_t);
        for (size_t i = 0; i < k_len; i += 2)
            for (size_t c = 0; c < n; c += LANES) {
                v_store_n(panel + i * NN_WIDTH + c, LANES, nn_load(p, k + i, false, j + c, n - c));
                if (i + 1 < k_len) v_store_n(panel + (i + 1) * NN_WIDTH + c, LANES, nn_load(p, k + i + 1, true, j + c, n - c));
            }
        nn_groups(&part, m, n, false);
    }
}

INLINE void nn_walk(const product *p, size_t m, size_t n)
{
    if (p->type == STORED_F32 || m <= NN_TALL || !p->k_len) nn_groups(p, m, n, p->type == STORED_F32);
    else
        for (size_t j = 0; j < n; j += NN_WIDTH) nn_panels(p, m, j, n - j < NN_WIDTH ? n - j : NN_WIDTH);
}

#define GEMM_NN(slot, stored_type, size)                                                                                                         \
    void K(slot)(float *y, size_t ldy, const float *a, size_t lda, const void *b, size_t ldb, size_t m, size_t n, size_t k_len, bool add,        \
                 const void *next)                                                                                                               \
    {                                                                                                                                            \
        nn_walk(&(product){ y, ldy, a, lda, b, ldb, k_len, stored_type, add, next, 2 * ldb * (size) }, m, n);                                    \
    }

GEMM_NN(gemm_nn_f32, STORED_F32, sizeof(float))
GEMM_NN(gemm_nn_bf16, STORED_BF16, sizeof(uint16_t))
GEMM_NN(gemm_nn_f16, STORED_F16, sizeof(uint16_t))
