/* The walk of y = x w^T that all types share: which tile comes when, what is packed, what is fetched ahead. Included by the gemm files of the
 * vector folders: a file gives its step along k and its packing, and everything is inlined around them. math.h lists the words.
 *
 *              part                        A tile is some rows of x by some rows of w, one register of sums each. One output is summed so,
 *        +------+------+----               whatever tile it lies in: k in blocks, of a length that depends on k alone (block_of); a block in
 *   tile |      |      |         w         the lanes, as the step has it; the lanes by one tree; the blocks one after the other.
 *        +------+------+----               A block is walked in parts that the first cache holds. Between two parts of a tile its sums lie in
 *        +------+------+----               memory, lane by lane, so that the length of a part changes no bit.
 *   tile |      |      |         x         Many rows: a part of TILE_N rows of w is packed into an aligned panel, and all tiles of x pass by.
 *        +------+------+----               Up to FEW_M rows: a part of x stays, and STREAM_GROUP(m) tiles of w pass by, read as they are stored.
 *                                          One row: gemm_one.h.
 *
 * x is packed: strips of TILE_M rows (up to FEW_M rows: one strip of all), each [k / STEP][rows][STEP], zeros behind the end of k. */
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
    const char *next_x;          /* packed: the strip that comes next, fetched while this tile goes on */
    const char *row[TILE_N];     /* of w, from the part's first k on; beyond the last row, that one again */
    const char *panel;           /* the same rows packed */
    const float *from;           /* the tile's sums so far */
    float *held;                 /* where they wait for the block's next part */
    size_t n, k_len;             /* outputs of a row that are wanted; length of the part */
    bool ends;                   /* it is the last part of its block */
    bool first;                  /* the block's sums are stored; those of later blocks are added */
    const char *ahead;           /* n_ahead rows of w that are wanted soon, fetched while this tile goes on at [ahead_from, ahead_to) */
    size_t n_ahead, ldw, ahead_from, ahead_to;
} tile_job;

/* Adds to sum[i][j], i < tm, j < tn, the products of x's row i and w's row j at [k, k + STEP), or at [k, k_len) where not whole. */
typedef void step_fn(int tm, int tn, bool packed, vec sum[MOST_M][TILE_N], const tile_job *t, size_t k, bool whole);

/* Copies k_len numbers of the rows into the panel as the step wants them, zeros up to a whole step. */
typedef void pack_fn(char *panel, const char *const row[TILE_N], size_t k_len);

