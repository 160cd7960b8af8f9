/* y = x w^T on every instruction set: against the scalar twin, and bit for bit against itself
 * however the work is cut. CTest runs it. Arrays end at a forbidden page and are aligned to their
 * element only; what lies between rows is NaN. */
#include "kernels/check.h"
#include "kernels/rows.h"

enum { SHAPES = 1000, ISAS = 16, MOST = 1 << 20 };

typedef struct arrays {
    guarded x, packed, w, y, want, again;
} arrays;

static void arrays_open(arrays *a)
{
    guarded_open(&a->x, MOST * sizeof(float));
    guarded_open(&a->packed, 2 * MOST * sizeof(float));
    guarded_open(&a->w, MOST * sizeof(float));
    guarded_open(&a->y, MOST * sizeof(float));
    guarded_open(&a->want, MOST * sizeof(float));
    guarded_open(&a->again, MOST * sizeof(float));
}

static void arrays_close(arrays *a)
{
    guarded_close(&a->x);
    guarded_close(&a->packed);
    guarded_close(&a->w);
    guarded_close(&a->y);
    guarded_close(&a->want);
    guarded_close(&a->again);
}

/* What the vector kernels leave behind their blocks of 96 rows. */
static const gemm_shape block_rows[] = {
    { 97, 19, 67, "one row behind a block" },
    { 194, 9, 300, "two rows behind two blocks" },
};

/* The table's rows come first, then shapes by the generator, every sixth of which has a long sum
 * and few outputs; then rows behind blocks. */
static gemm_shape shape_at(size_t at, rng *r)
{
    if (at < N_ROWS(gemm_rows)) return gemm_rows[at];
    if (at >= SHAPES) return block_rows[at - SHAPES];
    gemm_shape s = { .why = "by seed" };
    bool is_long = at % 6 == 0;
    s.m = rng_size(r, is_long ? 7 : 60);
    s.n = rng_size(r, is_long ? 20 : 90);
    s.k = rng_size(r, is_long ? 5000 : 700);
    return s;
}

/* A sum of k products of random sign of rounding: the scalar chain errs by about sqrt(k) half-units
 * of the partial sums, which stay below
 * sum |x w|; the lanes err less. Two units are for the last additions of the tree. One product of k
 * lost or doubled is far outside. */
static double tolerance(size_t k, double magnitude)
{
    return (2 + sqrt((double)k) / 2) * FLT_EPSILON * magnitude + (double)k * FLT_MIN;
}

/* A set that adds in f16 rounds each partial sum of a chain of up to 64 products, and of three more
 * levels, by 0.41 * 2^-11 of it in the mean square; signs are random, so that the partial sums have
 * half the chain's products each, in the mean, and their errors add by squares: 8 times what is
 * expected. squares: the sum of (x w)^2. */
static double tolerance_f16(size_t k, double squares)
{
    double chain = k < 512 ? (double)k / 8 + 1 : 64;
    return 8 * 0.41 * 0x1p-11 * sqrt((chain / 2 + 3) * squares);
}

/* What an output may be off by. */
typedef struct size_of_sum {
    double magnitude, squares;
} size_of_sum;

static double slack_of(const tern_kernels *table, const gemm_slot *slot, size_t k, size_of_sum s)
{
    return tolerance(k, s.magnitude) + (slot->x == 'h' && table->peak_f16 ? tolerance_f16(k, s.squares) : 0);
}

static void add_product(size_of_sum *s, double product)
{
    s->magnitude += fabs(product);
    s->squares += product * product;
}

typedef struct gemm_case {
    const gemm_slot *slot;
    k_pack_fn *pack, *twin_pack;
    k_gemm_fn *run, *twin;
    const guarded *packed;
    const tern_kernels *table;
    const char *isa;
    gemm_shape s;
    size_t ldx, ldw, ldy;
    const float *x;
    const void *w;
    float *y, *want, *again;
} gemm_case;

