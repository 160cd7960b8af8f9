/* y = x w^T multiplied in f32: weights of f32, bf16 or f16 as stored. Each vector folder compiles
 * this for itself; gemm_walk.h has the order of the tiles.
 *
 * A step is two registers of each side, multiplied and added by FMA. For f32 products they are the
 * step's halves: lane l of a block's sum takes k = l, l + LANES, ... For bf16 products they are its
 * even and its odd numbers, because a register of bf16 comes apart so by one operation each, where
 * widening its halves takes two: lane l takes k = 2l, 2l + 1, 2l + STEP, ... Products of two bf16
 * are exact in f32, so that x lies packed as f32 that was rounded to bf16; so are those of two f16.
 * A panel is [k / STEP][TILE_N rows][STEP] f32. */
#include "kernels/unit.h"
#include "kernels/vector/gemm_walk.h"

typedef enum split { HALVES, EVEN_ODD } split;

typedef struct pair {
    vec a, b;
} pair;

INLINE pair stored_pair(const char *row, size_t k, size_t left, stored type, split by)
{
    if (by == HALVES)
        return (pair){ v_load_stored(row, k, left, type),
                       v_load_stored(row, k + LANES, left > LANES ? left - LANES : 0, type) };
    bits v = b_load_n((const uint16_t *)(const void *)row + k, left);
    return (pair){ v_even(v), v_odd(v) };
}

INLINE pair packed_pair(const char *at)
{
    const float *p = (const float *)(const void *)at;
    return (pair){ v_load_n(p, LANES), v_load_n(p + LANES, LANES) };
}

INLINE pair pair_in_registers(pair p)
{
    return (pair){ v_in_register(p.a), v_in_register(p.b) };
}

/* One half of a step of row j of w, from the panel or as stored. For the other half the row is read
 * again, as registers are few. */
INLINE vec half_of_w(const tile_job *t, int j, source from, size_t k, size_t left, stored type,
                     split by, int half)
{
    float *panel = (float *)(void *)t->panel + k * TILE_N + j * STEP + half * LANES;
    if (from == PANEL) return v_in_register(v_load_n(panel, LANES));
    const char *row = t->row[j];
    __asm__("" : "+r"(row));
    pair p = stored_pair(row, k, left, type, by);
    vec v = v_in_register(half ? p.b : p.a);
    v_store_n(panel, LANES, v);
    return v;
}

/* Many rows of x: one half of the step after the other, so that the sums leave registers enough. */
INLINE void add_many(int tm, source from, vec sum[MOST_M][TILE_N], const tile_job *t, size_t k,
                     size_t left, stored type, split by)
{
    for (int half = 0; half < 2; half++) {
        vec a[TILE_M];
        UNROLLED for (int i = 0; i < tm; i++)
            a[i] = v_load_n((const float *)(const void *)x_at(t, sizeof(float), TILE_M, i,
                                                              k) + half * LANES, LANES);
        UNROLLED for (int j = 0; j < TILE_N; j++) {
            vec b = half_of_w(t, j, from, k, left, type, by, half);
            UNROLLED for (int i = 0; i < tm; i++) sum[i][j] = v_fma(a[i], b, sum[i][j]);
        }
    }
}

/* Few rows: the side with fewer of them stays in registers, the other passes by, one register of it
 * at a time where it is x. */
INLINE void add_stored(int tm, int tn, vec sum[MOST_M][TILE_N], const tile_job *t, size_t k,
                       size_t left, stored type, split by)
{
    pair a[MOST_M], b[TILE_N];
    UNROLLED for (int i = 0; i < tm && tm <= tn; i++)
        a[i] = packed_pair(x_at(t, sizeof(float), tm, i, k));
    UNROLLED for (int j = 0; j < tn; j++) {
        b[j] = pair_in_registers(stored_pair(t->row[j], k, left, type, by));
        UNROLLED for (int i = 0; i < tm && tm <= tn; i++)
            sum[i][j] = v_fma(a[i].a, b[j].a, sum[i][j]);
        UNROLLED for (int i = 0; i < tm && tm <= tn; i++)
            sum[i][j] = v_fma(a[i].b, b[j].b, sum[i][j]);
    }
    UNROLLED for (int i = 0; i < tm && tm > tn; i++) {
        const float *x = (const float *)(const void *)x_at(t, sizeof(float), tm, i, k);
        vec half = v_in_register(v_load_n(x, LANES));
        UNROLLED for (int j = 0; j < tn; j++) sum[i][j] = v_fma(half, b[j].a, sum[i][j]);
        half = v_in_register(v_load_n(x + LANES, LANES));
        UNROLLED for (int j = 0; j < tn; j++) sum[i][j] = v_fma(half, b[j].b, sum[i][j]);
    }
}

