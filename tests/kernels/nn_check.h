/* y (+)= a b of one instruction set on many shapes: against the scalar twin, and bit for bit
 * against itself however the work is cut; and exponentials that are left packed for it. Arrays end
 * at a forbidden page and are aligned to their element only; what lies between rows is NaN.
 * Included by test_gemm_nn.c, and by test_amx_nn_model.c for tiles that the CPU lacks. */
#ifndef TERN_TESTS_KERNELS_NN_CHECK_H
#define TERN_TESTS_KERNELS_NN_CHECK_H

#include "kernels/check.h"
#include "kernels/rows.h"

enum { NN_ARRAYS = 7, NN_MOST = 1 << 16 };

typedef struct nn_case {
    const gemm_slot *slot;
    k_gemm_nn_fn *run, *twin;
    k_pack_nn_fn *pack, *twin_pack;    /* null: a enters as it is */
    const char *isa;
    gemm_shape s;
    size_t lda, ldb, ldy, count;
    bool add, pairs;      /* b of bf16 lies in pairs of k */
    const float *a, *twin_a;    /* as each packs it; the twin's are the numbers themselves */
    const char *b, *next;
    float *start, *y, *want, *again;
} nn_case;

static gemm_shape shape_at(size_t at, rng *r)
{
    if (at < N_ROWS(gemm_nn_rows)) return gemm_nn_rows[at];
    at -= N_ROWS(gemm_nn_rows);
    if (at < N_ROWS(gemm_nn_bench_rows)) return gemm_nn_bench_rows[at];
    return (gemm_shape){ rng_size(r, 40), rng_size(r, 200), rng_size(r, 140), "by seed" };
}

/* Where b[k,j] lies. */
static size_t place(const nn_case *c, size_t k, size_t j)
{
    return c->pairs ? (k / 2 * c->ldb + j) * 2 + k % 2 : k * c->ldb + j;
}

/* The half pair behind an odd k is NaN. */
static char *make_b(nn_case *c, const guarded *g, rng *r)
{
    const gemm_shape *s = &c->s;
    size_t rows = c->pairs ? (s->k + 1) / 2 : s->k, wide = c->pairs ? 2 : 1,
        n = extent(rows, wide * s->n, wide * c->ldb);
    char *b = guarded_end(g, n, size_of(c->slot->w));
    fill_rows(r, b, c->slot->w, rows, wide * s->n, wide * c->ldb);
    for (size_t j = 0; c->pairs && s->k % 2 && j < s->n; j++)
        narrow(b, place(c, s->k, j), 'b', NAN);
    /* nothing that may be touched */
    c->next = rng_below(r, 2) ? b + n * size_of(c->slot->w) : NULL;
    return b;
}

/* Rows of a; packed ones are whole cells, in whole lines, NaN behind their numbers. */
static void make_a(nn_case *c, const guarded *g, const guarded *twin, rng *r)
{
    const gemm_shape *s = &c->s;
    c->lda = s->k + (rng_below(r, 2) ? rng_below(r, 9) : 0);
    if (c->pack) c->lda = (s->k + NN_CELL - 1) / NN_CELL * NN_CELL + (rng_below(r, 2) ? 16 : 0);
    size_t count = extent(s->m, c->pack ? (s->k + NN_CELL - 1) / NN_CELL * NN_CELL : s->k, c->lda);
    float *a = guarded_end(g, count, sizeof(float)),
        *same = guarded_end(twin, count, sizeof(float));
    fill_rows(r, a, 'f', s->m, s->k, c->lda);
    for (size_t i = s->m ? (s->m - 1) * c->lda + s->k : 0; i < count; i++) a[i] = NAN;
    memcpy(same, a, count * sizeof *a);
    for (size_t i = 0; c->pack && i < s->m; i++) {
        c->pack(a + i * c->lda, s->k);
        c->twin_pack(same + i * c->lda, s->k);
    }
    c->a = a;
    c->twin_a = same;
}

