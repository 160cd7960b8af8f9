/* y = x w^T with both sides f16 by FMA on 32 lanes of f16. The CPU backend calls it through the
 * table.
 *
 *      w, packed: a panel of 16 rows                x, packed: strips of 6 rows
 *      [k / 8][4 registers][4 rows][8 numbers]      [k / 8][6 rows][8 numbers]
 *
 * Register c of a panel holds the rows c, c + 4, c + 8, c + 12, eight numbers of each; eight
 * numbers of a row of x are spread to meet all four. So an output is summed in eight lanes, lane l
 * taking k = l, l + 8, ... of a block, by at most 64 multiply-adds in f16; then the lanes by
 * neighbours, pairs and quarters in f16; then the blocks in f32, one after the other. The length of
 * a block depends on k alone. A matrix that prepack_f16 has packed is its panels one after the
 * other, block by block, so that nothing is left to pack.
 *
 * x lies in its rows' units (kernels/unit.h), whose reciprocals stand before the strips, and
 * multiply the finished sums. Numbers of x are below 8, so that no
 * sum of 512 products overflows while |w| stays below 15. Beyond it may: an output that is not
 * finite, in a row of x that is, is summed again in f32. */
#include <immintrin.h>
#include <stdalign.h>

#include "kernels/unit.h"
#include "kernels/x86_avx512/simd.h"
#include "kernels/x86_avx512_fp16/slots.h"

enum { CHUNK = 8, ROWS = 6, REGISTERS = 4, OUTPUTS = 16, MOST_BLOCK = 512, LINE = 64 };

/* The factor of a row of x that has a NaN or an infinity, and of no other. */
#define NOT_FINITE 0x1p126f

typedef struct product {
    float *y;
    size_t ldy;
    const float *factor;         /* of each row of x */
    const char *strips;
    const uint16_t *w;
    size_t ldw, m, n, k_len;
    bool packed;                   /* w is as prepack_f16 leaves it */
} product;

/* A part of a product: outputs [j, j + OUTPUTS) by k in [k, k + k_len). */
typedef struct part {
    size_t j, k, k_len;
    bool first, last;            /* of the outputs' blocks */
} part;

static size_t rounded_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* k cut evenly. It decides bits, so that nothing but k may enter. */
static size_t block_of(size_t k_len)
{
    size_t blocks = (k_len + MOST_BLOCK - 1) / MOST_BLOCK;
    return rounded_up((k_len + blocks - 1) / blocks, CHUNK);
}

/* Where the strip begins that has row i: a strip takes its bytes along all of k. */
static const char *strip_of(const product *p, size_t i)
{
    return p->strips + i * rounded_up(p->k_len, CHUNK) * sizeof(uint16_t);
}

static size_t strip_rows(const product *p, size_t i)
{
    return p->m - i < ROWS ? p->m - i : ROWS;
}

/* Where the panel of outputs [j, j + OUTPUTS) lies at k in a packed matrix. */
static const uint16_t *packed_panel(const product *p, size_t j, size_t k)
{
    return p->w + j * p->k_len + k * OUTPUTS;
}

/* Eight numbers of row j of w from k on. */
static const uint16_t *chunk_of(const product *p, size_t j, size_t k)
{
    size_t r = j % OUTPUTS;
    return p->packed ? packed_panel(p, j - r, k) + (r % REGISTERS * (OUTPUTS / REGISTERS) + r / REGISTERS) * CHUNK
                     : p->w + j * p->ldw + k;
}

/* ---- The sums -------------------------------------------------------------------------------- */

/* Sums of neighbours: those of a in the even lanes, of b in the odd ones; then the same of pairs,
 * and of quarters. */
INLINE __m512h neighbours(__m512h a, __m512h b)
{
    __m512i x = _mm512_castph_si512(a), y = _mm512_castph_si512(b);
    return _mm512_add_ph(_mm512_castsi512_ph(_mm512_mask_blend_epi16(0xAAAAAAAA, x, y)),
                         _mm512_castsi512_ph(_mm512_shldi_epi32(y, x, 16)));
}

INLINE __m512h pairs(__m512h a, __m512h b)
{
    __m512i x = _mm512_castph_si512(a), y = _mm512_castph_si512(b);
    return _mm512_add_ph(_mm512_castsi512_ph(_mm512_mask_blend_epi32(0xAAAA, x, y)),
                         _mm512_castsi512_ph(_mm512_shldi_epi64(y, x, 32)));
}

INLINE __m512h quarters(__m512h a, __m512h b)
{
    __m512i x = _mm512_castph_si512(a), y = _mm512_castph_si512(b);
    return _mm512_add_ph(_mm512_castsi512_ph(_mm512_mask_blend_epi64(0xAA, x, y)),
                         _mm512_castsi512_ph(_mm512_alignr_epi8(y, x, 8)));
}

