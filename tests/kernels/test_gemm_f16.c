/* What the products of f16 add to the others of test_gemm.c, on every instruction set: rows of x in
 * their own units, sums beyond f16. CTest runs it. */
#include "kernels/check.h"
#include "kernels/unit.h"

enum { ISAS = 16, ROWS = 11, N = 21, K = 700 };

/* The scalar set and those that bring a product of their own. */
static size_t all_tables(const tern_kernels **tables)
{
    size_t n = usable_tables(tables + 1, ISAS - 1), kept = 1;
    tables[0] = &tern_kernels_scalar;
    for (size_t t = 1; t <= n; t++)
        if (tables[t]->gemm_f16_f16) tables[kept++] = tables[t];
    return kept;
}

static void product(const tern_kernels *t, const guarded *packed, float *y, const float *x, const uint16_t *w, size_t m)
{
    run_gemm(t->pack_f16, t->gemm_f16_f16, packed, y, N, x, K, w, K, m, N, K);
}

/* The formula in double: x and w as they were given, so that the rounding of x counts. */
static double dot(const float *x, const uint16_t *w, double *magnitude)
{
    double sum = 0;
    *magnitude = 0;
    for (size_t k = 0; k < K; k++) {
        sum += (double)x[k] * tern_f32_from_f16(w[k]);
        *magnitude += fabs((double)x[k] * tern_f32_from_f16(w[k]));
    }
    return sum;
}

typedef struct unit_row {
    float scale, one;    /* all numbers times scale; one of them instead, where it is not 0 */
    bool finite;
    const char *why;
} unit_row;

static const unit_row unit_rows[ROWS] = {
    { 1, 0, true, "numbers about 1" },
    { 0, 0, true, "zeros" },
    { 65504, 0, true, "the largest of f16" },
    { 1e30f, 0, true, "far beyond f16" },
    { 1e-6f, 0, true, "subnormal in f16" },
    { 1e-30f, 0, true, "far below f16" },
    { 1, 1000, true, "an outlier" },
    { 1, NAN, false, "a NaN" },
    { 1, INFINITY, false, "infinity" },
    { 1e30f, -INFINITY, false, "infinity among numbers beyond f16" },
    { 1, 0, true, "numbers about 1 behind rows that are not finite" },
};

/* A number is off by 2^-11 of itself, or of 2^-14 of the row's unit: 2^-27 of its largest; sums in
 * f16 by another 2^-11 of their products. */
static void test_units(void **state)
{
    const tern_kernels *tables[ISAS];
    size_t n_table = all_tables(tables);
    static float x[ROWS * K], y[ROWS * N], alone[N];
    static uint16_t w[N * K];
    guarded packed;
    rng r = { .s = 41 };
    (void)state;
    guarded_open(&packed, k_packed_bytes(ROWS, K));
    fill_rows(&r, x, 'f', ROWS, K, K);
    fill_rows(&r, w, 'h', N, K, K);
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t k = 0; k < K; k++) x[i * K + k] *= unit_rows[i].scale;
        if (unit_rows[i].one != 0) x[i * K + rng_below(&r, K)] = unit_rows[i].one;
    }
    for (size_t t = 0; t < n_table; t++) {
        product(tables[t], &packed, y, x, w, ROWS);
        for (size_t i = 0; i < ROWS; i++) {
            product(tables[t], &packed, alone, x + i * K, w, 1);
            if (memcmp(alone, y + i * N, sizeof alone))
                fail_msg("%s, %s: other bits alone", tables[t]->isa, unit_rows[i].why);
            for (size_t j = 0; j < N; j++) {
                double magnitude, got = y[i * N + j], want = dot(x + i * K, w + j * K, &magnitude),
                    slack = 0x1p-10 * magnitude + K * 0x1p-27 * (double)unit_rows[i].scale;
                if (unit_rows[i].finite ? !(fabs(got - want) <= slack) : !!isfinite(got))
                    fail_msg("%s, %s: output %zu is %.9g, not %.9g within %.3g", tables[t]->isa, unit_rows[i].why, j,
                             got, want, slack);
                if (isinf(unit_rows[i].one) && got != want)
                    fail_msg("%s, %s: output %zu is %g, not %g", tables[t]->isa, unit_rows[i].why, j, got, want);
            }
        }
    }
    guarded_close(&packed);
}

