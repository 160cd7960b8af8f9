/* The walk of y (+)= a b that all types of b share: which tile comes when, what is fetched ahead.
 * Included by the gemm_nn files of the vector folders: a file gives its step along k, and
 * everything is inlined around it. math.h lists the SIMD operations.
 *
 * Each pair of k spreads two rows of b over the outputs. A tile is up to NN_M rows by NN_N
 * registers of columns, or up to NN_TALL rows by NN_SLIM; a single row takes NN_WIDE. The rows of a
 * call are cut evenly, 14 into 5 + 5 + 4. What is wanted next is fetched by the first tiles that
 * pass over b, at b's own pace. */
#ifndef TERN_KERNELS_VECTOR_GEMM_NN_WALK_H
#define TERN_KERNELS_VECTOR_GEMM_NN_WALK_H

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
    /* null: nothing; fetched line by line, ahead_ld bytes further on for every two k */
    const char *ahead;
    size_t ahead_ld;
} product;

/* Adds to sum[r][c], r < tm, c < tn, the products of a's row r and the rows k and, where both, k +
 * 1 of b. k is even; from column j on there are left columns in the last register. */
typedef void nn_add_fn(const product *p, int tm, int tn, vec sum[NN_TALL][NN_WIDE], const float *a,
                       size_t k, bool both, size_t j, size_t left);

/* The lines of two k under tn registers of columns. */
INLINE void nn_fetch(const product *p, int tn, size_t k, size_t j, bool wide)
{
    enum { LINE = 64 };
    size_t size = wide ? sizeof(float) : sizeof(uint16_t);
    const char *at = p->ahead + k / 2 * p->ahead_ld + 2 * j * size;
    for (size_t line = 0; line < 2 * (size_t)tn * LANES * size; line += LINE)
        _mm_prefetch(at + line, _MM_HINT_T0);
}

/* Rows [i, i + tm), tn registers of columns from j; the last one has left columns. */
INLINE void nn_tile(nn_add_fn *add, const product *p, int tm, int tn, size_t i, size_t j,
                    size_t left, bool fetch, bool wide)
{
    vec sum[NN_TALL][NN_WIDE];
    const float *a = p->a + i * p->lda;
    float *y = p->y + i * p->ldy + j;
    size_t k = 0;
    for (int r = 0; r < tm; r++)
        for (int c = 0; c < tn; c++) {
            if (p->add)
                sum[r][c] = v_load_n(y + (size_t)r * p->ldy + c * LANES, c < tn - 1 ? LANES : left);
            else sum[r][c] = v_zero();
        }
    for (; k + 2 <= p->k_len; k += 2) {
        if (fetch) nn_fetch(p, tn, k, j, wide);
        add(p, tm, tn, sum, a, k, true, j, left);
    }
    if (k < p->k_len) add(p, tm, tn, sum, a, k, false, j, left);
    for (int r = 0; r < tm; r++)
        for (int c = 0; c < tn; c++)
            v_store_n(y + (size_t)r * p->ldy + c * LANES, c < tn - 1 ? LANES : left, sum[r][c]);
}

INLINE void nn_tile_of(nn_add_fn *add, const product *p, size_t tm, int tn, size_t i, size_t j,
                       size_t left, bool fetch, bool wide)
{
    switch (tm) {
    case 1: nn_tile(add, p, 1, tn, i, j, left, fetch, wide); break;
    case 2: nn_tile(add, p, 2, tn, i, j, left, fetch, wide); break;
    case 3: nn_tile(add, p, 3, tn, i, j, left, fetch, wide); break;
    case 4: nn_tile(add, p, 4, tn, i, j, left, fetch, wide); break;
    case 5: nn_tile(add, p, 5, tn, i, j, left, fetch, wide); break;
    default: nn_tile(add, p, 6, tn, i, j, left, fetch, wide); break;
    }
}

INLINE void nn_tall(nn_add_fn *add, const product *p, size_t tm, int tn, size_t i, size_t j,
                    size_t left, bool fetch, bool wide)
{
    if (tm == 7) nn_tile(add, p, 7, tn, i, j, left, fetch, wide);
    else nn_tile(add, p, 8, tn, i, j, left, fetch, wide);
}

INLINE void nn_rows(nn_add_fn *add, const product *p, size_t tm, size_t i, size_t n, bool fetch,
                    bool wide)
{
    size_t j = 0;
    if (tm > NN_M) {
        for (; j + NN_SLIM * LANES <= n; j += NN_SLIM * LANES)
            nn_tall(add, p, tm, NN_SLIM, i, j, LANES, fetch, wide);
        for (; j < n; j += LANES) nn_tall(add, p, tm, 1, i, j, n - j, fetch, wide);
        return;
    }
    for (; tm == 1 && j + NN_WIDE * LANES <= n; j += NN_WIDE * LANES)
        nn_tile(add, p, 1, NN_WIDE, i, j, LANES, fetch, wide);
    for (; j + NN_N * LANES <= n; j += NN_N * LANES)
        nn_tile_of(add, p, tm, NN_N, i, j, LANES, fetch, wide);
    for (; NN_SLIM > 1 && j + NN_SLIM * LANES <= n; j += NN_SLIM * LANES)
        nn_tile_of(add, p, tm, NN_SLIM, i, j, LANES, fetch, wide);
    for (; j < n; j += LANES) nn_tile_of(add, p, tm, 1, i, j, n - j, fetch, wide);
}

/* wide: what is fetched ahead is f32. */
INLINE void nn_groups(nn_add_fn *add, const product *p, size_t m, size_t n, bool wide)
{
    /* few columns leave registers for rows */
    size_t most = m <= NN_TALL || n <= NN_SLIM * LANES ? NN_TALL : NN_M,
        groups = (m + most - 1) / most;
    for (size_t g = 0, i = 0; g < groups && m; g++) {
        size_t tm = m / groups + (g < m % groups);
        if (g == 0 && p->ahead) nn_rows(add, p, tm, i, n, true, wide);
        else nn_rows(add, p, tm, i, n, false, wide);
        i += tm;
    }
}

#endif
