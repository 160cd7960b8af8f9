/* The walk of y = x w^T that all types share: which tile comes when, what is packed, what is fetched ahead. Included by the gemm files of the
 * vector folders: a file gives its step along k and its packing, and everything is inlined around them. math.h lists the words.
 *
 *              k_block                     A tile is TILE_M rows of x by TILE_N rows of w, one register of sums each. One output is summed
 *        +------+------+----               so, whatever tile it lies in: k in blocks of k_block; a block in the lanes, as the step has it;
 *  TILE_N| panel|      |         w         the lanes by one tree; the blocks one after the other. That order depends on k alone.
 *        +------+------+----               Many rows: a block of TILE_N rows of w is packed into an aligned panel, which stays in the first
 *        +------+------+----               cache while the rows of x pass by, this tile's and the next's; M_BLOCK of them stay in the second.
 *  TILE_M|      |      |         x         Up to FEW_M rows: w streams by once, as it is stored, STREAM_N(m) rows at a time, all of k. */
#ifndef TERN_KERNELS_VECTOR_GEMM_WALK_H
#define TERN_KERNELS_VECTOR_GEMM_WALK_H

#include <stdalign.h>
#include <stdbool.h>

#include "kernels/vector/math.h"

enum { MOST_M = 8, M_BLOCK = 256, X_BYTES = 512 << 10, AHEAD = 512 };

/* What one tile works on. x's leading dimension is in bytes, so that the walk knows no types. */
typedef struct tile_job {
    float *y;
    size_t ldy;
    const char *x;               /* rows, from the block's first k on */
    size_t ldx;
    const char *row[TILE_N];     /* of w, from the block's first k on; beyond the last row, that one again */
    const char *panel;           /* the same rows packed */
    size_t n, k_len;             /* outputs of a row that are wanted; length of the block */
    bool first;                  /* the block's sums are stored; those of later blocks are added */
    const char *ahead;           /* packed: n_ahead rows of w that are wanted next, fetched while this tile goes on at [ahead_from, ahead_to) */
    size_t n_ahead, ldw, ahead_from, ahead_to;
    size_t turn, after_turn;     /* stored: the fetch runs AHEAD bytes before the row; from k = turn on, after_turn, into the next tile's */
} tile_job;

/* Adds to sum[i][j], i < tm, j < tn, the products of x's row i and w's row j at [k, k + step), or at [k, k_len) where not whole. */
typedef void step_fn(int tm, int tn, bool packed, vec sum[MOST_M][TILE_N], const tile_job *t, size_t k, bool whole);

/* Copies k_len numbers of the rows into the panel as the step wants them, zeros up to a whole step. */
typedef void pack_fn(char *panel, const char *const row[TILE_N], size_t k_len);

typedef struct gemm_kind {
    size_t x_bytes, w_bytes, step, k_block;
    step_fn *add_step;
    pack_fn *pack;
} gemm_kind;

typedef struct matrix {
    const char *at;
    size_t ld;                   /* bytes */
} matrix;

INLINE void fetch(int tm, int tn, bool packed, const gemm_kind *kind, const tile_job *t, size_t k)
{
    size_t x_at = k * kind->x_bytes, w_at = k * kind->w_bytes;
    for (int i = 0; packed && i < tm; i++) _mm_prefetch(t->x + (size_t)(TILE_M + i) * t->ldx + x_at, _MM_HINT_T0);
    if (packed && k >= t->ahead_from && k < t->ahead_to)
        for (size_t r = 0; r < t->n_ahead; r++) _mm_prefetch(t->ahead + r * t->ldw + w_at, _MM_HINT_T1);
    for (int j = 0; !packed && j < tn; j++) _mm_prefetch(t->row[j] + w_at + (k < t->turn ? AHEAD : t->after_turn), _MM_HINT_T0);
}

INLINE void tile(int tm, int tn, bool packed, const gemm_kind *kind, const tile_job *t)
{
    vec sum[MOST_M][TILE_N];
    size_t k = 0;
    for (int i = 0; i < tm; i++)
        for (int j = 0; j < TILE_N; j++) sum[i][j] = v_zero();
    for (; k + kind->step <= t->k_len; k += kind->step) {
        fetch(tm, tn, packed, kind, t, k);
        kind->add_step(tm, tn, packed, sum, t, k, true);
    }
    if (k < t->k_len) kind->add_step(tm, tn, packed, sum, t, k, false);
    for (int i = 0; i < tm; i++) v_store_sums(t->y + (size_t)i * t->ldy, t->n < (size_t)tn ? t->n : (size_t)tn, t->first, sum[i]);
}

INLINE void packed_tile(size_t tm, const gemm_kind *kind, const tile_job *t)
{
    if (tm == 1) tile(1, TILE_N, true, kind, t);
    else if (tm == 2) tile(2, TILE_N, true, kind, t);
    else tile(3, TILE_N, true, kind, t);
}

INLINE void set_rows(tile_job *t, const gemm_kind *kind, matrix w, size_t j, size_t n, size_t k)
{
    t->n = n - j;
    for (size_t r = 0; r < TILE_N; r++) t->row[r] = w.at + (r < t->n ? j + r : n - 1) * w.ld + k * kind->w_bytes;
}

/* What tile number i of a block fetches of the n rows that the next panel takes: several whole rows where tiles are few, else a part of one,
 * so that memory is asked evenly while the block lasts. */
