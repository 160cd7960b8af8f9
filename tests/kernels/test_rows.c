/* The kernels of one row (norms, activations, elementwise, rotations, conversions) on every
 * instruction set against the scalar twin. CTest runs it. Arrays end at a forbidden page and are
 * aligned to their element only. */
#include "kernels/check.h"
#include "kernels/rows.h"

enum { SHAPES = 1000, ISAS = 16, MOST = 4096 };

typedef struct row_arrays {
    guarded x, a, b, y, want, again;
} row_arrays;

typedef struct row_case {
    const row_slot *slot;
    const char *isa;
    any_fn *run, *twin;
    size_t n, total;             /* total: numbers in x and y; a rotation has 2n */
    const float *a, *b;          /* second and third argument, or null */
    const float *x;
    float scalar;                /* eps, alpha, cap */
    float *y, *want, *again;
} row_case;

typedef struct row_result {
    float max, sum;              /* of exp_row */
} row_result;

/* Calls f on numbers [from, from + n) of the row; y already holds x where the slot works in
 * place. */
static row_result call(const row_case *c, any_fn *f, float *y, const float *x, size_t from, size_t n)
{
    row_result r = { 0 };
    const float *a = c->a ? c->a + from : NULL;
    switch (c->slot->kind) {
    case EXP: r.sum = ((k_exp_row_fn *)f)(y + from, n, &r.max); break;
    case RMS: ((k_rms_row_fn *)f)(y, x, c->a, n, c->scalar); break;
    case LAYER_NORM: ((k_layer_norm_row_fn *)f)(y, x, c->a, c->b, n, c->scalar); break;
    case MAP: ((k_map_row_fn *)f)(y + from, x + from, n); break;
    case SOFTCAP: ((k_softcap_row_fn *)f)(y + from, x + from, c->scalar, n); break;
    case AXPB: ((k_axpb_row_fn *)f)(y + from, c->scalar, x + from, a, n); break;
    case MUL: ((k_mul_row_fn *)f)(y + from, x + from, a, n); break;
    case SCALE: ((k_scale_row_fn *)f)(y + from, c->scalar, x + from, n); break;
    case ROPE: ((k_rope_row_fn *)f)(y, c->a, c->b, n); break;
    }
    return r;
}

static float *random_row(const guarded *g, size_t n, float span, rng *r)
{
    float *p = guarded_end(g, n, sizeof *p);
    for (size_t i = 0; i < n; i++) p[i] = span * rng_unit(r);
    return p;
}

static void case_prepare(row_case *c, const row_arrays *g, rng *r, size_t n)
{
    row_kind kind = c->slot->kind;
    bool norm = kind == RMS || kind == LAYER_NORM;
    c->n = n;
    c->total = kind == ROPE ? 2 * n : n;
    c->x = random_row(&g->x, c->total, c->slot->span, r);
    c->a = kind == AXPB || kind == MUL || kind == ROPE || (norm && rng_below(r, 4)) ? random_row(&g->a, n, 1, r) : NULL;
    c->b = kind == ROPE || (kind == LAYER_NORM && rng_below(r, 4)) ? random_row(&g->b, n, 1, r) : NULL;
    if (norm) c->scalar = 1e-5f;
    else if (kind == SOFTCAP) c->scalar = 30 + 20 * rng_unit(r);
    else c->scalar = rng_unit(r);
    c->y = guarded_end(&g->y, c->total, sizeof(float));
    c->want = guarded_end(&g->want, c->total, sizeof(float));
    c->again = guarded_end(&g->again, c->total, sizeof(float));
    memcpy(c->y, c->x, c->total * sizeof(float));
    memcpy(c->want, c->x, c->total * sizeof(float));
    memcpy(c->again, c->x, c->total * sizeof(float));
}

static double input_size(const row_case *c, size_t i)
{
    if (c->slot->kind == ROPE) return c->slot->span;
    if (c->slot->kind == AXPB) return fabs((double)c->scalar * c->x[i]) + fabs((double)c->a[i]);
    if (c->slot->kind == LAYER_NORM) return c->a ? fabs((double)c->a[i]) : 1;
    return fabs((double)c->x[i]);
}

static void check_twin(const row_case *c)
{
    row_result got = call(c, c->run, c->y, c->x, 0, c->n), want = call(c, c->twin, c->want, c->x, 0, c->n);
    for (size_t i = 0; i < c->total; i++) {
        double y = c->y[i], w = c->want[i];
        double allowed = FLT_EPSILON * (c->slot->relative * fabs(w) + c->slot->by_input * input_size(c, i)) +
                         4 * (double)FLT_TRUE_MIN;
        if (!(fabs(y - w) <= allowed))
            fail_msg("%s %s: y[%zu] of %zu is %.9g for %.9g, the scalar twin has %.9g", c->isa, c->slot->name, i, c->n,
                     y, (double)c->x[i], w);
    }
    if (memcmp(&got.max, &want.max, sizeof got.max))
        fail_msg("%s %s: max %g, not %g", c->isa, c->slot->name, (double)got.max, (double)want.max);
    double allowed = FLT_EPSILON * (4 + sqrt((double)c->n)) * fabs((double)want.sum);
    if (!(fabs((double)got.sum - want.sum) <= allowed))
        fail_msg("%s %s: sum %.9g, not %.9g", c->isa, c->slot->name, (double)got.sum, (double)want.sum);
}