/* The row's largest number comes to lie in [4, 8), and the way back is exact. */
static void test_unit_of(void **state)
{
    static const float largest[] = { 4, 7.99f, 8, 1, 65504, 1e-3f, 1e30f, FLT_MAX, 0x1p-110f, 0x1.8p-109f };
    (void)state;
    for (size_t i = 0; i < sizeof largest / sizeof *largest; i++) {
        float unit = k_f16_unit(largest[i]), at = largest[i] * unit;
        if (!(at >= 4 && at < 8 && at * (1 / unit) == largest[i]))
            fail_msg("%g lies at %g", (double)largest[i], (double)at);
    }
    assert_true(isfinite(k_f16_unit(0)) && isfinite(1 / k_f16_unit(0)));
    assert_true(isfinite(k_f16_unit(FLT_TRUE_MIN)) && isfinite(1 / k_f16_unit(INFINITY)) && k_f16_unit(INFINITY) > 0);
}

typedef struct large_row {
    float w, every_other;
    const char *why;
} large_row;

/* Sums that f16 does not hold, in all of a product or in single outputs, come out as f32's:
 * products of f16 are exact, and 700 of them are off by some units in the last place of their
 * magnitude. */
static void test_beyond(void **state)
{
    static const large_row rows[] = {
        { 60000, 60000, "one product after the other is beyond f16" },
        { 60000, -60000, "both infinities would meet" },
        { 200, 200, "beyond f16 with many products" },
        { 2000, 0, "every other weight is 0" },
    };
    const tern_kernels *tables[ISAS];
    size_t n_table = all_tables(tables);
    static float x[8 * K], y[8 * N];
    static uint16_t w[N * K];
    guarded packed;
    (void)state;
    guarded_open(&packed, k_packed_bytes(8, K));
    for (size_t k = 0; k < 8 * K; k++) x[k] = 1 + (float)(k % 8) / 8;    /* of 11 bits: exact */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t j = 0; j < N; j++)
            for (size_t k = 0; k < K; k++) {
                float own = k % 2 ? rows[i].every_other : rows[i].w;
                w[j * K + k] = tern_f16_from_f32(j % 3 ? (float)(j + k) / 1024 : own);
            }
        for (size_t t = 0; t < n_table; t++) {
            product(tables[t], &packed, y, x, w, 8);
            for (size_t e = 0; e < 8 * N; e++) {
                double magnitude, want = dot(x + e / N * K, w + e % N * K, &magnitude),
                    slack = (e % N % 3 ? 0x1p-10 : 32 * FLT_EPSILON) * magnitude;
                if (!(fabs(y[e] - want) <= slack))
                    fail_msg("%s, %s: y[%zu,%zu] is %.9g, not %.9g within %.3g", tables[t]->isa, rows[i].why, e / N,
                             e % N, (double)y[e], want, slack);
            }
        }
    }
    guarded_close(&packed);
}

typedef struct packed_row {
    size_t m, n, k;
    float scale;
    const char *why;
} packed_row;

/* A packed matrix gives the bits that it gave as stored. */
static void test_packed(void **state)
{
    enum { MOST_M = 37, MOST_N = 64, MOST_K = 1544 };
    static const packed_row rows[] = {
        { 1, 16, 8, 1, "one panel of one chunk" },
        { 1, 64, 1544, 1, "one row, blocks of k that end between" },
        { 32, 48, 384, 1, "a sentence" },
        { 37, 16, 776, 1, "strips and a last one of one row" },
        { 13, 32, 400, 30000, "sums beyond f16, which go through the matrix once more" },
    };
    const tern_kernels *tables[ISAS];
    size_t n_table = usable_tables(tables, ISAS);
    static float x[MOST_M * MOST_K], stored[MOST_M * MOST_N], prepacked[MOST_M * MOST_N];
    static uint16_t w[MOST_N * MOST_K];
    guarded packed, order;
    rng r = { .s = 43 };
    (void)state;
    guarded_open(&packed, k_packed_bytes(MOST_M, MOST_K));
    guarded_open(&order, sizeof w);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const packed_row *row = &rows[i];
        fill_rows(&r, x, 'f', row->m, row->k, row->k);
        for (size_t e = 0; e < row->n * row->k; e++) w[e] = tern_f16_from_f32(rng_unit(&r) * row->scale);
        for (size_t t = 0; t < n_table; t++) {
            if (!tables[t]->prepack_f16) continue;
            uint16_t *to = guarded_end(&order, row->n * row->k, sizeof *to);
            tables[t]->prepack_f16(to, w, row->n, row->k);
            run_gemm(tables[t]->pack_f16, tables[t]->gemm_f16_f16, &packed, stored, row->n, x, row->k, w, row->k,
                     row->m, row->n, row->k);
            run_gemm(tables[t]->pack_f16, tables[t]->gemm_f16_packed, &packed, prepacked, row->n, x, row->k, to, row->k,
                     row->m, row->n, row->k);
            if (memcmp(stored, prepacked, row->m * row->n * sizeof *prepacked))
                fail_msg("%s: %s: other bits", tables[t]->isa, row->why);
        }
    }
    guarded_close(&packed);
    guarded_close(&order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unit_of),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_beyond),
        cmocka_unit_test(test_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