static void case_prepare(gemm_case *c, const arrays *a, rng *r)
{
    const gemm_shape *s = &c->s;
    c->ldx = s->k + (rng_below(r, 2) ? rng_below(r, 9) : 0);
    c->ldw = s->k + (rng_below(r, 2) ? rng_below(r, 9) : 0);
    c->ldy = s->n + (rng_below(r, 2) ? rng_below(r, 9) : 0);
    float *x = guarded_end(&a->x, extent(s->m, s->k, c->ldx), sizeof(float));
    void *w = guarded_end(&a->w, extent(s->n, s->k, c->ldw), size_of(c->slot->w));
    size_t count = extent(s->m, s->n, c->ldy);
    c->y = guarded_end(&a->y, count, sizeof(float));
    c->want = guarded_end(&a->want, count, sizeof(float));
    c->again = guarded_end(&a->again, count, sizeof(float));
    fill_rows(r, x, 'f', s->m, s->k, c->ldx);
    fill_rows(r, w, c->slot->w, s->n, s->k, c->ldw);
    c->packed = &a->packed;
    for (size_t i = 0; i < count; i++) c->y[i] = c->want[i] = c->again[i] = -12345;
    c->x = x;
    c->w = w;
}

/* m rows of x by n of w from row i and row j on. */
static void multiply(const gemm_case *c, float *y, size_t i, size_t j, size_t m, size_t n)
{
    const char *w = c->w;
    run_gemm(c->pack, c->run, c->packed, y + i * c->ldy + j, c->ldy, c->x + i * c->ldx, c->ldx,
             w + j * c->ldw * size_of(c->slot->w), c->ldw, m, n, c->s.k);
}

static float rounded(float v, char type)
{
    return type == 'b' ? tern_f32_from_bf16(tern_bf16_from_f32(v)) : v;
}

static void check_twin(const gemm_case *c)
{
    const gemm_shape *s = &c->s;
    run_gemm(c->twin_pack, c->twin, c->packed, c->want, c->ldy, c->x, c->ldx, c->w, c->ldw, s->m, s->n, s->k);
    for (size_t i = 0; i < s->m; i++)
        for (size_t j = 0; j < c->ldy && (i + 1 < s->m || j < s->n); j++) {
            size_of_sum size = { 0 };
            double got = c->y[i * c->ldy + j], want = c->want[i * c->ldy + j];
            for (size_t k = 0; j < s->n && k < s->k; k++)
                add_product(&size, (double)rounded(c->x[i * c->ldx + k],
                                                   c->slot->x) * widen(c->w, j * c->ldw + k, c->slot->w));
            if (!(fabs(got - want) <= slack_of(c->table, c->slot, s->k, size)))
                fail_msg("%s %s: y[%zu,%zu] of %zu x %zu x %zu (%s) is %.9g, the scalar twin has %.9g", c->isa,
                         c->slot->name, i, j, s->m, s->n, s->k, s->why, got, want);
        }
}

static void same_bits(const gemm_case *c, const char *how)
{
    size_t count = extent(c->s.m, c->s.n, c->ldy);
    for (size_t i = 0; i < count; i++)
        if (memcmp(&c->y[i], &c->again[i], sizeof(float)))
            fail_msg("%s %s: y[%zu,%zu] of %zu x %zu x %zu is %a, and %a %s", c->isa, c->slot->name, i / c->ldy,
                     i % c->ldy, c->s.m, c->s.n, c->s.k, (double)c->y[i], (double)c->again[i], how);
}

/* Row by row, then in two random cuts of n and of m: the bits of an output depend on its own x, w
 * and k alone. */
static void check_cuts(const gemm_case *c, rng *r)
{
    const gemm_shape *s = &c->s;
    size_t count = extent(s->m, s->n, c->ldy);
    for (size_t i = 0; i < s->m; i++) multiply(c, c->again, i, 0, 1, s->n);
    same_bits(c, "row by row");

    for (size_t i = 0; i < count; i++) c->again[i] = -12345;
    size_t n0 = rng_below(r, s->n + 1), m0 = rng_below(r, s->m + 1);
    for (int part = 0; part < 4; part++) {
        size_t i = part & 1 ? m0 : 0, j = part & 2 ? n0 : 0, m = part & 1 ? s->m - m0 : m0,
            n = part & 2 ? s->n - n0 : n0;
        if (m && n) multiply(c, c->again, i, j, m, n);
    }
    same_bits(c, "in four parts");
}