/* One row's outputs, four in a quarter of the register: twice, by half of the lanes each. */
INLINE __m512h row_of(const __m512h sum[REGISTERS])
{
    return pairs(neighbours(sum[0], sum[1]), neighbours(sum[2], sum[3]));
}

/* The same output in f32. x is as packed. */
static float sum_again(const product *p, size_t i, size_t j)
{
    size_t rows = strip_rows(p, i / ROWS * ROWS), k = 0;
    const char *x = strip_of(p, i / ROWS * ROWS) + i % ROWS * CHUNK * sizeof(uint16_t);
    __m256 sum = _mm256_setzero_ps();
    for (; k < p->k_len; k += CHUNK, x += rows * CHUNK * sizeof(uint16_t)) {
        __mmask8 left = p->k_len - k < CHUNK ? (__mmask8)((1u << (p->k_len - k)) - 1) : 0xFF;
        sum = _mm256_fmadd_ps(_mm256_cvtph_ps(_mm_loadu_si128((const void *)x)),
                              _mm256_cvtph_ps(_mm_maskz_loadu_epi16(left, chunk_of(p, j, k))), sum);
    }
    float lane[CHUNK];
    _mm256_storeu_ps(lane, sum);
    return (((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]))) * p->factor[i];
}

static __attribute__((noinline)) void recompute(const product *p, size_t i, size_t j, __mmask16 which)
{
    for (size_t c = 0; c < OUTPUTS; c++)
        if (which >> c & 1) p->y[i * p->ldy + j + c] = sum_again(p, i, j + c);
}

INLINE void put_row(const product *p, const part *t, size_t i, __m256i f16)
{
    enum { NAN_OR_INFINITE = 0x99 };
    float *y = p->y + i * p->ldy + t->j;
    __mmask16 there = lanes(p->n - t->j);
    __m512 v = _mm512_cvtph_ps(f16);
    if (!t->first) v = _mm512_add_ps(_mm512_maskz_loadu_ps(there, y), v);
    if (t->last) v = _mm512_mul_ps(v, _mm512_set1_ps(p->factor[i]));
    _mm512_mask_storeu_ps(y, there, v);
    __mmask16 lost = t->last ? _mm512_mask_fpclass_ps_mask(there, v, NAN_OR_INFINITE) : 0;
    if (lost && p->factor[i] != NOT_FINITE) recompute(p, i, t->j, lost);
}

INLINE void put_rows(const product *p, const part *t, size_t i, int tm, __m512h sum[ROWS][REGISTERS])
{
    const __m512i by_row = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    for (int r = 0; r < tm; r += 2) {
        __m512h a = row_of(sum[r]), b = r + 1 < tm ? row_of(sum[r + 1]) : a;
        __m512i both = _mm512_permutexvar_epi64(by_row, _mm512_castph_si512(quarters(a, b)));
        put_row(p, t, i + (size_t)r, _mm512_castsi512_si256(both));
        if (r + 1 < tm) put_row(p, t, i + (size_t)r + 1, _mm512_extracti64x4_epi64(both, 1));
    }
}

/* ---- The walk -------------------------------------------------------------------------------- */

/* What is wanted soon: n rows of w from at on, a line of each for every four chunks. */
typedef struct ahead {
    const uint16_t *at;
    size_t n, ldw;
} ahead;

INLINE void tile(const product *p, const part *t, const char *panel, size_t i, int tm, ahead next)
{
    const char *x = strip_of(p, i) + t->k * (size_t)tm * sizeof(uint16_t);
    __m512h sum[ROWS][REGISTERS];
    for (int r = 0; r < tm; r++)
        for (int c = 0; c < REGISTERS; c++) sum[r][c] = _mm512_setzero_ph();
    for (size_t k = 0; k < t->k_len; k += CHUNK, x += tm * CHUNK * (int)sizeof(uint16_t), panel += REGISTERS * LINE) {
        __m512h b[REGISTERS];
        for (size_t r = 0; k % (LINE / sizeof(uint16_t)) == 0 && r < next.n; r++)
            _mm_prefetch((const char *)(next.at + r * next.ldw + k), _MM_HINT_T0);
        for (int c = 0; c < REGISTERS; c++) b[c] = _mm512_load_ph(panel + c * LINE);
        for (int r = 0; r < tm; r++) {
            __m512h a = _mm512_castsi512_ph(
                _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)(x + r * CHUNK * (int)sizeof(uint16_t)))));
            for (int c = 0; c < REGISTERS; c++) sum[r][c] = _mm512_fmadd_ph(a, b[c], sum[r][c]);
        }
    }
    put_rows(p, t, i, tm, sum);
}

