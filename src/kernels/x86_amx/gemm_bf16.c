/* y = x w^T with both sides bf16 on AMX. The CPU backend calls it through the table; tiles.h has the instructions.
 *
 *     A: 16 rows of w, 32 k each, as they are stored            C[row of w, row of x] += A B, 16 x 16 f32
 *     B: 16 rows of x, 32 k each, as [16 pairs of k][16 rows of x][2]
 *
 * 32 rows of w by 32 rows of x are four C tiles. x is packed into B tiles, [16 rows][k / 32], zeros behind its ends; the rows of w pass by.
 * One output is summed so, wherever it lies: steps of 32 k in ascending order, as the instruction adds them, zeros behind the end; blocks of
 * K_BLOCK one after the other. A single row of x takes the same path with one column of B in use. */
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "kernels/x86_amx/slots.h"
#include "kernels/x86_amx/tiles.h"
#include "kernels/x86_avx512/simd.h"

enum { SIDE = 16, STEP = 32, K_BLOCK = 1024, GROUPS = 2, TILE_HALVES = SIDE * STEP, AHEAD = 512 };

typedef struct strip {
    float *y;              /* [rows of x, rows of w] */
    size_t ldy;
    const uint16_t *w;     /* from the block's first k on */
    size_t ldw, m, n, k_len;
    bool first;            /* the block's sums are stored; those of later blocks are added */
    const uint16_t *x;     /* B tiles, from the block's first k on */
    size_t ldx;            /* from the tiles of 16 rows to those of the next */
} strip;

static __mmask32 halves(size_t n)
{
    return n >= STEP ? 0xFFFFFFFF : (1u << n) - 1;
}

/* Sixteen rows of sixteen 32-bit words become columns: words, pairs of words, then the four quarters. */
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
        __m512i even_low = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0x88), odd_low = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0xDD);
        t[c] = _mm512_shuffle_i32x4(even, even_low, 0x88);
        t[4 + c] = _mm512_shuffle_i32x4(odd, odd_low, 0x88);
        t[8 + c] = _mm512_shuffle_i32x4(even, even_low, 0xDD);
        t[12 + c] = _mm512_shuffle_i32x4(odd, odd_low, 0xDD);
    }
    memcpy(r, t, sizeof t);
}

/* 32 numbers of x, zeros from left on. */
static __m512i bf16_step(const float *x, size_t left)
{
    alignas(64) uint16_t to[STEP];
    v_store_bf16(to, SIDE, v_load_n(x, left));
    v_store_bf16(to + SIDE, SIDE, v_load_n(x + SIDE, left > SIDE ? left - SIDE : 0));
    return _mm512_load_si512(to);
}

/* Up to 16 rows of x at one step of k. A pair of bf16 is one word, so that packing is transposing. */
static void pack_tile(uint16_t *to, const float *x, size_t ldx, size_t m, size_t left)
{
    __m512i r[SIDE];
    for (size_t i = 0; i < SIDE; i++) r[i] = i < m ? bf16_step(x + i * ldx, left) : _mm512_setzero_si512();
    transpose(r);
    for (size_t i = 0; i < SIDE; i++) _mm512_store_si512(to + i * STEP, r[i]);
}

void k_pack_bf16__x86_amx(void *to, const float *x, size_t ldx, size_t m, size_t k_len)
{
    uint16_t *tile = to;
    for (size_t i = 0; i < m; i += SIDE)
        for (size_t k = 0; k < k_len; k += STEP, tile += TILE_HALVES) pack_tile(tile, x + i * ldx + k, ldx, m - i, k_len - k);
}

/* 32 rows of w at one step of k, with zeros where rows or k end. */
static void copy_edge(uint16_t *to, const uint16_t *w, size_t ldw, size_t n, size_t k_left)
{
    for (size_t j = 0; j < 2 * SIDE; j++)
        _mm512_store_si512(to + j * STEP, j < n ? _mm512_maskz_loadu_epi16(halves(k_left), w + j * ldw) : _mm512_setzero_si512());
}