static void case_prepare(nn_case *c, const guarded g[NN_ARRAYS], rng *r)
{
    const gemm_shape *s = &c->s;
    c->ldb = s->n + (rng_below(r, 2) ? rng_below(r, 9) : 0);
    c->ldy = s->n + (rng_below(r, 2) ? rng_below(r, 9) : 0);
    c->add = rng_below(r, 2);
    c->count = extent(s->m, s->n, c->ldy);
    make_a(c, &g[0], &g[6], r);
    c->b = make_b(c, &g[1], r);
    c->start = guarded_end(&g[2], c->count, sizeof(float));
    c->y = guarded_end(&g[3], c->count, sizeof(float));
    c->want = guarded_end(&g[4], c->count, sizeof(float));
    c->again = guarded_end(&g[5], c->count, sizeof(float));
    for (size_t i = 0; i < c->count; i++)
        c->start[i] = c->add && i % c->ldy < s->n ? rng_unit(r) : -12345;
    memcpy(c->y, c->start, c->count * sizeof(float));
    memcpy(c->want, c->start, c->count * sizeof(float));
}

/* Both add the same products, in the same order but where pairs are added; one may round each
 * product once more. See test_gemm.c for the square root. */
static double tolerance(size_t k, double magnitude)
{
    return (2 + sqrt((double)k) / 2) * FLT_EPSILON * magnitude;
}

static void check_twin(const nn_case *c)
{
    const gemm_shape *s = &c->s;
    c->twin(c->want, c->ldy, c->twin_a, c->lda, c->b, c->ldb, s->m, s->n, s->k, c->add, NULL);
    for (size_t at = 0; at < c->count; at++) {
        size_t i = at / c->ldy, j = at % c->ldy;
        double got = c->y[at], want = c->want[at],
            magnitude = c->add && j < s->n ? fabs((double)c->start[at]) : 0;
        for (size_t k = 0; j < s->n && k < s->k; k++)
            magnitude +=
                fabs((double)c->twin_a[i * c->lda + k] * widen(c->b, place(c, k, j), c->slot->w));
        if (!(fabs(got - want) <= tolerance(s->k, magnitude)))
            fail_msg("%s %s: y[%zu,%zu] of %zu x %zu x %zu (%s) is %.9g, the scalar twin has %.9g",
                     c->isa, c->slot->name, i, j, s->m, s->n, s->k, s->why, got, want);
    }
}

static void same_bits(const nn_case *c, const char *how)
{
    for (size_t i = 0; i < c->count; i++)
        if (memcmp(&c->y[i], &c->again[i], sizeof(float)))
            fail_msg("%s %s: y[%zu,%zu] of %zu x %zu x %zu is %a, and %a %s", c->isa, c->slot->name,
                     i / c->ldy, i % c->ldy, c->s.m, c->s.n, c->s.k, (double)c->y[i],
                     (double)c->again[i], how);
}

/* The part [i, i+m) x [j, j+n) over [k, k+len) of the sum; k is even where b lies in pairs, and a
 * whole cell where a is packed. */
static void run_part(const nn_case *c, size_t i, size_t m, size_t j, size_t n, size_t k, size_t len,
                     bool add)
{
    if (m && n)
        c->run(c->again + i * c->ldy + j, c->ldy, c->a + i * c->lda + k, c->lda,
               c->b + place(c, k, j) * size_of(c->slot->w), c->ldb, m, n, len, add, c->next);
}

static void check_cuts(const nn_case *c, rng *r)
{
    const gemm_shape *s = &c->s;
    size_t m0 = rng_below(r, s->m + 1), n0 = rng_below(r, s->n + 1), k0 = rng_below(r, s->k + 1);
    if (c->pairs) k0 -= k0 % 2;
    if (c->pack) k0 -= k0 % NN_CELL;
    memcpy(c->again, c->start, c->count * sizeof(float));
    for (size_t i = 0; i < s->m; i++) run_part(c, i, 1, 0, s->n, 0, s->k, c->add);
    same_bits(c, "row by row");

    memcpy(c->again, c->start, c->count * sizeof(float));
    for (int part = 0; part < 4; part++)
        run_part(c, part & 1 ? m0 : 0, part & 1 ? s->m - m0 : m0, part & 2 ? n0 : 0,
                 part & 2 ? s->n - n0 : n0, 0, s->k, c->add);
    same_bits(c, "in four parts");

    memcpy(c->again, c->start, c->count * sizeof(float));
    run_part(c, 0, s->m, 0, s->n, 0, k0, c->add);
    if (k0 < s->k) run_part(c, 0, s->m, 0, s->n, k0, s->k - k0, true);
    same_bits(c, "with the sum taken up again in its middle");
}

