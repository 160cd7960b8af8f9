/* y (+)= a b on every instruction set: against the scalar twin, and bit for bit against itself however the work is cut.
 * CTest runs it. Arrays end at a forbidden page and are aligned to their element only; what lies between rows is NaN. */
#include "kernels/check.h"
#include "kernels/rows.h"

enum { SHAPES = 1000, ISAS = 16, MOST = 1 << 16 };

typedef struct nn_case {
    const gemm_slot *slot;
    k_gemm_nn_fn *run, *twin;
    const char *isa;
    gemm_shape s;
    size_t lda, ldb, ldy, count;
    bool add, pairs;      /* b of bf16 lies in pairs of k */
    const float *a;
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
    size_t rows = c->pairs ? (s->k + 1) / 2 : s->k, wide = c->pairs ? 2 : 1, n = extent(rows, wide * s->n, wide * c->ldb);
    char *b = guarded_end(g, n, size_of(c->slot->w));
    fill_rows(r, b, c->slot->w, rows, wide * s->n, wide * c->ldb);
    for (size_t j = 0; c->pairs && s->k % 2 && j < s->n; j++) narrow(b, place(c, s->k, j), 'b', NAN);
    c->next = rng_below(r, 2) ? b + n * size_of(c->slot->w) : NULL;    /* nothing that may be touched */
    return b;
}

static void case_prepare(nn_case *c, const guarded g[6], rng *r)
{
    const gemm_shape *s = &c->s;
    c->lda = s->k + (rng_below(r, 2) ? rng_below(r, 9) : 0);
    c->ldb = s->n + (rng_below(r, 2) ? rng_below(r, 9) : 0);
    c->ldy = s->n + (rng_below(r, 2) ? rng_below(r, 9) : 0);
    c->add = rng_below(r, 2);
    c->count = extent(s->m, s->n, c->ldy);
    void *a = guarded_end(&g[0], extent(s->m, s->k, c->lda), sizeof(float));
    fill_rows(r, a, 'f', s->m, s->k, c->lda);
    c->a = a;
    c->b = make_b(c, &g[1], r);
    c->start = guarded_end(&g[2], c->count, sizeof(float));
    c->y = guarded_end(&g[3], c->count, sizeof(float));
    c->want = guarded_end(&g[4], c->count, sizeof(float));
    c->again = guarded_end(&g[5], c->count, sizeof(float));
    for (size_t i = 0; i < c->count; i++) c->start[i] = c->add && i % c->ldy < s->n ? rng_unit(r) : -12345;
    memcpy(c->y, c->start, c->count * sizeof(float));
    memcpy(c->want, c->start, c->count * sizeof(float));
}

/* Both chains add the same products in the same order; one may round each product once more. See test_gemm.c for the square root. */
static double tolerance(size_t k, double magnitude)
{
    return (2 + sqrt((double)k) / 2) * FLT_EPSILON * magnitude;
}

static void check_twin(const nn_case *c)
{
    const gemm_shape *s = &c->s;
    c->twin(c->want, c->ldy, c->a, c->lda, c->b, c->ldb, s->m, s->n, s->k, c->add, NULL);
    for (size_t at = 0; at < c->count; at++) {
        size_t i = at / c->ldy, j = at % c->ldy;
        double got = c->y[at], want = c->want[at], magnitude = c->add && j < s->n ? fabs((double)c->start[at]) : 0;
        for (size_t k = 0; j < s->n && k < s->k; k++) magnitude += fabs((double)c->a[i * c->lda + k] * widen(c->b, place(c, k, j), c->slot->w));
        if (!(fabs(got - want) <= tolerance(s->k, magnitude)))
            fail_msg("%s %s: y[%zu,%zu] of %zu x %zu x %zu (%s) is %.9g, the scalar twin has %.9g", c->isa, c->slot->name, i, j, s->m, s->n, s->k, s->why, got, want);
    }
}

static void same_bits(const nn_case *c, const char *how)
{
    for (size_t i = 0; i < c->count; i++)
        if (memcmp(&c->y[i], &c->again[i], sizeof(float)))
            fail_msg("%s %s: y[%zu,%zu] of %zu x %zu x %zu is %a, and %a %s", c->isa, c->slot->name, i / c->ldy, i % c->ldy, c->s.m, c->s.n, c->s.k,
                     (double)c->y[i], (double)c->again[i], how);
}

/* The part [i, i+m) x [j, j+n) over [k, k+len) of the sum; k is even where b lies in pairs. */
static void run_part(const nn_case *c, size_t i, size_t m, size_t j, size_t n, size_t k, size_t len, bool add)
{
    if (m && n)
        c->run(c->again + i * c->ldy + j, c->ldy, c->a + i * c->lda + k, c->lda, c->b + place(c, k, j) * size_of(c->slot->w), c->ldb, m, n, len, add, c->next);
}

static void check_cuts(const nn_case *c, rng *r)
{
    const gemm_shape *s = &c->s;
    size_t m0 = rng_below(r, s->m + 1), n0 = rng_below(r, s->n + 1), k0 = rng_below(r, s->k + 1);
    if (c->pairs) k0 -= k0 % 2;
    memcpy(c->again, c->start, c->count * sizeof(float));
    for (size_t i = 0; i < s->m; i++) run_part(c, i, 1, 0, s->n, 0, s->k, c->add);
    same_bits(c, "row by row");

    memcpy(c->again, c->start, c->count * sizeof(float));
    for (int part = 0; part < 4; part++)
        run_part(c, part & 1 ? m0 : 0, part & 1 ? s->m - m0 : m0, part & 2 ? n0 : 0, part & 2 ? s->n - n0 : n0, 0, s->k, c->add);
    same_bits(c, "in four parts");

    memcpy(c->again, c->start, c->count * sizeof(float));
    run_part(c, 0, s->m, 0, s->n, 0, k0, c->add);
    if (k0 < s->k) run_part(c, 0, s->m, 0, s->n, k0, s->k - k0, true);
    same_bits(c, "with the sum taken up again in its middle");
}

static void test_shapes(void **state)
{
    const tern_kernels *tables[ISAS];
    size_t n_table = usable_tables(tables, ISAS);
    guarded g[6];
    (void)state;
    for (size_t i = 0; i < N_ROWS(g); i++) guarded_open(&g[i], MOST * sizeof(float));
    for (size_t t = 0; t < n_table; t++)
        for (size_t i = 0; i < N_ROWS(gemm_nn_slots); i++) {
            nn_case c = { .slot = &gemm_nn_slots[i], .pairs = gemm_nn_slots[i].w == 'b', .isa = tables[t]->isa };
            c.run = (k_gemm_nn_fn *)slot_of(tables[t], gemm_nn_slots[i].offset);
            c.twin = (k_gemm_nn_fn *)slot_of(&tern_kernels_scalar, gemm_nn_slots[i].offset);
            if (!c.run) continue;
            rng r = { .s = 11 };
            for (size_t at = 0; at < SHAPES; at++) {
                c.s = shape_at(at, &r);
                case_prepare(&c, g, &r);
                c.run(c.y, c.ldy, c.a, c.lda, c.b, c.ldb, c.s.m, c.s.n, c.s.k, c.add, c.next);
                check_twin(&c);
                check_cuts(&c, &r);
            }
        }
    for (size_t i = 0; i < N_ROWS(g); i++) guarded_close(&g[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_shapes) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