/* One C tile, [16 rows of w][16 rows of x], to m rows of y of n numbers. */
static void put_tile(const float *c, float *y, size_t ldy, size_t m, size_t n, bool first)
{
    __m512i r[SIDE];
    __mmask16 wanted = n >= SIDE ? (__mmask16)0xFFFF : (__mmask16)((1u << n) - 1);
    for (size_t i = 0; i < SIDE; i++) r[i] = _mm512_load_si512(c + i * SIDE);
    transpose(r);
    for (size_t i = 0; i < SIDE && i < m; i++) {
        __m512 sum = _mm512_castsi512_ps(r[i]);
        if (!first) sum = _mm512_add_ps(_mm512_maskz_loadu_ps(wanted, y + i * ldy), sum);
        _mm512_mask_storeu_ps(y + i * ldy, wanted, sum);
    }
}

/* Tiles 0 1 / 2 3 are C: rows of w by groups of x. 4 and 5 are A, 6 and 7 B. */
static void add_steps(const strip *s, size_t j, bool two_groups)
{
    alignas(64) uint16_t edge[2 * TILE_HALVES];
    size_t n = s->n - j;
    const uint16_t *w = s->w + j * s->ldw;
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    for (size_t k = 0; k < s->k_len; k += STEP) {
        const uint16_t *a = w + k;
        size_t lda = s->ldw;
        if (n < 2 * SIDE || s->k_len - k < STEP) {
            copy_edge(edge, a, s->ldw, n, s->k_len - k);
            a = edge;
            lda = STEP;
        } else {
            for (size_t i = 0; i < 2 * SIDE; i++) _mm_prefetch((const char *)(a + i * lda) + AHEAD, _MM_HINT_T0);
        }
        TILE_LOAD(4, a, lda * sizeof *a);
        TILE_LOAD(6, s->x + k * SIDE, 64);
        TILE_DOT(0, 4, 6);
        TILE_LOAD(5, a + SIDE * lda, lda * sizeof *a);
        TILE_DOT(2, 5, 6);
        if (!two_groups) continue;
        TILE_LOAD(7, s->x + s->ldx + k * SIDE, 64);
        TILE_DOT(1, 4, 7);
        TILE_DOT(3, 5, 7);
    }
}

static void run_strip(const strip *s)
{
    alignas(64) float c[4][SIDE * SIDE];
    bool two_groups = s->m > SIDE;
    for (size_t j = 0; j < s->n; j += 2 * SIDE) {
        add_steps(s, j, two_groups);
        TILE_STORE(0, c[0], 64);
        TILE_STORE(1, c[1], 64);
        TILE_STORE(2, c[2], 64);
        TILE_STORE(3, c[3], 64);
        for (size_t t = 0; t < 4; t++) {
            size_t i = t % 2 * SIDE, at = j + t / 2 * SIDE;
            if (i < s->m && at < s->n) put_tile(c[t], s->y + i * s->ldy + at, s->ldy, s->m - i, s->n - at, s->first);
        }
    }
}

void k_gemm_bf16_bf16__x86_amx(float *y, size_t ldy, const void *x, const void *w, size_t ldw, size_t m, size_t n, size_t k_len)
{
    const uint16_t *from = x, *by = w;
    size_t ldx = (k_len + STEP - 1) / STEP * TILE_HALVES;
    for (size_t i = 0; i < m && !k_len; i++)
        for (size_t j = 0; j < n; j++) y[i * ldy + j] = 0;
    if (!m || !n || !k_len) return;
    tiles_open();
    for (size_t k = 0; k < k_len; k += K_BLOCK)
        for (size_t i = 0; i < m; i += GROUPS * SIDE) {
            size_t rows = m - i < GROUPS * SIDE ? m - i : GROUPS * SIDE, k_part = k_len - k < K_BLOCK ? k_len - k : K_BLOCK;
            run_strip(&(strip){ y + i * ldy, ldy, by + k, ldw, rows, n, k_part, k == 0, from + i / SIDE * ldx + k * SIDE, ldx });
        }
    tiles_close();
}
