/* y = x w^T with both sides bf16 on AMX. The CPU backend calls it through the table; tiles.h has
 * the instructions.
 *
 *     A: 16 rows of w, 32 k each                          C[row of w, row of x] += A B, 16 x 16 f32
 *     B: 16 rows of x, 32 k each, as [16 pairs of k][16 rows of x][2]
 *
 * 32 rows of w by 32 rows of x are four C tiles: a step of 32 k is four loads and four products,
 * and a product takes twice as long as a load that finds its tile in the first cache. x is packed
 * into B tiles, [16 rows][k / 32], zeros behind its ends.
 *
 * Up to 32 rows of x: rows of w pass by as they are stored, once. Else k is taken in parts: a strip
 * of 32 rows of w is copied into A tiles, 32 KiB that stay in the first cache (rows whose distance
 * is a multiple of 4 KiB would drive each other out of it), and all of x passes by out of the
 * second one. Between two parts the sums lie in y, a whole tile of them as the tile has them, a
 * part of one as y wants them.
 *
 * One output is summed so, wherever it lies: steps of 32 k in ascending order, each as the
 * instruction adds it, zeros behind the end. */
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "kernels/x86_amx/slots.h"
#include "kernels/x86_amx/tiles.h"
#include "kernels/x86_avx512_bf16/pairs.h"

enum { SIDE = 16, STEP = 32, TILE_HALVES = SIDE * STEP, STRIP = 2 * SIDE, FEW = STRIP, PART_STEPS = 16,
       LINE_HALVES = 32 };
/* steps of x, lines of the next strip of w in each step, numbers of w as stored */
enum { X_LEAD = 4, W_LINES = 4, W_LEAD = 512 };

/* Up to 32 rows of x by up to 32 of w, over a part of k. */
typedef struct block {
    float *y;                            /* [rows of x, rows of w] */
    size_t ldy, m, n, steps;
    bool first, last;                    /* part of k */
    const uint16_t *x, *next_x;          /* B tiles of the part; those that pass by after them */
    size_t ldx;                          /* from the tiles of 16 rows to those of the next */
} block;

/* A tiles of 32 rows of w: a step's first one lies at at + step * STEP * SIDE where they are
 * packed, at + step * STEP as stored. */
typedef struct strip {
    const uint16_t *at;
    size_t ld, n, k_len;                 /* from row to row; of the rows as stored */
} strip;

/* Transposes sixteen rows of sixteen u32: single ones, pairs, then the four quarters. */
static void transpose(__m512i r[SIDE])
{
    __m512i t[SIDE];
    for (int i = 0; i < SIDE; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < SIDE; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int c = 0; c < 4; c++) {
        __m512i even = _mm512_shuffle_i32x4(r[c], r[4 + c], 0x88), odd = _mm512_shuffle_i32x4(r[c], r[4 + c], 0xDD);
        __m512i even_low = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0x88),
            odd_low = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0xDD);
        t[c] = _mm512_shuffle_i32x4(even, even_low, 0x88);
        t[4 + c] = _mm512_shuffle_i32x4(odd, odd_low, 0x88);
        t[8 + c] = _mm512_shuffle_i32x4(even, even_low, 0xDD);
        t[12 + c] = _mm512_shuffle_i32x4(odd, odd_low, 0xDD);
    }
    memcpy(r, t, sizeof t);
}

/* Up to 16 rows of x at one step of k. A pair of bf16 is one word, so that packing is
 * transposing. */
static void pack_tile(uint16_t *to, const float *x, size_t ldx, size_t m, size_t left)
{
    __m512i r[SIDE];
    for (size_t i = 0; i < SIDE; i++) {
        if (i < m)
            r[i] = b_round_two(v_load_n(x + i * ldx, left),
                               v_load_n(x + i * ldx + SIDE, left > SIDE ? left - SIDE : 0));
        else r[i] = _mm512_setzero_si512();
    }
    transpose(r);
    for (size_t i = 0; i < SIDE; i++) _mm512_store_si512(to + i * STEP, r[i]);
}

void k_pack_bf16__x86_amx(void *to, const float *x, size_t ldx, size_t m, size_t k_len)
{
    uint16_t *tile = to;
    for (size_t i = 0; i < m; i += SIDE)
        for (size_t k = 0; k < k_len; k += STEP, tile += TILE_HALVES)
            pack_tile(tile, x + i * ldx + k, ldx, m - i, k_len - k);
}

/* ---- Sums ------------------------------------------------------------------------------------ */

static bool whole_tile(const block *b, size_t i, size_t j)
{
    return b->m - i >= SIDE && b->n - j >= SIDE;
}

/* One C tile, [16 rows of w][16 rows of x], to y, and back. */
static void put_tile(const block *b, size_t i, size_t j, const float *c)
{
    __m512i r[SIDE];
    for (size_t row = 0; row < SIDE; row++) r[row] = _mm512_load_si512(c + row * SIDE);
    transpose(r);
    for (size_t row = 0; row < SIDE && i + row < b->m; row++)
        v_store_n(b->y + (i + row) * b->ldy + j, b->n - j, _mm512_castsi512_ps(r[row]));
}