INLINE void put_halves(char *to, const float *x, size_t left)
{
    v_store_n((float *)(void *)to, LANES, v_load_n(x, left));
    v_store_n((float *)(void *)to + LANES, LANES,
              v_load_n(x + LANES, left > LANES ? left - LANES : 0));
}

INLINE void put_even_odd(char *to, const float *x, size_t left)
{
    vec a = v_round_bf16(v_load_n(x, left)),
        b = v_round_bf16(v_load_n(x + LANES, left > LANES ? left - LANES : 0));
    v_store_n((float *)(void *)to, LANES, v_evens_of(a, b));
    v_store_n((float *)(void *)to + LANES, LANES, v_odds_of(a, b));
}

void K(pack_f32)(void *to, const float *x, size_t ldx, size_t m, size_t k_len)
{
    pack_x(put_halves, sizeof(float), to, x, ldx, m, k_len);
}

void K(pack_bf16)(void *to, const float *x, size_t ldx, size_t m, size_t k_len)
{
    pack_x(put_even_odd, sizeof(float), to, x, ldx, m, k_len);
}

/* One row of a strip of so many, as it lies packed: to f16 in its own unit. */
INLINE void round_f16(float *at, size_t rows, size_t k_len)
{
    vec largest = v_zero();
    for (size_t k = 0; k < k_len; k += STEP)
        for (size_t half = 0; half < STEP; half += LANES)
            largest = v_max(v_abs(v_load_n(at + k * rows + half, LANES)), largest);
    float unit = k_f16_unit(v_max_of(largest));
    for (size_t k = 0; k < k_len; k += STEP)
        for (size_t half = 0; half < STEP; half += LANES) {
            float *p = at + k * rows + half;
            v_store_n(p, LANES,
                      v_mul(v_round_f16(v_mul(v_load_n(p, LANES), v_all(unit))), v_all(1 / unit)));
        }
}

void K(pack_f16)(void *to, const float *x, size_t ldx, size_t m, size_t k_len)
{
    size_t rows = m <= FEW_M ? m : TILE_M;
    K(pack_f32)(to, x, ldx, m, k_len);
    for (size_t i = 0; i < m; i++)
        round_f16((float *)to + i / rows * rows * rounded_up(k_len, STEP) + i % rows * STEP, rows,
                  k_len);
}

#define GEMM(slot, type, by)                                                                      \
    INLINE void slot##_step(int tm, int tn, source from, vec sum[MOST_M][TILE_N],                 \
                            const tile_job *t, size_t k, bool whole)                              \
    {                                                                                             \
        size_t left = whole ? STEP : t->k_len - k;                                                \
        if (from == STORED) add_stored(tm, tn, sum, t, k, left, type, by);                        \
        else add_many(tm, from, sum, t, k, left, type, by);                                       \
    }                                                                                             \
    void K(slot)(float *y, size_t ldy, const void *x, const void *w, size_t ldw, size_t m,        \
                 size_t n, size_t k_len)                                                          \
    {                                                                                             \
        const gemm_kind kind = { sizeof(float), stored_bytes(type), sizeof(float), slot##_step }; \
        gemm_walk(&kind, y, ldy, x, w, ldw, m, n, k_len);                                         \
    }

GEMM(gemm_f32_f32, STORED_F32, HALVES)
GEMM(gemm_f32_bf16, STORED_BF16, HALVES)
GEMM(gemm_f32_f16, STORED_F16, HALVES)
GEMM(gemm_bf16_bf16, STORED_BF16, EVEN_ODD)

/* What pack_f16 packs is f32. */
void K(gemm_f16_f16)(float *y, size_t ldy, const void *x, const void *w, size_t ldw, size_t m,
                     size_t n, size_t k_len)
{
    K(gemm_f32_f16)(y, ldy, x, w, ldw, m, n, k_len);
}
