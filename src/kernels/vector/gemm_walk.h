/* The walk of y = x w^T that all types share: which tile comes when, what is packed, what is
 * fetched ahead. Included by the gemm files of the vector folders: a file gives its step along k,
 * and everything is inlined around it. math.h lists the SIMD operations.
 *
 *   part  A tile is some rows of x by some rows of w, one register of sums each. One output is
 *         summed so,
 *   +------+------+----  whatever tile it lies in: k in blocks, of a length that depends on k alone
 *                        (block_of); a block in
 *   tile |  |  |  w  the lanes, as the step has it; the lanes by one tree; the blocks one after the
 *           other.
 *   +------+------+----  A block is walked in parts that the first cache holds. Between two parts
 *                        of a tile its sums lie in
 *       +------+------+----      memory, lane by lane, so that the length of a part changes no bit.
 *   tile |  |  |  x  Many rows: the first tile packs a part of TILE_N rows of w into an aligned
 *           panel, by which the others pass.
 *   +------+------+----  Up to FEW_M rows: a part of x stays, and STREAM_GROUP(m) tiles of w pass
 *                        by, read as they are stored.
 *                                          One row: gemm_one.h.
 *
 * x is packed: strips of TILE_M rows (up to FEW_M rows: one strip of all), each [k /
 * STEP][rows][STEP], zeros behind the end of k. */
#ifndef TERN_KERNELS_VECTOR_GEMM_WALK_H
#define TERN_KERNELS_VECTOR_GEMM_WALK_H

#include <stdalign.h>
#include <stdbool.h>

#include "kernels/vector/math.h"

enum { STEP = 2 * LANES, MOST_M = 8, MOST_BLOCK = 2048, BLOCK_UNIT = 32 };

/* What one tile works on: a part of k of some rows. */
typedef struct tile_job {
    float *y;
    size_t ldy;
    const char *x;               /* a strip, from the part's first k on */
    /* the strip that comes next, fetched while this tile goes on; NULL up to FEW_STRIPS, which stay
     * in the first cache */
    const char *next_x;
    /* of w, from the part's first k on; beyond the last row, that one again */
    const char *row[TILE_N];
    char *panel;                 /* the same rows packed */
    const float *from;           /* the tile's sums so far */
    float *acc;                 /* where they wait for the block's next part */
    size_t n, k_len;             /* outputs of a row that are wanted; length of the part */
    bool ends;                   /* it is the last part of its block */
    bool first;                  /* the block's sums are stored; those of later blocks are added */
    /* n_ahead rows of w that are wanted soon, fetched while this tile goes on at [ahead_from,
     * ahead_to) */
    const char *ahead;
    size_t n_ahead, ldw, ahead_from, ahead_to;
} tile_job;

/* Where a tile takes its rows of w from: as they are stored; the same, and it fills the panel,
 * zeros up to a whole step; the panel. */
typedef enum source { STORED, FILLING, PANEL } source;

/* Adds to sum[i][j], i < tm, j < tn, the products of x's row i and w's row j at [k, k + STEP), or
 * at [k, k_len) where not whole. */
typedef void step_fn(int tm, int tn, source from, vec sum[MOST_M][TILE_N], const tile_job *t,
                     size_t k, bool whole);

typedef struct gemm_kind {
    /* of a number of x as packed, of w as stored, of w as packed */
    size_t x_bytes, w_bytes, panel_bytes;
    step_fn *add_step;
} gemm_kind;

typedef struct matrix {
    const char *at;
    size_t ld;                   /* bytes */
} matrix;

INLINE size_t rounded_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* Where x's row i begins at k: rows is the height of the strip. */
INLINE const char *x_at(const tile_job *t, size_t x_bytes, int rows, int i, size_t k)
{
    return t->x + (k * (size_t)rows + (size_t)i * STEP) * x_bytes;
}

enum { LINE = 64 };

/* Sums must stay in registers: gcc keeps an array there only where every loop over it is gone
 * before it looks at arrays. */
#define UNROLLED _Pragma("GCC unroll 16")

/* The hint of a prefetch must be a constant, even before anything is inlined. */
INLINE void fetch_line(const char *at, bool first_cache)
{
    if (first_cache) _mm_prefetch(at, _MM_HINT_T0);
    else _mm_prefetch(at, _MM_HINT_T1);
}