static void test_shapes(void **state)
{
    const tern_kernels *tables[ISAS];
    size_t n_table = usable_tables(tables, ISAS);
    arrays a;
    (void)state;
    arrays_open(&a);
    for (size_t t = 0; t < n_table; t++)
        for (size_t i = 0; i < N_ROWS(gemm_slots); i++) {
            gemm_case c = { .slot = &gemm_slots[i], .table = tables[t], .isa = tables[t]->isa };
            c.run = (k_gemm_fn *)slot_of(tables[t], gemm_slots[i].offset);
            c.twin = (k_gemm_fn *)slot_of(&tern_kernels_scalar, gemm_slots[i].offset);
            if (!c.run) continue;
            c.pack = (k_pack_fn *)slot_of(tables[t], gemm_slots[i].pack);
            c.twin_pack = (k_pack_fn *)slot_of(&tern_kernels_scalar, gemm_slots[i].pack);
            if (!c.pack) fail_msg("%s brings %s, but not its packing", c.isa, c.slot->name);
            rng r = { .s = 7 };
            for (size_t at = 0; at < SHAPES + N_ROWS(block_rows); at++) {
                c.s = shape_at(at, &r);
                case_prepare(&c, &a, &r);
                multiply(&c, c.y, 0, 0, c.s.m, c.s.n);
                check_twin(&c);
                check_cuts(&c, &r);
            }
        }
    arrays_close(&a);
}

/* n numbers of a type: a random block, again and again. Its length is a prime, so that no two rows
 * of a product are alike. */
static void *repeated(char type, size_t n)
{
    enum { BLOCK = 65521 };
    size_t size = size_of(type);
    rng r = { .s = 23 };
    char *p = malloc(n * size);
    assert_non_null(p);
    fill_rows(&r, p, type, 1, n < BLOCK ? n : BLOCK, BLOCK);
    for (size_t at = BLOCK; at < n; at += BLOCK) memcpy(p + at * size, p, (n - at < BLOCK ? n - at : BLOCK) * size);
    return p;
}

/* 64 outputs of a large product, the last one among them, against the scalar twin of one output. */
static void check_sample(const gemm_slot *slot, const tern_kernels *table, const gemm_shape *s, const float *x,
                         const char *w, const guarded *packed, float *y)
{
    k_gemm_fn *run = (k_gemm_fn *)slot_of(table, slot->offset),
        *twin = (k_gemm_fn *)slot_of(&tern_kernels_scalar, slot->offset);
    k_pack_fn *pack = (k_pack_fn *)slot_of(table, slot->pack),
        *twin_pack = (k_pack_fn *)slot_of(&tern_kernels_scalar, slot->pack);
    rng r = { .s = 29 };
    memset(y, 0xFF, s->m * s->n * sizeof *y);
    run_gemm(pack, run, packed, y, s->n, x, s->k, w, s->k, s->m, s->n, s->k);
    for (size_t at = 0; at < 64; at++) {
        size_t i = at ? rng_below(&r, s->m) : s->m - 1, j = at ? rng_below(&r, s->n) : s->n - 1;
        const float *row = x + i * s->k;
        const char *by = w + j * s->k * size_of(slot->w);
        float want;
        size_of_sum size = { 0 };
        run_gemm(twin_pack, twin, packed, &want, 1, row, s->k, by, s->k, 1, 1, s->k);
        for (size_t k = 0; k < s->k; k++) add_product(&size, (double)rounded(row[k], slot->x) * widen(by, k, slot->w));
        if (!(fabs((double)y[i * s->n + j] - (double)want) <= slack_of(table, slot, s->k, size)))
            fail_msg("%s %s: y[%zu,%zu] of %zu x %zu x %zu (%s) is %.9g, the scalar twin has %.9g", table->isa,
                     slot->name, i, j, s->m, s->n, s->k, s->why, (double)y[i * s->n + j], (double)want);
    }
}

/* Small whole numbers, whose sums are exact in every type: one product lost or added twice is seen,
 * however long the sum. */