static void tile_of(const product *p, const part *t, const char *panel, size_t i, ahead next)
{
    switch (strip_rows(p, i)) {
    case 1: tile(p, t, panel, i, 1, next); break;
    case 2: tile(p, t, panel, i, 2, next); break;
    case 3: tile(p, t, panel, i, 3, next); break;
    case 4: tile(p, t, panel, i, 4, next); break;
    case 5: tile(p, t, panel, i, 5, next); break;
    default: tile(p, t, panel, i, 6, next); break;
    }
}

/* Eight numbers of four rows; left are there. */
INLINE __m512i four_rows(const uint16_t *const row[OUTPUTS], size_t c, size_t k, __mmask8 left)
{
    __m512i v = _mm512_castsi128_si512(_mm_maskz_loadu_epi16(left, row[c] + k));
    v = _mm512_inserti32x4(v, _mm_maskz_loadu_epi16(left, row[c + 4] + k), 1);
    v = _mm512_inserti32x4(v, _mm_maskz_loadu_epi16(left, row[c + 8] + k), 2);
    return _mm512_inserti32x4(v, _mm_maskz_loadu_epi16(left, row[c + 12] + k), 3);
}

/* Sixteen numbers of them: two registers. */
INLINE void put_sixteen(char *to, const uint16_t *const row[OUTPUTS], size_t c, size_t k)
{
    __m512i u = _mm512_castsi256_si512(_mm256_loadu_si256((const void *)(row[c] + k))),
        v = _mm512_castsi256_si512(_mm256_loadu_si256((const void *)(row[c + 8] + k)));
    u = _mm512_inserti64x4(u, _mm256_loadu_si256((const void *)(row[c + 4] + k)), 1);
    v = _mm512_inserti64x4(v, _mm256_loadu_si256((const void *)(row[c + 12] + k)), 1);
    _mm512_store_si512(to, _mm512_shuffle_i32x4(u, v, 0x88));
    _mm512_store_si512(to + REGISTERS * LINE, _mm512_shuffle_i32x4(u, v, 0xDD));
}

/* Beyond the last row of w, that one again. */
static void pack_panel(const product *p, const part *t, char *panel)
{
    const uint16_t *row[OUTPUTS];
    size_t k = 0;
    for (size_t r = 0; r < OUTPUTS; r++) row[r] = p->w + (t->j + r < p->n ? t->j + r : p->n - 1) * p->ldw + t->k;
    for (; k + 2 * CHUNK <= t->k_len; k += 2 * CHUNK, panel += 2 * REGISTERS * LINE)
        for (size_t c = 0; c < REGISTERS; c++) put_sixteen(panel + c * LINE, row, c, k);
    for (; k + CHUNK <= t->k_len; k += CHUNK, panel += REGISTERS * LINE)
        for (size_t c = 0; c < REGISTERS; c++) _mm512_store_si512(panel + c * LINE, four_rows(row, c, k, 0xFF));
    for (size_t c = 0; c < REGISTERS && k < t->k_len; c++)
        _mm512_store_si512(panel + c * LINE, four_rows(row, c, k, (__mmask8)((1u << (t->k_len - k)) - 1)));
}

/* The rows that tile number i of so many fetches of the part that comes next; of a panel, as much
 * of it. */
static ahead ahead_of(const product *p, const part *next, size_t i, size_t tiles)
{
    size_t rows = (OUTPUTS + tiles - 1) / tiles, r = next->j + i * rows,
        end = next->j + OUTPUTS < p->n ? next->j + OUTPUTS : p->n;
    size_t n_ahead = end - r < rows ? end - r : rows;
    ahead a = { p->w + r * p->ldw + next->k, r >= end ? 0 : n_ahead, p->ldw };
    if (p->packed) {
        a.at = packed_panel(p, next->j, next->k) + i * rows * next->k_len;
        a.ldw = next->k_len;
    }
    return a;
}

static part part_at(const product *p, size_t at)
{
    size_t block = block_of(p->k_len), blocks = (p->k_len + block - 1) / block;
    part t = { .j = at / blocks * OUTPUTS, .k = at % blocks * block };
    t.k_len = p->k_len - t.k < block ? p->k_len - t.k : block;
    t.first = t.k == 0;
    t.last = t.k + t.k_len == p->k_len;
    return t;
}

static void multiply(const product *p)
{
    alignas(LINE) char panel[OUTPUTS * MOST_BLOCK * sizeof(uint16_t)];
    size_t tiles = (p->m + ROWS - 1) / ROWS;
    for (size_t i = 0; i < p->m && !p->k_len; i++)
        for (size_t j = 0; j < p->n; j++) p->y[i * p->ldy + j] = 0;
    if (!p->m || !p->k_len) return;
    part t = part_at(p, 0);
    for (size_t at = 0; t.j < p->n; at++) {
        part next = part_at(p, at + 1);
        const char *w = panel;
        if (p->packed) w = (const char *)packed_panel(p, t.j, t.k);
        else pack_panel(p, &t, panel);
        for (size_t i = 0; i < tiles; i++)
            tile_of(p, &t, w, i * ROWS, next.j < p->n ? ahead_of(p, &next, i, tiles) : (ahead){ 0 });
        t = next;
    }
}

