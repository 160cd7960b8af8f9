/* y = x w^T with both sides bf16 on AVX-512 without its BF16 part: products of two bf16 are exact in f32 and are added by FMA.
 * The CPU backend calls it through the table; gemm_walk.h has the order of the tiles.
 *
 * A register holds 32 bf16: its odd numbers are f32 once the lower half is cleared, its even ones once it is shifted up. Lane l of a block's
 * sum takes k = 2l, 2l + 1, 2l + 32, 2l + 33, ... A panel is [k / 32][8 rows][16 even, 16 odd] f32. */
#include "kernels/x86_avx512/gemm_walk.h"
#include "kernels/x86_avx512/slots.h"

enum { STEP = 2 * LANES };

typedef struct pair {
    __m512 even, odd;
} pair;

INLINE __mmask32 halves(size_t n)
{
    return n >= STEP ? 0xFFFFFFFF : (1u << n) - 1;
}

INLINE pair pair_of(__m512i v)
{
    return (pair){ _mm512_castsi512_ps(_mm512_slli_epi32(v, 16)), _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32((int)0xFFFF0000))) };
}

INLINE pair load_pair(const char *row, size_t k, size_t left, bool whole)
{
    const char *at = row + k * sizeof(uint16_t);
    return pair_of(whole ? _mm512_loadu_si512(at) : _mm512_maskz_loadu_epi16(halves(left), at));
}

INLINE void bf16_step(int tm, bool packed, __m512 sum[TILE_M][TILE_N], const tile_job *t, size_t k, bool whole)
{
    pair a[TILE_M], b;
    for (int i = 0; i < tm; i++) a[i] = load_pair(t->x + (size_t)i * t->ldx, k, t->k_len - k, whole);
    for (int j = 0; j < TILE_N; j++) {
        const float *at = (const float *)(const void *)t->panel + k * TILE_N + j * STEP;
        if (packed) b = (pair){ load(at), load(at + LANES) };
        else b = load_pair(t->row[j], k, t->k_len - k, whole);
        b = (pair){ held(b.even), held(b.odd) };
        for (int i = 0; i < tm; i++) sum[i][j] = _mm512_fmadd_ps(a[i].even, b.even, sum[i][j]);
        for (int i = 0; i < tm; i++) sum[i][j] = _mm512_fmadd_ps(a[i].odd, b.odd, sum[i][j]);
    }
}

INLINE void bf16_pack(char *panel, const char *const row[TILE_N], size_t k_len)
{
    float *to = (float *)(void *)panel;
    for (int j = 0; j < TILE_N; j++)
        for (size_t k = 0; k < k_len; k += STEP) {
            pair p = load_pair(row[j], k, k_len - k, false);
            _mm512_store_ps(to + k * TILE_N + j * STEP, p.even);
            _mm512_store_ps(to + k * TILE_N + j * STEP + LANES, p.odd);
        }
}

void k_gemm_bf16_bf16__x86_avx512(float *y, size_t ldy, const void *x, size_t ldx, const void *w, size_t ldw, size_t m, size_t n, size_t k_len)
{
    const gemm_kind kind = { sizeof(uint16_t), sizeof(uint16_t), STEP, PANEL_BYTES / TILE_N / sizeof(float), bf16_step, bf16_pack };
    gemm_walk(&kind, y, ldy, x, ldx, w, ldw, m, n, k_len);
}