static void same_bits(const row_case *c, const char *how)
{
    for (size_t i = 0; i < c->total; i++)
        if (memcmp(&c->y[i], &c->again[i], sizeof(float)))
            fail_msg("%s %s: y[%zu] of %zu is %a, and %a %s", c->isa, c->slot->name, i, c->n, (double)c->y[i],
                     (double)c->again[i], how);
}

/* In place gives the same bits; so does a map in two parts, whose numbers know nothing of their
 * place. */
static void check_bits(const row_case *c, rng *r)
{
    row_kind kind = c->slot->kind;
    call(c, c->run, c->again, c->again, 0, c->n);
    same_bits(c, "in place");
    if (kind != MAP && kind != SOFTCAP && kind != AXPB && kind != MUL && kind != SCALE) return;
    size_t cut = rng_below(r, c->n + 1);
    call(c, c->run, c->again, c->x, 0, cut);
    call(c, c->run, c->again, c->x, cut, c->n - cut);
    same_bits(c, "in two parts");
}

/* -inf after the last number changes neither the sum nor what came before. */
static void check_masked_end(const row_case *c, const guarded *g, rng *r)
{
    size_t extra = rng_below(r, 100), n = c->n + extra;
    float *s = guarded_end(g, n, sizeof *s), max, sum, short_max, short_sum;
    for (size_t i = 0; i < n; i++) s[i] = i < c->n ? c->x[i] : -INFINITY;
    sum = ((k_exp_row_fn *)c->run)(s, n, &max);
    memcpy(c->again, c->x, c->n * sizeof(float));
    short_sum = ((k_exp_row_fn *)c->run)(c->again, c->n, &short_max);
    if (memcmp(&sum, &short_sum, sizeof sum) || memcmp(s, c->again, c->n * sizeof(float)))
        fail_msg("%s exp_row: %zu numbers and %zu times -inf have another sum than the numbers alone", c->isa, c->n,
                 extra);
    for (size_t i = c->n; i < n; i++) assert_true(s[i] == 0);
}

static void for_each_slot(void (*check)(row_case *c, const row_arrays *g))
{
    const tern_kernels *tables[ISAS];
    size_t n_table = usable_tables(tables, ISAS);
    row_arrays g;
    guarded *all[] = { &g.x, &g.a, &g.b, &g.y, &g.want, &g.again };
    for (size_t i = 0; i < N_ROWS(all); i++) guarded_open(all[i], 2 * MOST * sizeof(float));
    for (size_t t = 0; t < n_table; t++)
        for (size_t i = 0; i < N_ROWS(row_slots); i++) {
            row_case c = { .slot = &row_slots[i], .isa = tables[t]->isa,
                           .run = slot_of(tables[t], row_slots[i].offset) };
            c.twin = slot_of(&tern_kernels_scalar, row_slots[i].offset);
            if (c.run) check(&c, &g);
        }
    for (size_t i = 0; i < N_ROWS(all); i++) guarded_close(all[i]);
}

static void check_shapes(row_case *c, const row_arrays *g)
{
    rng r = { .s = 13 };
    for (size_t at = 0; at < SHAPES; at++) {
        size_t n = at + (c->slot->kind == RMS || c->slot->kind == LAYER_NORM);
        if (at >= 70) n = rng_size(&r, at % 8 ? 600 : MOST);
        case_prepare(c, g, &r, n);
        check_twin(c);
        check_bits(c, &r);
        if (c->slot->kind == EXP) check_masked_end(c, &g->y, &r);
    }
}

static void test_shapes(void **state)
{
    (void)state;
    for_each_slot(check_shapes);
}

static bool same_class(float a, float b)
{
    if (isnan(a)) return isnan(b);
    if (isinf(a)) return a == b;
    return isfinite(b) && (a != 0 || b != 0 || !signbit(a) == !signbit(b));
}

/* Zeros, subnormals, the largest numbers, infinities, NaN: each at every place of a register and
 * its tail. */