static product product_of(float *y, size_t ldy, const void *x, const void *w, size_t ldw, size_t m, size_t n,
                          size_t k_len, bool packed)
{
    return (product){ y, ldy, x, (const char *)x + rounded_up(m * sizeof(float), LINE), w, ldw, m, n, k_len, packed };
}

void k_gemm_f16_f16__x86_avx512_fp16(float *y, size_t ldy, const void *x, const void *w, size_t ldw, size_t m, size_t n,
                                     size_t k_len)
{
    product p = product_of(y, ldy, x, w, ldw, m, n, k_len, false);
    multiply(&p);
}

void k_gemm_f16_packed__x86_avx512_fp16(float *y, size_t ldy, const void *x, const void *w, size_t ldw, size_t m,
                                        size_t n, size_t k_len)
{
    product p = product_of(y, ldy, x, w, ldw, m, n, k_len, true);
    multiply(&p);
}

void k_prepack_f16__x86_avx512_fp16(void *to, const void *w, size_t n, size_t k_len)
{
    product p = { .w = w, .ldw = k_len, .n = n, .k_len = k_len };
    part t = part_at(&p, 0);
    for (size_t at = 0; t.j < n; t = part_at(&p, ++at))
        pack_panel(&p, &t, (char *)to + (t.j * k_len + t.k * OUTPUTS) * sizeof(uint16_t));
}

/* ---- x, packed ------------------------------------------------------------------------------- */

/* The largest magnitude, as bits of a float; a NaN is larger than infinity. */
static uint32_t largest_of(const float *x, size_t k_len)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7FFFFFFF);
    __m512i a = _mm512_setzero_si512(), b = a;
    size_t k = 0;
    for (; k + 32 <= k_len; k += 32) {
        a = _mm512_max_epu32(a, _mm512_and_si512(_mm512_loadu_si512(x + k), magnitude));
        b = _mm512_max_epu32(b, _mm512_and_si512(_mm512_loadu_si512(x + k + 16), magnitude));
    }
    for (; k < k_len; k += 16)
        a = _mm512_max_epu32(a, _mm512_and_si512(_mm512_castps_si512(v_load_n(x + k, k_len - k)), magnitude));
    return _mm512_reduce_max_epu32(_mm512_max_epu32(a, b));
}

/* One row of a strip, whose chunks are step bytes apart. The row that comes next is fetched
 * meanwhile. */
static void put_row_of_x(char *to, size_t step, const float *x, const float *next, size_t k_len, float unit)
{
    const __m512 by = _mm512_set1_ps(unit);
    size_t k = 0;
    for (; k + 2 * CHUNK <= k_len; k += 2 * CHUNK, to += 2 * step) {
        __m256i v = _mm512_cvtps_ph(_mm512_mul_ps(_mm512_loadu_ps(x + k), by),
                                    _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm_prefetch((const char *)(next + k), _MM_HINT_T0);
        _mm_storeu_si128((void *)to, _mm256_castsi256_si128(v));
        _mm_storeu_si128((void *)(to + step), _mm256_extracti128_si256(v, 1));
    }
    if (k == k_len) return;
    __m256i v = _mm512_cvtps_ph(_mm512_mul_ps(v_load_n(x + k, k_len - k), by),
                                _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    _mm_storeu_si128((void *)to, _mm256_castsi256_si128(v));
    if (k + CHUNK < k_len) _mm_storeu_si128((void *)(to + step), _mm256_extracti128_si256(v, 1));
}

void k_pack_f16__x86_avx512_fp16(void *to, const float *x, size_t ldx, size_t m, size_t k_len)
{
    float *factor = to;
    char *strips = (char *)to + rounded_up(m * sizeof *factor, LINE);
    for (size_t i = 0; i < m && k_len; i++) {
        size_t first = i / ROWS * ROWS, rows = m - first < ROWS ? m - first : ROWS;
        float unit = k_f16_unit(tern_float_of(largest_of(x + i * ldx, k_len)));
        factor[i] = 1 / unit;
        put_row_of_x(strips + (first * rounded_up(k_len, CHUNK) + (i - first) * CHUNK) * sizeof(uint16_t),
                     rows * CHUNK * sizeof(uint16_t), x + i * ldx, x + (i + 1 < m ? i + 1 : i) * ldx, k_len, unit);
    }
}