static void take_tile(const block *b, size_t i, size_t j, float *c)
{
    __m512i r[SIDE];
    for (size_t row = 0; row < SIDE; row++)
        r[row] = i + row < b->m ? _mm512_castps_si512(v_load_n(b->y + (i + row) * b->ldy + j, b->n - j))
                                : _mm512_setzero_si512();
    transpose(r);
    for (size_t row = 0; row < SIDE; row++) _mm512_store_si512(c + row * SIDE, r[row]);
}

#define BEGIN_SUMS(t, i, j)                                                                  \
    do {                                                                                     \
        if (b->first) {                                                                      \
            TILE_ZERO(t);                                                                    \
        } else if (whole_tile(b, i, j)) {                                                    \
            TILE_LOAD(t, b->y + (i) * b->ldy + (j), b->ldy * sizeof(float));                 \
        } else {                                                                             \
            take_tile(b, i, j, c[t]);                                                        \
            TILE_LOAD(t, c[t], SIDE * sizeof(float));                                        \
        }                                                                                    \
    } while (0)
#define END_SUMS(t, i, j)                                                                    \
    do {                                                                                     \
        if (!b->last && whole_tile(b, i, j)) {                                               \
            TILE_STORE(t, b->y + (i) * b->ldy + (j), b->ldy * sizeof(float));                \
        } else {                                                                             \
            TILE_STORE(t, c[t], SIDE * sizeof(float));                                       \
        }                                                                                    \
    } while (0)

/* Tiles 0 1 / 2 3 are C: rows of w by groups of x. */
static void begin(const block *b, float c[4][SIDE * SIDE])
{
    BEGIN_SUMS(0, 0, 0);
    if (b->m > SIDE) BEGIN_SUMS(1, SIDE, 0);
    if (b->n > SIDE) BEGIN_SUMS(2, 0, SIDE);
    if (b->m > SIDE && b->n > SIDE) BEGIN_SUMS(3, SIDE, SIDE);
}

static void end(const block *b, float c[4][SIDE * SIDE])
{
    END_SUMS(0, 0, 0);
    if (b->m > SIDE) END_SUMS(1, SIDE, 0);
    if (b->n > SIDE) END_SUMS(2, 0, SIDE);
    if (b->m > SIDE && b->n > SIDE) END_SUMS(3, SIDE, SIDE);
    for (size_t t = 0; t < 4; t++) {
        size_t i = t % 2 * SIDE, j = t / 2 * SIDE;
        if (i < b->m && j < b->n && (b->last || !whole_tile(b, i, j))) put_tile(b, i, j, c[t]);
    }
}

/* 4 and 5 are A, 6 and 7 B. What there is of neither w nor x is not multiplied. */
static inline __attribute__((always_inline)) void add_step(const block *b, size_t step, const uint16_t *a, size_t lda,
                                                           size_t next_rows)
{
    bool two_x = b->m > SIDE, two_w = b->n > SIDE;
    TILE_LOAD(4, a, lda * sizeof *a);
    TILE_LOAD(6, b->x + step * TILE_HALVES, 64);
    TILE_DOT(0, 4, 6);
    if (two_w) TILE_LOAD(5, a + next_rows, lda * sizeof *a);
    if (two_w) TILE_DOT(2, 5, 6);
    if (!two_x) return;
    TILE_LOAD(7, b->x + b->ldx + step * TILE_HALVES, 64);
    TILE_DOT(1, 4, 7);
    if (two_w) TILE_DOT(3, 5, 7);
}

/* ---- Few rows of x: w as stored -------------------------------------------------------------- */

/* Rows [first, first + 16) of w at one step of k, with zeros where rows or k end. */
static void copy_tile(uint16_t *to, const strip *w, size_t first, size_t k)
{
    for (size_t r = 0; r < SIDE; r++)
        _mm512_store_si512(to + r * STEP, first + r < w->n ? b_load_n(w->at + (first + r) * w->ld + k, w->k_len - k)
                                                           : _mm512_setzero_si512());
}

static void add_stored(const block *b, const strip *w)
{
    alignas(64) uint16_t edge[2 * TILE_HALVES];
    for (size_t step = 0; step < b->steps; step++) {
        size_t k = step * STEP;
        const uint16_t *ahead = w->at + (k + W_LEAD < w->k_len ? k + W_LEAD : STRIP * w->ld + k + W_LEAD - w->k_len);
        for (size_t r = 0; r < STRIP; r++) _mm_prefetch((const char *)(ahead + r * w->ld), _MM_HINT_T1);
        if (w->n >= STRIP && w->k_len - k >= STEP) {
            add_step(b, step, w->at + k, w->ld, SIDE * w->ld);
            continue;
        }
        for (size_t g = 0; g < 2; g++) copy_tile(edge + g * TILE_HALVES, w, g * SIDE, k);
        add_step(b, step, edge, STEP, TILE_HALVES);
    }
}