typedef struct gemm_kind {
    size_t x_bytes, w_bytes, panel_bytes;    /* of a number of x as packed, of w as stored, of w as packed */
    step_fn *add_step;
    pack_fn *pack;
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

/* The hint of a prefetch must be a constant, even before anything is inlined. */
INLINE void fetch_line(const char *at, bool first_cache)
{
    if (first_cache) _mm_prefetch(at, _MM_HINT_T0);
    else _mm_prefetch(at, _MM_HINT_T1);
}

INLINE void fetch(int tm, int tn, bool packed, const gemm_kind *kind, const tile_job *t, size_t k)
{
    const char *x = t->next_x + k * TILE_M * kind->x_bytes, *w = t->ahead + k * kind->w_bytes;
    for (size_t at = 0; packed && at < (size_t)tm * STEP * kind->x_bytes; at += LINE) fetch_line(x + at, true);
    for (size_t at = 0; at < STEP * kind->w_bytes && (!packed || (k >= t->ahead_from && k < t->ahead_to)); at += LINE)
        for (size_t r = 0; r < (packed ? t->n_ahead : (size_t)tn); r++) fetch_line(w + r * t->ldw + at, !packed && STREAM_NEAR(tm));
}

static const float no_sums[MOST_M * TILE_N * LANES];

INLINE void tile(int tm, int tn, bool packed, const gemm_kind *kind, const tile_job *t)
{
    vec sum[MOST_M][TILE_N];
    size_t k = 0;
    for (int i = 0; i < tm; i++)
        for (int j = 0; j < TILE_N; j++) sum[i][j] = j < tn ? v_load_n(t->from + (i * tn + j) * LANES, LANES) : v_zero();
    for (; k + STEP <= t->k_len; k += STEP) {
        fetch(tm, tn, packed, kind, t, k);
        kind->add_step(tm, tn, packed, sum, t, k, true);
    }
    if (k < t->k_len) kind->add_step(tm, tn, packed, sum, t, k, false);
    for (int i = 0; i < tm; i++)
        if (t->ends) v_store_sums(t->y + (size_t)i * t->ldy, t->n < (size_t)tn ? t->n : (size_t)tn, t->first, sum[i]);
        else
            for (int j = 0; j < tn; j++) v_store_n(t->held + (i * tn + j) * LANES, LANES, sum[i][j]);
}

/* ---- The order of the parts of w ----------------------------------------------------------------------------------------------------- */

/* Groups of tiles; in each, a run of parts, which is a block or all of k; in a part, the group's tiles one after the other. Where a run is a block,
 * all groups pass by before the next one. */
typedef struct order {
    size_t n, k_len, block, part;          /* rows of w; lengths */
    size_t parts, run, tn, group, tiles;   /* parts of a block, of a run; rows of a tile; tiles of a group, and of all groups */
    size_t end;                            /* how many places there are; some lie behind the end of n or of a block */
} order;

typedef struct place {
    size_t j, k, k_len;                /* k_len 0: behind an end */
    bool begins, ends;
} place;

/* The length of a block: k cut evenly. It decides bits, so that nothing but k may enter. */
INLINE size_t block_of(size_t k_len)
{
    size_t blocks = (k_len + MOST_BLOCK - 1) / MOST_BLOCK;
    return rounded_up((k_len + blocks - 1) / blocks, BLOCK_UNIT);
}

INLINE order order_of(size_t n, size_t k_len, size_t most_part, size_t tn, size_t group, bool along_k)
{
    order o = { .n = n, .k_len = k_len, .block = block_of(k_len), .tn = tn, .group = group };
    size_t blocks = (k_len + o.block - 1) / o.block;
    o.parts = (o.block + most_part - 1) / most_part;
    o.part = rounded_up((o.block + o.parts - 1) / o.parts, STEP);
    o.run = along_k ? o.parts * blocks : o.parts;
    o.tiles = rounded_up((n + tn - 1) / tn, group);
    o.end = blocks * o.parts * o.tiles;
    return o;
}

INLINE place place_at(const order *o, size_t at)
{
    size_t in_run = at % (o->run * o->tiles), group = in_run / (o->run * o->group), in_group = in_run % (o->run * o->group);
    size_t part = at / (o->run * o->tiles) * o->run + in_group / o->group, block = part / o->parts;
    size_t k = block * o->block + part % o->parts * o->part, end = (block + 1) * o->block < o->k_len ? (block + 1) * o->block : o->k_len;
    place p = { .j = (group * o->group + in_group % o->group) * o->tn, .k = k, .begins = part % o->parts == 0 };
    if (p.j < o->n && k < end) p.k_len = end - k < o->part ? end - k : o->part;
    p.ends = k + p.k_len == end;
    return p;
}

/* What tile number i of a part fetches of the n rows of the part at p: several whole rows where tiles are few, else a piece of one, so that
 * memory is asked evenly. */
INLINE void set_ahead(tile_job *t, const gemm_kind *kind, const order *o, matrix w, const place *p, size_t i, size_t tiles)
{
    size_t n = p->k_len ? o->n - p->j : 0, rows = (o->tn + tiles - 1) / tiles, pieces = tiles / o->tn ? tiles / o->tn : 1;
    size_t row = i / pieces * rows, piece = (o->part / pieces + STEP) / STEP * STEP;
    if (n > o->tn) n = o->tn;
    t->n_ahead = row >= n ? 0 : n - row < rows ? n - row : rows;
    t->ahead = w.at + (p->k_len ? (p->j + row) * w.ld + p->k * kind->w_bytes : 0);
    t->ahead_from = i % pieces * piece;
    t->ahead_to = t->ahead_from + piece;
}

INLINE void set_part(tile_job *t, const gemm_kind *kind, const order *o, matrix w, const place *p)
{
    t->n = o->n - p->j;
    t->k_len = p->k_len;
    t->ends = p->ends;
    t->first = p->k < o->block;
    for (size_t r = 0; r < o->tn; r++) t->row[r] = w.at + (r < t->n ? p->j + r : o->n - 1) * w.ld + p->k * kind->w_bytes;
}

/* ---- Many rows, few rows ------------------------------------------------------------------------------------------------------------- */

INLINE void packed_tile(size_t tm, const gemm_kind *kind, const tile_job *t)
{
    if (tm == 1) tile(1, TILE_N, true, kind, t);
    else if (tm == 2) tile(2, TILE_N, true, kind, t);
    else tile(3, TILE_N, true, kind, t);
}

INLINE void walk_many(const gemm_kind *kind, float *y, size_t ldy, matrix x, matrix w, size_t m, size_t n, size_t k_len)
{
    alignas(64) char panel[PANEL_BYTES];
    alignas(64) float held[M_BLOCK * TILE_N * LANES];
    const order o = order_of(n, k_len, PANEL_BYTES / TILE_N / kind->panel_bytes, TILE_N, 1, false);
    size_t tiles = (m + TILE_M - 1) / TILE_M;
    tile_job t = { .ldy = ldy, .panel = panel, .ldw = w.ld };
    for (size_t at = 0; at < o.end; at++) {
        place p = place_at(&o, at), next = place_at(&o, at + 1 < o.end ? at + 1 : at);
        if (!p.k_len) continue;
        set_part(&t, kind, &o, w, &p);
        kind->pack(panel, t.row, t.k_len);
        for (size_t i = 0; i < tiles; i++) {
            t.y = y + i * TILE_M * ldy + p.j;
            t.x = x.at + i * x.ld + p.k * TILE_M * kind->x_bytes;
            t.next_x = i + 1 < tiles ? t.x + x.ld : t.x;
            t.held = held + i * TILE_M * TILE_N * LANES;
            t.from = p.begins ? no_sums : t.held;
            set_ahead(&t, kind, &o, w, &next, i, tiles);
            packed_tile(m - i * TILE_M, kind, &t);
        }
    }
}

/* tm rows of x by tn of w at a time. */
INLINE void stream(int tm, int tn, const gemm_kind *kind, float *y, size_t ldy, matrix x, matrix w, size_t n, size_t k_len)
{
    enum { MOST_GROUP = 8 };
    alignas(64) float held[MOST_GROUP * MOST_M * TILE_N * LANES];
    const order o = order_of(n, k_len, STREAM_PART, (size_t)tn, STREAM_GROUP(tm), true);
    tile_job t = { .ldy = ldy, .next_x = x.at, .ldw = w.ld };
    for (size_t at = 0; at < o.end; at++) {
        place p = place_at(&o, at), next = place_at(&o, at + STREAM_LEAD(tm) < o.end ? at + STREAM_LEAD(tm) : at);
        if (!p.k_len) continue;
        set_part(&t, kind, &o, w, &p);
        set_ahead(&t, kind, &o, w, next.k_len ? &next : &p, 0, 1);
        t.y = y + p.j;
        t.x = x.at + p.k * (size_t)tm * kind->x_bytes;
        t.held = held + at % STREAM_GROUP(tm) * (size_t)(tm * tn * LANES);
        t.from = p.begins ? no_sums : t.held;
        tile(tm, tn, false, kind, &t);
    }
}

#include "kernels/vector/gemm_one.h"

/* The fewer rows of x, the more of w: the sums fill the registers, and memory has several rows to read from. */
INLINE void walk_few(const gemm_kind *kind, float *y, size_t ldy, matrix x, matrix w, size_t m, size_t n, size_t k_len)
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

INLINE void gemm_walk(const gemm_kind *kind, float *y, size_t ldy, const void *x, const void *w, size_t ldw, size_t m, size_t n, size_t k_len)
{
    matrix from = { x, TILE_M * rounded_up(k_len, STEP) * kind->x_bytes }, by = { w, ldw * kind->w_bytes };
    for (size_t i = 0; i < m && !k_len; i++)
        for (size_t j = 0; j < n; j++) y[i * ldy + j] = 0;
    if (!m || !n || !k_len) return;
    if (m <= FEW_M) {
        walk_few(kind, y, ldy, from, by, m, n, k_len);
        return;
    }
    for (size_t i = 0; i < m; i += M_BLOCK, from.at += M_BLOCK / TILE_M * from.ld, y += M_BLOCK * ldy)
        walk_many(kind, y, ldy, from, by, m - i < M_BLOCK ? m - i : M_BLOCK, n, k_len);
}

/* ---- x, packed ----------------------------------------------------------------------------------------------------------------------- */

/* Puts STEP numbers, of which left are there, where a strip has them. */
typedef void put_step_fn(char *to, const float *x, size_t left);

INLINE void pack_x(put_step_fn *put, size_t x_bytes, char *to, const float *x, size_t ldx, size_t m, size_t k_len)
{
    size_t rows = m <= FEW_M ? m : TILE_M;
    for (size_t i = 0; i < m; i += rows) {
        for (size_t k = 0; k < k_len; k += STEP, to += rows * STEP * x_bytes)
            for (size_t r = 0; r < rows && i + r < m; r++) put(to + r * STEP * x_bytes, x + (i + r) * ldx + k, k_len - k);
    }
}

#endif