INLINE void set_ahead(tile_job *t, const char *next, size_t n, size_t i, size_t tiles, size_t step)
{
    size_t rows = (TILE_N + tiles - 1) / tiles, parts = tiles / TILE_N ? tiles / TILE_N : 1;
    size_t row = i / parts * rows, part = (t->k_len / parts + step) / step * step;
    if (n > TILE_N) n = TILE_N;
    t->n_ahead = row >= n ? 0 : n - row < rows ? n - row : rows;
    t->ahead = next + row * t->ldw;
    t->ahead_from = i % parts * part;
    t->ahead_to = t->ahead_from + part;
}

/* The blocks of w in the order of the walk. While all of x's rows fit into the second cache, a row of w is read to its end before the next,
 * which spares page walks; else the rows of w pass by one block of x. */
typedef struct block_order {
    size_t rows, blocks;         /* how many TILE_N rows and k_blocks there are */
    bool along_k;
} block_order;

INLINE size_t block_row(const block_order *o, size_t at)
{
    return (o->along_k ? at / o->blocks : at % o->rows) * TILE_N;
}

INLINE size_t block_k(const block_order *o, size_t at, size_t k_block)
{
    return (o->along_k ? at % o->blocks : at / o->rows) * k_block;
}

INLINE void walk_many(const gemm_kind *kind, float *y, size_t ldy, matrix x, matrix w, size_t m, size_t n, size_t k_len)
{
    alignas(64) char panel[PANEL_BYTES];
    const block_order o = { (n + TILE_N - 1) / TILE_N, (k_len + kind->k_block - 1) / kind->k_block, m * k_len * kind->x_bytes <= X_BYTES };
    size_t tiles = (m + TILE_M - 1) / TILE_M, last = o.rows * o.blocks - 1;
    tile_job t = { .ldy = ldy, .ldx = x.ld, .panel = panel, .ldw = w.ld };
    for (size_t at = 0; at <= last; at++) {
        size_t j = block_row(&o, at), k = block_k(&o, at, kind->k_block), next_at = at < last ? at + 1 : at, next_j = block_row(&o, next_at);
        const char *next = w.at + next_j * w.ld + block_k(&o, next_at, kind->k_block) * kind->w_bytes;
        set_rows(&t, kind, w, j, n, k);
        t.k_len = k_len - k < kind->k_block ? k_len - k : kind->k_block;
        t.first = k == 0;
        kind->pack(panel, t.row, t.k_len);
        for (size_t i = 0; i < tiles; i++) {
            t.y = y + i * TILE_M * ldy + j;
            t.x = x.at + i * TILE_M * x.ld + k * kind->x_bytes;
            set_ahead(&t, next, n - next_j, i, tiles, kind->step);
            packed_tile(m - i * TILE_M, kind, &t);
        }
    }
}

/* tm rows of x by tn of w at a time, over the whole of k. */
INLINE void stream(int tm, int tn, const gemm_kind *kind, float *y, size_t ldy, matrix x, matrix w, size_t n, size_t k_len)
{
    size_t row_bytes = k_len * kind->w_bytes, ahead = AHEAD / kind->w_bytes;
    tile_job t = { .ldy = ldy, .ldx = x.ld, .after_turn = (size_t)tn * w.ld + AHEAD - row_bytes };
    for (size_t j = 0; j < n; j += (size_t)tn)
        for (size_t k = 0; k < k_len; k += kind->k_block) {
            set_rows(&t, kind, w, j, n, k);
            t.k_len = k_len - k < kind->k_block ? k_len - k : kind->k_block;
            t.first = k == 0;
            t.turn = k_len - k > ahead ? k_len - k - ahead : 0;
            t.y = y + j;
            t.x = x.at + k * kind->x_bytes;
            tile(tm, tn, false, kind, &t);
        }
}

/* The fewer rows of x, the more of w: the sums fill the registers, and memory has several rows to read from. */
INLINE void walk_few(const gemm_kind *kind, float *y, size_t ldy, matrix x, matrix w, size_t m, size_t n, size_t k_len)
{
    switch (m) {
    case 1: stream(1, STREAM_N(1), kind, y, ldy, x, w, n, k_len); break;
    case 2: stream(2, STREAM_N(2), kind, y, ldy, x, w, n, k_len); break;
    case 3: stream(3, STREAM_N(3), kind, y, ldy, x, w, n, k_len); break;
    case 4: stream(4, STREAM_N(4), kind, y, ldy, x, w, n, k_len); break;
    case 5: stream(5, STREAM_N(5), kind, y, ldy, x, w, n, k_len); break;
    case 6: stream(6, STREAM_N(6), kind, y, ldy, x, w, n, k_len); break;
    case 7: stream(7, STREAM_N(7), kind, y, ldy, x, w, n, k_len); break;
    default: stream(8, STREAM_N(8), kind, y, ldy, x, w, n, k_len); break;
    }
}

INLINE void gemm_walk(const gemm_kind *kind, float *y, size_t ldy, const void *x, size_t ldx, const void *w, size_t ldw, size_t m, size_t n, size_t k_len)
{
    matrix from = { x, ldx * kind->x_bytes }, by = { w, ldw * kind->w_bytes };
    for (size_t i = 0; i < m && !k_len; i++)
        for (size_t j = 0; j < n; j++) y[i * ldy + j] = 0;
    if (!n || !k_len) return;
    for (size_t i = 0; i < m; i += M_BLOCK, from.at += M_BLOCK * from.ld, y += M_BLOCK * ldy) {
        size_t part = m - i < M_BLOCK ? m - i : M_BLOCK;
        if (part <= FEW_M) walk_few(kind, y, ldy, from, by, part, n, k_len);
        else walk_many(kind, y, ldy, from, by, part, n, k_len);
    }
}

#endif