INLINE void fetch(int tm, int tn, source from, const gemm_kind *kind, const tile_job *t, size_t k)
{
    const char *w = t->ahead + k * kind->w_bytes;
    for (size_t at = 0; from == PANEL && t->next_x &&
         at < (size_t)tm * STEP * kind->x_bytes; at += LINE)
        fetch_line(t->next_x + k * TILE_M * kind->x_bytes + at, true);
    if (from != STORED && (k < t->ahead_from || k >= t->ahead_to)) return;
    for (size_t at = 0; at < STEP * kind->w_bytes; at += LINE)
        for (size_t r = 0; r < (from != STORED ? t->n_ahead : (size_t)tn); r++)
            fetch_line(w + r * t->ldw + at, from == STORED && STREAM_NEAR(tm));
}

static const float no_sums[MOST_M * TILE_N * LANES];

INLINE void take_sums(int tm, int tn, vec sum[MOST_M][TILE_N], const float *from)
{
    UNROLLED for (int i = 0; i < tm; i++)
        UNROLLED for (int j = 0; j < tn; j++)
            sum[i][j] = v_load_n(from + (i * tn + j) * LANES, LANES);
}

INLINE void keep_sums(int tm, int tn, float *acc, vec sum[MOST_M][TILE_N])
{
    UNROLLED for (int i = 0; i < tm; i++)
        UNROLLED for (int j = 0; j < tn; j++)
            v_store_n(acc + (i * tn + j) * LANES, LANES, sum[i][j]);
}

/* The step behind the last whole one. Its registers are its own: in the loop's they would keep all
 * sums in memory. */
INLINE void rest_of_part(int tm, int tn, source from, const gemm_kind *kind, const tile_job *t,
                         size_t k)
{
    vec sum[MOST_M][TILE_N];
    take_sums(tm, tn, sum, t->acc);
    kind->add_step(tm, tn, from, sum, t, k, false);
    keep_sums(tm, tn, t->acc, sum);
}

/* A block's sums, lane by lane in memory, to outputs: TILE_N at once, though a row of the tile may
 * have fewer. */
INLINE void end_block(int tm, int tn, const tile_job *t)
{
    alignas(64) float total[MOST_M * TILE_N];
    size_t n = t->n < (size_t)tn ? t->n : (size_t)tn;
    for (int at = 0; at < tm * tn; at += TILE_N) {
        vec sum[TILE_N];
        UNROLLED for (int j = 0; j < TILE_N; j++)
            sum[j] = at + j < tm * tn ? v_load_n(t->acc + (at + j) * LANES, LANES) : v_zero();
        if (tn == TILE_N) v_store_sums(t->y + (size_t)(at / tn) * t->ldy, n, t->first, sum);
        else v_store_sums(total + at, TILE_N, true, sum);
    }
    for (int i = 0; i < tm && tn < TILE_N; i++)
        for (size_t j = 0; j < n; j++) {
            float *y = t->y + (size_t)i * t->ldy + j, v = total[(size_t)(i * tn) + j];
            *y = t->first ? v : *y + v;
        }
}

INLINE void tile(int tm, int tn, source from, const gemm_kind *kind, const tile_job *t)
{
    vec sum[MOST_M][TILE_N];
    size_t k = 0;
    take_sums(tm, tn, sum, t->from);
    for (; k + STEP <= t->k_len; k += STEP) {
        fetch(tm, tn, from, kind, t, k);
        kind->add_step(tm, tn, from, sum, t, k, true);
    }
    keep_sums(tm, tn, t->acc, sum);
    if (k < t->k_len) rest_of_part(tm, tn, from, kind, t, k);
    if (t->ends) end_block(tm, tn, t);
}

/* ---- The parts of w -------------------------------------------------------------------------- */

/* How k is cut. */
typedef struct cut {
    size_t k_len, block, part;
} cut;

/* A part of tn rows of w from row j on, in the block that begins at block. */
typedef struct place {
    size_t j, block, k;
} place;

/* The length of a block: k cut evenly. It decides bits, so that nothing but k may enter. */
INLINE size_t block_of(size_t k_len)
{
    size_t blocks = (k_len + MOST_BLOCK - 1) / MOST_BLOCK;
    return rounded_up((k_len + blocks - 1) / blocks, BLOCK_UNIT);
}

INLINE cut cut_of(size_t k_len, size_t most_part)
{
    cut c = { .k_len = k_len, .block = block_of(k_len) };
    size_t parts = (c.block + most_part - 1) / most_part;
    c.part = rounded_up((c.block + parts - 1) / parts, STEP);
    return c;
}