/* ---- Many rows of x: w packed ---------------------------------------------------------------- */

/* ahead: the part of the next strip of w, null: none; its lines from *line on are fetched, some in
 * each step. */
static void add_packed(const block *b, const uint16_t *w, const strip *ahead, size_t *line)
{
    for (size_t step = 0; step < b->steps; step++) {
        size_t at = step + X_LEAD;
        const uint16_t *x = at < b->steps ? b->x + at * TILE_HALVES : b->next_x + (at - b->steps) * TILE_HALVES;
        for (size_t l = 0; l < SIDE; l++) _mm_prefetch((const char *)(x + l * LINE_HALVES), _MM_HINT_T0);
        for (size_t l = 0; l < SIDE; l++) _mm_prefetch((const char *)(x + b->ldx + l * LINE_HALVES), _MM_HINT_T0);
        for (size_t l = 0; ahead && l < W_LINES && *line < STRIP * PART_STEPS; l++, (*line)++)
            _mm_prefetch((const char *)(ahead->at + *line / PART_STEPS * ahead->ld + *line % PART_STEPS * LINE_HALVES),
                         _MM_HINT_T1);
        add_step(b, step, w + step * TILE_HALVES, STEP, PART_STEPS * TILE_HALVES);
    }
}

/* A part of 32 rows of w as [2][16 steps] A tiles. */
static void pack_strip(uint16_t *to, const strip *w)
{
    for (size_t r = 0; r < STRIP; r++)
        for (size_t k = 0; k < w->k_len; k += STEP)
            _mm512_store_si512(to + (r / SIDE * PART_STEPS + k / STEP) * TILE_HALVES + r % SIDE * STEP,
                               r < w->n ? b_load_n(w->at + r * w->ld + k, w->k_len - k) : _mm512_setzero_si512());
}

/* Rows of w from b->y's first column on, and all m rows of x. */
static void pass_x(block b, size_t m, const strip *w, const strip *ahead)
{
    alignas(64) uint16_t packed[2 * PART_STEPS * TILE_HALVES];
    alignas(64) float c[4][SIDE * SIDE];
    size_t line = 0;
    const uint16_t *first_x = b.x;
    pack_strip(packed, w);
    for (size_t i = 0; i < m; i += STRIP, b.x += 2 * b.ldx, b.y += STRIP * b.ldy) {
        b.m = m - i < STRIP ? m - i : STRIP;
        b.next_x = i + STRIP < m ? b.x + 2 * b.ldx : first_x;
        begin(&b, c);
        add_packed(&b, packed, ahead, &line);
        end(&b, c);
    }
}

static void walk_many(block b, size_t m, const strip *w)
{
    enum { PART = PART_STEPS * STEP };
    for (size_t k = 0; k < w->k_len; k += PART, b.x += PART_STEPS * TILE_HALVES) {
        strip part = { w->at + k, w->ld, w->n, w->k_len - k < PART ? w->k_len - k : PART };
        block at = b;
        at.first = k == 0;
        at.last = k + PART >= w->k_len;
        at.steps = (part.k_len + STEP - 1) / STEP;
        for (size_t j = 0; j < w->n; j += STRIP, part.at += STRIP * w->ld, at.y += STRIP) {
            strip next = part;
            part.n = at.n = w->n - j < STRIP ? w->n - j : STRIP;
            next.at += STRIP * w->ld;
            pass_x(at, m, &part, j + 2 * STRIP <= w->n && part.k_len == PART ? &next : NULL);
        }
    }
}

static void walk_few(block b, const strip *w)
{
    alignas(64) float c[4][SIDE * SIDE];
    strip part = *w;
    b.first = b.last = true;
    b.steps = (w->k_len + STEP - 1) / STEP;
    for (size_t j = 0; j < w->n; j += STRIP, part.at += STRIP * w->ld, b.y += STRIP) {
        part.n = b.n = w->n - j < STRIP ? w->n - j : STRIP;
        begin(&b, c);
        add_stored(&b, &part);
        end(&b, c);
    }
}

void k_gemm_bf16_bf16__x86_amx(float *y, size_t ldy, const void *x, const void *w, size_t ldw, size_t m, size_t n,
                               size_t k_len)
{
    const block b = { .y = y, .ldy = ldy, .x = x, .ldx = (k_len + STEP - 1) / STEP * TILE_HALVES, .m = m };
    const strip all = { w, ldw, n, k_len };
    for (size_t i = 0; i < m && !k_len; i++)
        for (size_t j = 0; j < n; j++) y[i * ldy + j] = 0;
    if (!m || !n || !k_len) return;
    tiles_open();
    if (m <= FEW) walk_few(b, &all);
    else walk_many(b, m, &all);
    tiles_close();
}