/* The slot of the merged table k. */
static void check_products(const tern_kernels *k, const gemm_slot *slot, size_t shapes)
{
    guarded g[NN_ARRAYS];
    rng r = { .s = 11 };
    nn_case c = { .slot = slot, .pairs = slot->w == 'b', .isa = k->isa };
    c.run = (k_gemm_nn_fn *)slot_of(k, slot->offset);
    c.twin = (k_gemm_nn_fn *)slot_of(&tern_kernels_scalar, slot->offset);
    if (slot->pack) {
        c.pack = (k_pack_nn_fn *)slot_of(k, slot->pack);
        c.twin_pack = (k_pack_nn_fn *)slot_of(&tern_kernels_scalar, slot->pack);
    }
    for (size_t i = 0; i < NN_ARRAYS; i++) guarded_open(&g[i], NN_MOST * sizeof(float));
    for (size_t at = 0; at < shapes; at++) {
        c.s = shape_at(at, &r);
        case_prepare(&c, g, &r);
        c.run(c.y, c.ldy, c.a, c.lda, c.b, c.ldb, c.s.m, c.s.n, c.s.k, c.add, c.next);
        check_twin(&c);
        check_cuts(&c, &r);
    }
    for (size_t i = 0; i < NN_ARRAYS; i++) guarded_close(&g[i]);
}

/* A row of n scores, and what stands in it beside numbers. */
static void make_scores(float *s, size_t n, size_t at, rng *r)
{
    for (size_t i = 0; i < n; i++) s[i] = 20 * rng_unit(r);
    for (size_t i = 0; i < n && at % 8 == 0; i++) s[i] = -INFINITY;
    for (size_t i = 0; i < n && at % 8 == 1; i += 1 + rng_below(r, 9)) s[i] = -INFINITY;
    if (n && at % 8 == 2) s[rng_below(r, n)] = NAN;
    if (n && at % 8 == 3) s[rng_below(r, n)] = INFINITY;
}

static bool same_float(float a, float b)
{
    return (isnan(a) && isnan(b)) || !memcmp(&a, &b, sizeof a);
}

/* Exponentials that are left packed: the largest, the sum, and every product with them are those of
 * exp_row and packing. */
static void check_weights(const tern_kernels *k, const gemm_slot *slot, size_t shapes)
{
    enum { MOST_N = 256, COLUMNS = 5 };
    _Alignas(64) float fused[MOST_N], apart[MOST_N];
    uint16_t b[MOST_N * COLUMNS];
    k_pack_nn_fn *pack = (k_pack_nn_fn *)slot_of(k, slot->pack);
    k_exp_row_fn *exp_row = (k_exp_row_fn *)slot_of(k, slot->exp);
    k_gemm_nn_fn *product = (k_gemm_nn_fn *)slot_of(k, slot->offset);
    rng r = { .s = 29 };
    for (size_t at = 0; at < shapes; at++) {
        size_t n = at < 2 * MOST_N ? at / 2 : rng_size(&r, MOST_N),
            whole = (n + NN_CELL - 1) / NN_CELL * NN_CELL;
        float y[2][COLUMNS], max[2], sum[2];
        make_scores(fused, n, rng_below(&r, 16), &r);
        memcpy(apart, fused, n * sizeof *fused);
        fill_rows(&r, b, 'b', 1, MOST_N * COLUMNS, MOST_N * COLUMNS);
        sum[0] = exp_row(fused, n, &max[0]);
        sum[1] = k->exp_row(apart, n, &max[1]);
        pack(apart, n);
        product(y[0], COLUMNS, fused, MOST_N, b, COLUMNS, 1, COLUMNS, whole, false, NULL);
        product(y[1], COLUMNS, apart, MOST_N, b, COLUMNS, 1, COLUMNS, whole, false, NULL);
        if (!same_float(max[0], max[1]) || !same_float(sum[0], sum[1]))
            fail_msg("%s: %zu scores: max %a, sum %a, not %a, %a", k->isa, n, (double)max[0],
                     (double)sum[0], (double)max[1], (double)sum[1]);
        for (size_t j = 0; j < COLUMNS; j++)
            if (!same_float(y[0][j], y[1][j]))
                fail_msg("%s: %zu scores weigh column %zu as %a, not %a", k->isa, n, j,
                         (double)y[0][j], (double)y[1][j]);
    }
}

#endif