INLINE size_t end_of_block(const cut *c, size_t block)
{
    return block + c->block < c->k_len ? block + c->block : c->k_len;
}

INLINE void set_part(tile_job *t, const gemm_kind *kind, const cut *c, matrix w, size_t n,
                     size_t tn, place p)
{
    size_t left = end_of_block(c, p.block) - p.k;
    t->n = n - p.j;
    t->k_len = left < c->part ? left : c->part;
    t->ends = left <= c->part;
    t->first = p.block == 0;
    for (size_t r = 0; r < tn; r++)
        t->row[r] = w.at + (r < t->n ? p.j + r : n - 1) * w.ld + p.k * kind->w_bytes;
}

/* ---- Many rows, few rows --------------------------------------------------------------------- */

/* What comes after: the next part of the block, the next rows, the next block, and at the end what
 * lies behind all of k. */
INLINE place after(const cut *c, size_t n, place p)
{
    if (p.k + c->part < end_of_block(c, p.block)) return (place){ p.j, p.block, p.k + c->part };
    if (p.j + TILE_N < n) return (place){ p.j + TILE_N, p.block, p.block };
    return (place){ 0, p.block + c->block, p.block + c->block };
}

/* How the tiles of a part share in fetching TILE_N rows of the next one, so that memory is asked
 * evenly: each takes several whole rows where tiles are few, else a piece of one. */
typedef struct share {
    size_t rows, pieces, piece;    /* of a tile; of a row; the length of one */
} share;

INLINE share share_of(const cut *c, size_t tiles)
{
    share s = { .rows = (TILE_N + tiles - 1) / tiles,
                .pieces = tiles / TILE_N ? tiles / TILE_N : 1 };
    s.piece = (c->part / s.pieces + STEP) / STEP * STEP;
    return s;
}

/* For the tile that takes the given piece of the row, of n there are. */
INLINE void set_ahead(tile_job *t, const share *s, const char *at, size_t n, size_t row,
                      size_t piece)
{
    if (row >= n) t->n_ahead = 0;
    else if (n - row < s->rows) t->n_ahead = n - row;
    else t->n_ahead = s->rows;
    t->ahead = at + row * t->ldw;
    t->ahead_from = piece * s->piece;
    t->ahead_to = t->ahead_from + s->piece;
}

INLINE void packed_tile(size_t tm, source from, const gemm_kind *kind, const tile_job *t)
{
    if (tm == 1) tile(1, TILE_N, from, kind, t);
    else if (tm == 2) tile(2, TILE_N, from, kind, t);
    else tile(3, TILE_N, from, kind, t);
}

INLINE void walk_many(const gemm_kind *kind, float *y, size_t ldy, matrix x, matrix w, size_t m,
                      size_t n, size_t k_len)
{
    alignas(64) char panel[PANEL_BYTES];
    alignas(64) float acc[M_BLOCK * TILE_N * LANES];
    const cut c = cut_of(k_len, PANEL_BYTES / TILE_N / kind->panel_bytes);
    size_t tiles = (m + TILE_M - 1) / TILE_M;
    const share s = share_of(&c, tiles);
    tile_job t = { .ldy = ldy, .panel = panel, .ldw = w.ld };
    place next;
    for (place p = { 0 }; p.block < k_len; p = next) {
        next = after(&c, n, p);
        set_part(&t, kind, &c, w, n, TILE_N, p);
        const char *ahead = w.at + next.j * w.ld + next.k * kind->w_bytes;
        size_t n_next = TILE_N;
        if (next.block >= k_len) n_next = 0;
        else if (n - next.j < TILE_N) n_next = n - next.j;
        for (size_t i = 0, row = 0, piece = 0; i < tiles; i++) {
            t.y = y + i * TILE_M * ldy + p.j;
            t.x = x.at + i * x.ld + p.k * TILE_M * kind->x_bytes;
            t.next_x = tiles > FEW_STRIPS && i + 1 < tiles ? t.x + x.ld : NULL;
            t.acc = acc + i * TILE_M * TILE_N * LANES;
            t.from = p.k == p.block ? no_sums : t.acc;
            set_ahead(&t, &s, ahead, n_next, row, piece);
            if (i == 0) packed_tile(m, FILLING, kind, &t);
            else packed_tile(m - i * TILE_M, PANEL, kind, &t);
            if (++piece == s.pieces) {
                row += s.rows;
                piece = 0;
            }
        }
    }
}