static void check_special(row_case *c, const row_arrays *g)
{
    static const float specials[] = { 0, -0.0f, 1e-40f, -1e-40f, 1e-30f, 1e10f, -1e10f, 88.8f, -88.8f, -104, 3e38f,
                                      -3e38f, INFINITY, -INFINITY, NAN };
    rng r = { .s = 17 };
    if (c->slot->kind != MAP && c->slot->kind != SOFTCAP) return;
    for (size_t at = 0; at < 16 * N_ROWS(specials); at++) {
        case_prepare(c, g, &r, 27);
        float *x = (float *)c->x;
        size_t place = at / N_ROWS(specials) * 7 % 27;
        x[place] = specials[at % N_ROWS(specials)];
        call(c, c->run, c->y, x, 0, c->n);
        call(c, c->twin, c->want, x, 0, c->n);
        for (size_t i = 0; i < c->n; i++)
            if (!same_class(c->want[i], c->y[i]) ||
                (isfinite(c->want[i]) &&
                 !(fabsf(c->y[i] - c->want[i]) <= 2e-6f * fmaxf(fabsf(x[i]), fabsf(c->want[i])) + 2e-44f)))
                fail_msg("%s %s: %g gives %g, the scalar twin %g", c->isa, c->slot->name, (double)x[i], (double)c->y[i],
                         (double)c->want[i]);
    }
}

static void test_special(void **state)
{
    (void)state;
    for_each_slot(check_special);
}

static void check_exp_special(row_case *c, const row_arrays *g)
{
    k_exp_row_fn *run = (k_exp_row_fn *)c->run;
    if (c->slot->kind != EXP) return;
    for (size_t n = 0; n < 70; n++) {
        float *s = guarded_end(&g->x, n, sizeof *s), max = 1, sum;
        for (size_t i = 0; i < n; i++) s[i] = -INFINITY;
        sum = run(s, n, &max);
        assert_true(sum == 0 && max == -INFINITY);
        for (size_t i = 0; i < n; i++) assert_true(s[i] == 0);
        for (size_t at = 0; at < n; at++) {
            for (size_t i = 0; i < n; i++) {
                if (i == at) s[i] = NAN;
                else if (i % 3) s[i] = 1;
                else s[i] = -INFINITY;
            }
            sum = run(s, n, &max);
            assert_true(isnan(sum) && isnan(max));
            for (size_t i = 0; i < n; i++) assert_true(isnan(s[i]));
        }
    }
}

static void test_exp_special(void **state)
{
    (void)state;
    for_each_slot(check_exp_special);
}

/* Every 16-bit number; of the f32, random bits, and random bits near what a 16-bit type can hold:
 * halves, subnormals, overflow, NaN. */
static void fill_bits(void *p, char type, size_t n, size_t first, rng *r)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t u = rng_next(r);
        if (i % 3 == 1) u = (u & 0x807FE000) | (uint32_t)(100 + rng_below(r, 46)) << 23 | (i % 2 ? 0x1000 : 0);
        if (i % 3 == 2) u = (u & 0xFFFF0000) + 0x7FFF + (uint32_t)rng_below(r, 3);
        if (type == 'f') ((float *)p)[i] = tern_float_of(u);
        else ((uint16_t *)p)[i] = (uint16_t)(first + i);
    }
}

static void test_convert(void **state)
{
    const tern_kernels *tables[ISAS];
    size_t n_table = usable_tables(tables, ISAS);
    guarded from, to, want;
    (void)state;
    guarded_open(&from, MOST * sizeof(float));
    guarded_open(&to, MOST * sizeof(float));
    guarded_open(&want, MOST * sizeof(float));
    for (size_t t = 0; t < n_table; t++)
        for (size_t i = 0; i < N_ROWS(convert_slots); i++) {
            const convert_slot *s = &convert_slots[i];
            k_convert_fn *run = (k_convert_fn *)slot_of(tables[t], s->offset),
                *twin = (k_convert_fn *)slot_of(&tern_kernels_scalar, s->offset);
            rng r = { .s = 19 };
            size_t next = 0;
            for (size_t at = 0; run && at < SHAPES; at++) {
                size_t n = at < 70 ? at : rng_size(&r, MOST);
                void *f = guarded_end(&from, n, size_of(s->from)), *y = guarded_end(&to, n, size_of(s->to)),
                    *w = guarded_end(&want, n, size_of(s->to));
                fill_bits(f, s->from, n, next, &r);
                next += n;
                run(y, f, n);
                twin(w, f, n);
                for (size_t j = 0; j < n; j++)
                    if (memcmp((char *)y + j * size_of(s->to), (char *)w + j * size_of(s->to), size_of(s->to)))
                        fail_msg("%s %s: number %zu of %zu, %a, becomes %a, not %a", tables[t]->isa, s->name, j, n,
                                 (double)widen(f, j, s->from), (double)widen(y, j, s->to), (double)widen(w, j, s->to));
            }
            assert_true(!run || next > 65536);
        }
    guarded_close(&from);
    guarded_close(&to);
    guarded_close(&want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_exp_special),
        cmocka_unit_test(test_convert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