static void test_whole_numbers(void **state)
{
    const tern_kernels *tables[ISAS];
    size_t n_table = usable_tables(tables, ISAS);
    guarded packed;
    rng r = { .s = 31 };
    (void)state;
    guarded_open(&packed, 2 * MOST * sizeof(float));
    for (size_t at = 0; at < N_ROWS(gemm_rows) + 60; at++) {
        gemm_shape s = shape_at(at < N_ROWS(gemm_rows) ? at : 6 * at, &r);
        float *x = malloc((s.m * s.k + 1) * sizeof *x), *y = malloc((s.m * s.n + 1) * sizeof *y);
        char *w = malloc((s.n * s.k + 1) * sizeof(float));
        assert_true(x && y && w);
        for (size_t i = 0; i < N_ROWS(gemm_slots); i++) {
            const gemm_slot *slot = &gemm_slots[i];
            for (size_t e = 0; e < s.m * s.k; e++) x[e] = (float)rng_below(&r, 5) - 2;
            for (size_t e = 0; e < s.n * s.k; e++) narrow(w, e, slot->w, (float)rng_below(&r, 5) - 2);
            for (size_t t = 0; t < n_table; t++) {
                k_gemm_fn *gemm = (k_gemm_fn *)slot_of(tables[t], slot->offset);
                if (!gemm) continue;
                run_gemm((k_pack_fn *)slot_of(tables[t], slot->pack), gemm, &packed, y, s.n, x, s.k, w, s.k, s.m, s.n,
                         s.k);
                for (size_t e = 0; e < s.m * s.n; e++) {
                    float want = 0;
                    for (size_t k = 0; k < s.k; k++)
                        want += x[e / s.n * s.k + k] * widen(w, e % s.n * s.k + k, slot->w);
                    if (y[e] != want)
                        fail_msg("%s %s: y[%zu,%zu] of %zu x %zu x %zu is %g, not %g", tables[t]->isa, slot->name,
                                 e / s.n, e % s.n, s.m, s.n, s.k, (double)y[e], (double)want);
                }
            }
        }
        free(x);
        free(y);
        free(w);
    }
    guarded_close(&packed);
}

/* The rows that the benchmark times are right, too. */
static void test_bench_rows(void **state)
{
    enum { MOST_X = 512 * 5632, MOST_W = 32000 * 2048 };
    const tern_kernels *tables[ISAS];
    size_t n_table = usable_tables(tables, ISAS);
    float *y = malloc(MOST_X * sizeof *y);
    guarded packed;
    (void)state;
    assert_non_null(y);
    guarded_open(&packed, k_packed_bytes(512, 5632));
    for (size_t i = 0; i < N_ROWS(gemm_slots); i++) {
        const gemm_slot *slot = &gemm_slots[i];
        void *x = repeated('f', MOST_X), *w = repeated(slot->w, MOST_W);
        for (size_t t = 0; t < n_table; t++)
            for (size_t s = 0; s < N_ROWS(gemm_bench_rows); s++) {
                const gemm_shape *shape = &gemm_bench_rows[s];
                assert_true(shape->m * shape->k <= MOST_X && shape->m * shape->n <= MOST_X &&
                            shape->n * shape->k <= MOST_W);
                if (SANITIZED && shape->m * shape->n * shape->k > 100000000) continue;
                if (slot_of(tables[t], slot->offset)) check_sample(slot, tables[t], shape, x, w, &packed, y);
            }
        free(x);
        free(w);
    }
    guarded_close(&packed);
    free(y);
}

/* A NaN or an infinity of x or w reaches its own outputs and no others. */
static void test_not_finite(void **state)
{
    enum { M = 7, N = 19, K = 37 };
    static const float specials[] = { NAN, INFINITY, -INFINITY };
    const tern_kernels *tables[ISAS];
    size_t n_table = usable_tables(tables, ISAS);
    guarded packed;
    (void)state;
    guarded_open(&packed, k_packed_bytes(M, K));
    for (size_t t = 0; t < n_table; t++)
        for (size_t i = 0; i < N_ROWS(gemm_slots) * N_ROWS(specials); i++) {
            const gemm_slot *slot = &gemm_slots[i / N_ROWS(specials)];
            k_gemm_fn *gemm = (k_gemm_fn *)slot_of(tables[t], slot->offset);
            float x[M * K], w[N * K], y[M * N], special = specials[i % N_ROWS(specials)];
            rng r = { .s = i };
            if (!gemm) continue;
            fill_rows(&r, x, 'f', M, K, K);
            fill_rows(&r, w, slot->w, N, K, K);
            size_t row = rng_below(&r, M), at = rng_below(&r, K);
            x[row * K + at] = special;
            run_gemm((k_pack_fn *)slot_of(tables[t], slot->pack), gemm, &packed, y, N, x, K, w, K, M, N, K);
            for (size_t j = 0; j < M * N; j++)
                if ((j / N == row) == !!isfinite(y[j]))
                    fail_msg("%s %s: %g in row %zu of x, y[%zu,%zu] is %g", tables[t]->isa, slot->name, (double)special,
                             row, j / N, j % N, (double)y[j]);
        }
    guarded_close(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_whole_numbers),
        cmocka_unit_test(test_bench_rows),
        cmocka_unit_test(test_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
