/* Attention's products with both sides bf16 on AMX: y (+)= a b. The CPU backend calls it through
 * the table; tiles.h has the instructions.
 *
 *   A: 16 rows of a, 32 k each, as they are packed  C[row][column] += A B, 16 x 16 f32, of y in
 *   place
 *     B: 16 columns of b, as [16 pairs of k][16 columns][2]: a page of keys or of values lies so
 *
 * Two tiles of rows by two of columns are four sums. What is less than a tile passes by a copy with
 * zeros, so that one row takes the same path as many. One output is summed so, wherever it lies:
 * steps of 32 k in ascending order, each as the instruction adds it (all even k in one chain of
 * FMA, all odd ones in another, their sum to the sum so far), zeros behind the end. */
#include <stdalign.h>
#include <stdbool.h>

#include "kernels/x86_amx/slots.h"
#include "kernels/x86_amx/tiles.h"
#include "kernels/x86_avx512_bf16/pairs.h"

enum { SIDE = 16, STEP = 32, PAIR = 2 };

typedef struct product {
    float *y;
    size_t ldy;
    const float *a;
    size_t lda;
    const uint16_t *b;
    size_t ldb, m, n, k_len;
    bool add;
    const char *next;
} product;

/* A tile where it lies, or in its copy. */
typedef struct view {
    const void *at;
    size_t stride;
} view;

static view rows_at(const product *p, size_t i, size_t k, uint16_t *copy)
{
    if (p->m - i >= SIDE) return (view){ nn_packed_at(p->a + i * p->lda, k), p->lda * sizeof(float) };
    for (size_t r = 0; r < SIDE; r++)
        _mm512_store_si512(copy + r * STEP, i + r < p->m ? _mm512_loadu_si512(nn_packed_at(p->a + (i + r) * p->lda, k))
                                                         : _mm512_setzero_si512());
    return (view){ copy, STEP * sizeof *copy };
}

/* The pair behind an odd end of k counts with its first half. */
static view columns_at(const product *p, size_t k, size_t j, uint16_t *copy)
{
    const uint16_t *b = p->b + (k / PAIR * p->ldb + j) * PAIR;
    size_t k_left = p->k_len - k, n_left = p->n - j;
    if (k_left >= STEP && n_left >= SIDE) return (view){ b, p->ldb * PAIR * sizeof *b };
    for (size_t r = 0; r < SIDE; r++) {
        bits v = _mm512_setzero_si512();
        if (r * PAIR < k_left) v = b_load_pairs(b + r * p->ldb * PAIR, n_left);
        if (r * PAIR + 1 == k_left) v = _mm512_and_si512(v, _mm512_set1_epi32(0xFFFF));
        _mm512_store_si512(copy + r * STEP, v);
    }
    return (view){ copy, STEP * sizeof *copy };
}

static bool whole_sums(const product *p, size_t i, size_t j)
{
    return p->m - i >= SIDE && p->n - j >= SIDE;
}

/* Sums that are added to; else a place for them. */
static view sums_at(const product *p, size_t i, size_t j, float *copy)
{
    const float *y = p->y + i * p->ldy + j;
    if (whole_sums(p, i, j)) return (view){ y, p->ldy * sizeof *y };
    for (size_t r = 0; r < SIDE && p->add; r++)
        _mm512_store_ps(copy + r * SIDE, i + r < p->m ? v_load_n(y + r * p->ldy, p->n - j) : v_zero());
    return (view){ copy, SIDE * sizeof *copy };
}

static void leave_sums(const product *p, size_t i, size_t j, const float *copy)
{
    for (size_t r = 0; r < SIDE && i + r < p->m && !whole_sums(p, i, j); r++)
        v_store_n(p->y + (i + r) * p->ldy + j, p->n - j, _mm512_load_ps(copy + r * SIDE));
}

#define TILE_VIEW(t, v) do { const view from_ = v; TILE_LOAD(t, from_.at, from_.stride); } while (0)
#define BEGIN_SUMS(t, v) do { if (p->add) TILE_VIEW(t, v); else TILE_ZERO(t); } while (0)
#define END_SUMS(t, v) TILE_STORE(t, (void *)(uintptr_t)(v).at, (v).stride)

static void fetch(const product *p, size_t k, size_t j)
{
    const char *at = p->next + (k / PAIR * p->ldb + j) * PAIR * sizeof(uint16_t);
    for (size_t r = 0; r < SIDE; r++)
        for (size_t line = 0; line < 2; line++)
            _mm_prefetch(at + r * p->ldb * PAIR * sizeof(uint16_t) + line * 64, _MM_HINT_T0);
}

/* Up to 32 rows from i on by up to 32 columns from j on. Tiles 0 1 / 2 3 are C: rows by columns. 4
 * and 5 are A, 6 and 7 B. */
static void add_block(const product *p, size_t i, size_t j)
{
    alignas(64) float sums[4][SIDE * SIDE];
    alignas(64) uint16_t edge[4][SIDE * STEP];
    bool rows = p->m - i > SIDE, columns = p->n - j > SIDE, corner = rows && columns;
    view y0 = sums_at(p, i, j, sums[0]), y1 = y0, y2 = y0, y3 = y0;
    if (columns) y1 = sums_at(p, i, j + SIDE, sums[1]);
    if (rows) y2 = sums_at(p, i + SIDE, j, sums[2]);
    if (corner) y3 = sums_at(p, i + SIDE, j + SIDE, sums[3]);
    BEGIN_SUMS(0, y0);
    if (columns) BEGIN_SUMS(1, y1);
    if (rows) BEGIN_SUMS(2, y2);
    if (corner) BEGIN_SUMS(3, y3);
    for (size_t k = 0; k < p->k_len; k += STEP) {
        if (p->next && i == 0) fetch(p, k, j);
        TILE_VIEW(4, rows_at(p, i, k, edge[0]));
        TILE_VIEW(6, columns_at(p, k, j, edge[1]));
        TILE_DOT(0, 4, 6);
        if (rows) TILE_VIEW(5, rows_at(p, i + SIDE, k, edge[2]));
        if (rows) TILE_DOT(2, 5, 6);
        if (columns) TILE_VIEW(7, columns_at(p, k, j + SIDE, edge[3]));
        if (columns) TILE_DOT(1, 4, 7);
        if (corner) TILE_DOT(3, 5, 7);
    }
    END_SUMS(0, y0);
    if (columns) END_SUMS(1, y1);
    if (rows) END_SUMS(2, y2);
    if (corner) END_SUMS(3, y3);
    leave_sums(p, i, j, sums[0]);
    if (columns) leave_sums(p, i, j + SIDE, sums[1]);
    if (rows) leave_sums(p, i + SIDE, j, sums[2]);
    if (corner) leave_sums(p, i + SIDE, j + SIDE, sums[3]);
}

void k_gemm_nn_bf16_bf16__x86_amx(float *y, size_t ldy, const float *a, size_t lda, const void *b, size_t ldb, size_t m,
                                  size_t n, size_t k_len, bool add, const void *next)
{
    const product p = { y, ldy, a, lda, b, ldb, m, n, k_len, add, next };
    if (!m || !n) return;
    tiles_open();
    for (size_t i = 0; i < m; i += 2 * SIDE)
        for (size_t j = 0; j < n; j += 2 * SIDE) add_block(&p, i, j);
    tiles_close();
}

void k_pack_nn_bf16__x86_amx(float *x, size_t n)
{
    nn_pack(x, n);
}

float k_exp_nn_bf16_row__x86_amx(float *s, size_t n, float *max)
{
    return nn_exp_row(s, n, max);
}