/* A group of tiles, tm rows of x by tn of w each, goes along k together. Fetched is the tile that
 * comes STREAM_LEAD later; what lies behind the last row is likely the next product's. */
INLINE void stream(int tm, int tn, const gemm_kind *kind, float *y, size_t ldy, matrix x, matrix w,
                   size_t n, size_t k_len)
{
    enum { MOST_GROUP = 8 };
    alignas(64) float acc[MOST_GROUP * MOST_M * TILE_N * LANES];
    const cut c = cut_of(k_len, STREAM_PART);
    const size_t group = STREAM_GROUP(tm), lead = STREAM_LEAD(tm), rows = (size_t)tn;
    tile_job t = { .ldy = ldy, .ldw = w.ld };
    for (place p = { 0 }; p.j < n;) {
        place next = { p.j, p.block, p.k + c.part };
        if (next.k >= end_of_block(&c, p.block)) next.k = next.block = p.block + c.block;
        if (next.block >= k_len) next = (place){ .j = p.j + group * rows };
        for (size_t i = 0; i < group && p.j + i * rows < n; i++) {
            place here = { p.j + i * rows, p.block, p.k }, ahead = i + lead < group ? p : next;
            set_part(&t, kind, &c, w, n, rows, here);
            t.ahead = w.at + (ahead.j + (i + lead) % group * rows) * w.ld + ahead.k * kind->w_bytes;
            t.y = y + here.j;
            t.x = x.at + p.k * (size_t)tm * kind->x_bytes;
            t.acc = acc + i * (size_t)(tm * tn * LANES);
            t.from = p.k == p.block ? no_sums : t.acc;
            tile(tm, tn, STORED, kind, &t);
        }
        p = next;
    }
}

#include "kernels/vector/gemm_one.h"

/* The fewer rows of x, the more of w: the sums fill the registers, and memory has several rows to
 * read from. */
INLINE void walk_few(const gemm_kind *kind, float *y, size_t ldy, matrix x, matrix w, size_t m,
                     size_t n, size_t k_len)
{
    switch (m) {
    case 1: walk_one(kind, y, x.at, w, n, k_len); break;
    case 2: stream(2, STREAM_N(2), kind, y, ldy, x, w, n, k_len); break;
    case 3: stream(3, STREAM_N(3), kind, y, ldy, x, w, n, k_len); break;
    case 4: stream(4, STREAM_N(4), kind, y, ldy, x, w, n, k_len); break;
    case 5: stream(5, STREAM_N(5), kind, y, ldy, x, w, n, k_len); break;
    case 6: stream(6, STREAM_N(6), kind, y, ldy, x, w, n, k_len); break;
    case 7: stream(7, STREAM_N(7), kind, y, ldy, x, w, n, k_len); break;
    default: stream(8, STREAM_N(8), kind, y, ldy, x, w, n, k_len); break;
    }
}

INLINE void gemm_walk(const gemm_kind *kind, float *y, size_t ldy, const void *x, const void *w,
                      size_t ldw, size_t m, size_t n, size_t k_len)
{
    matrix from = { x, TILE_M * rounded_up(k_len, STEP) * kind->x_bytes },
        by = { w, ldw * kind->w_bytes };
    for (size_t i = 0; i < m && !k_len; i++)
        for (size_t j = 0; j < n; j++) y[i * ldy + j] = 0;
    if (!m || !n || !k_len) return;
    if (m <= FEW_M) {
        walk_few(kind, y, ldy, from, by, m, n, k_len);
        return;
    }
    for (size_t i = 0; i < m; i += M_BLOCK, from.at += M_BLOCK / TILE_M * from.ld,
         y += M_BLOCK * ldy)
        walk_many(kind, y, ldy, from, by, m - i < M_BLOCK ? m - i : M_BLOCK, n, k_len);
}

/* ---- x, packed ------------------------------------------------------------------------------- */

/* Puts STEP numbers, of which left are there, where a strip has them. */
typedef void put_step_fn(char *to, const float *x, size_t left);

INLINE void pack_x(put_step_fn *put, size_t x_bytes, char *to, const float *x, size_t ldx, size_t m,
                   size_t k_len)
{
    size_t rows = m <= FEW_M ? m : TILE_M;
    for (size_t i = 0; i < m; i += rows) {
        for (size_t k = 0; k < k_len; k += STEP, to += rows * STEP * x_bytes)
            for (size_t r = 0; r < rows && i + r < m; r++)
                put(to + r * STEP * x_bytes, x + (i + r) * ldx + k, k_len - k);
    }
}

#endif
