/* Gates: DeepSpeed's own vectors (tests/unit/v1/moe/test_moe.py), sparse routes against dense ones,
 * and what is drawn by seed. */
#include "rig.h"

enum { MOST_CELLS = 4096 };

typedef struct gate_out {
    float combine[MOST_CELLS], l_aux, gates[64];
    uint8_t mask[MOST_CELLS];
    int64_t counts[16], capacity;
    int32_t indices[64], locations[64];
} gate_out;

/* Runs a gate twice: once for the capacity, once for everything. */
static tern_status run_gate(const char *name, const float *logits, int64_t s, int64_t e, tern_gating_args a,
                            gate_out *out)
{
    tern_config config = rig_config(0);
    tern_op *op;
    int64_t k = a.k;
    if (!strcmp(name, "top1gating")) k = 1;
    else if (!strcmp(name, "top2gating")) k = 2;
    tern_status (*run)(tern_op *, const tern_gating_args *) = tern_topkgating_run;
    if (k == 1 && strcmp(name, "topkgating")) run = tern_top1gating_run;
    else if (!strcmp(name, "top2gating")) run = tern_top2gating_run;
    RIG_OK(tern_op_create(rig, name, &config, &op));
    memset(out, 0, sizeof *out);
    a.logits = tern_tensor_of((void *)logits, TERN_F32, RIG_SHAPE(s, e));
    a.capacity = tern_tensor_of(&out->capacity, TERN_I64, RIG_SHAPE(1));
    tern_status st = run(op, &a);
    assert_true(st || s * e * out->capacity <= MOST_CELLS);
    a.combine_weights = tern_tensor_of(out->combine, TERN_F32, RIG_SHAPE(s, e, out->capacity));
    a.dispatch_mask = tern_tensor_of(out->mask, TERN_U8, RIG_SHAPE(s, e, out->capacity));
    a.exp_counts = tern_tensor_of(out->counts, TERN_I64, RIG_SHAPE(e));
    a.l_aux = tern_tensor_of(&out->l_aux, TERN_F32, RIG_SHAPE(1));
    a.indices = tern_tensor_of(out->indices, TERN_I32, RIG_SHAPE(k, s));
    a.locations = tern_tensor_of(out->locations, TERN_I32, RIG_SHAPE(k, s));
    a.gates = tern_tensor_of(out->gates, TERN_F32, RIG_SHAPE(k, s));
    if (!st) st = run(op, &a);
    tern_op_free(op);
    return st;
}

static const float vector_a[] = { .11f, .2f, .1f, .3f, .3f, .4f, .11f, .1f, .11f, .1f, .6f, .5f, .1f, .11f, .7f, .8f };
static const float vector_b[] = { .5858f, .4801f, .6269f, .5397f, .9722f, .7034f, .5445f, .6332f, .4519f, .6308f,
                                  .0519f, .6450f,
                                  .4874f, .8110f, .7467f, .8474f, .0277f, .3068f, .8570f, .6714f, .5310f, .3274f,
                                  .4836f, .9892f };
static const float vector_c[] = { .95f, .85f, .90f, .80f, .70f, .65f, .75f, .60f, .50f, .55f, .45f, .40f, .35f, .30f,
                                  .25f, .20f };

typedef struct vector_row {
    const float *logits;
    int64_t s, e, k;
    int position;
    bool keep;
    int64_t capacity;
    int routes[12][3];    /* token, expert, slot */
    int n;
    const char *why;
} vector_row;

static const vector_row vectors[] = {
    { vector_a, 4, 4, 2, 0, false, 2,
      { { 0, 1, 0 }, { 1, 0, 0 }, { 1, 1, 1 }, { 2, 2, 0 }, { 2, 3, 0 }, { 3, 2, 1 }, { 3, 3, 1 } }, 7, "A, probs" },
    { vector_a, 4, 4, 2, 1, false, 2,
      { { 0, 1, 0 }, { 0, 3, 0 }, { 1, 0, 0 }, { 1, 1, 1 }, { 2, 2, 0 }, { 2, 3, 1 }, { 3, 2, 1 } }, 7, "A, position" },
    { vector_b, 4, 6, 3, 0, false, 2, { { 0, 2, 0 }, { 0, 4, 0 }, { 1, 1, 0 }, { 1, 3, 0 }, { 1, 5, 0 }, { 2, 1, 1 },
                                        { 2, 2, 1 }, { 2, 3, 1 }, { 3, 0, 0 }, { 3, 5, 1 } }, 10, "B, probs" },
    { vector_b, 4, 6, 3, 1, false, 2, { { 0, 2, 0 }, { 0, 4, 0 }, { 0, 5, 0 }, { 1, 1, 0 }, { 1, 3, 0 }, { 1, 5, 1 },
                                        { 2, 1, 1 }, { 2, 2, 1 }, { 2, 3, 1 }, { 3, 0, 0 } }, 10, "B, position" },
    { vector_c, 4, 4, 2, 0, true, 4, { { 0, 0, 0 }, { 0, 2, 0 }, { 1, 0, 1 }, { 1, 2, 1 }, { 2, 0, 2 }, { 2, 1, 0 },
                                       { 3, 0, 3 }, { 3, 1, 1 } }, 8, "C, nothing is dropped" },
};

static void test_deepspeeds_vectors(void **state)
{
    (void)state;
    for (size_t v = 0; v < sizeof vectors / sizeof *vectors; v++) {
        const vector_row *r = &vectors[v];
        gate_out out;
        int n = 0;
        RIG_OK(run_gate("topkgating", r->logits, r->s, r->e, (tern_gating_args){ .k = r->k, .capacity_factor =
            1, .min_capacity = 1, .drop_policy = r->position, .keep_tokens = r->keep }, &out));
        assert_int_equal(out.capacity, r->capacity);
        for (int64_t i = 0; i < r->s * r->e * out.capacity; i++) n += out.mask[i];
        if (n != r->n) fail_msg("%s: %d routes, not %d", r->why, n, r->n);
        for (int i = 0; i < r->n; i++) {
            const int *x = r->routes[i];
            if (!out.mask[(x[0] * r->e + x[1]) * out.capacity + x[2]])
                fail_msg("%s: no route (%d, %d, %d)", r->why, x[0], x[1], x[2]);
        }
    }
}

/* D: a capacity beyond the tokens is as wide as it says. */
static void test_wide_capacities(void **state)
{
    static const struct { const char *op; int64_t s, e, k; double factor; int64_t least, width; int routes; } rows[] = {
        { "topkgating", 8, 2, 2, 2, 1, 16, 16 }, { "top1gating", 8, 2, 1, 4, 1, 16, 8 },
        { "topkgating", 4, 2, 1, 1, 8, 8, 4 }, { "top1gating", 3, 4, 1, 8, 1, 6, 3 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_tensor logits = rig_random(TERN_F32, RIG_SHAPE(rows[i].s, rows[i].e), i);
        gate_out out;
        int n = 0;
        RIG_OK(run_gate(rows[i].op, logits.data, rows[i].s, rows[i].e, (tern_gating_args){ .k =
            rows[i].k, .capacity_factor = rows[i].factor, .min_capacity = rows[i].least, .first_come = true,
                                                                                          .drop_policy = i == 2 },
                                                                                          &out));
        assert_int_equal(out.capacity, rows[i].width);
        for (int64_t c = 0; c < rows[i].s * rows[i].e * out.capacity; c++) n += out.mask[c];
        assert_int_equal(n, rows[i].routes);
        free(logits.data);
    }
}

/* E: sparse routes are the cells of the dense ones, and tokens that go to experts by them and back
 * come to the same: encode and decode against the two
 * einsums, expert e being a factor e + 1. */
static void test_sparse_is_dense(void **state)
{
    enum { M = 8, MOST = 16 };
    static const float four[] = { .1f, .9f, .2f, .8f, .1f, .3f, .4f, .6f, .5f, .7f, .2f, .1f };
    static const struct { const char *op; int64_t k, s, e; double factor; const float *logits; } rows[] = {
        { "top1gating", 1, 16, 4, 1, NULL },   { "top2gating", 2, 16, 4, 1, NULL },
        { "topkgating", 3, 16, 4, 1, NULL }, { "top1gating", 1, 16, 4, 0.5, NULL },
        { "top2gating", 2, 16, 4, 0.5, NULL }, { "topkgating", 3, 16, 4, 0.5, NULL },
        { "top2gating", 2, 4, 3, 0.5, four },
    };
    (void)state;
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        int64_t s = rows[row].s, e = rows[row].e, k = rows[row].k, kept = 0, cells = 0;
        tern_tensor logits = rig_random(TERN_F32, RIG_SHAPE(s, e), 5), x = rig_random(TERN_F32, RIG_SHAPE(s, M), 6);
        gate_out out;
        RIG_OK(run_gate(rows[row].op, rows[row].logits ? rows[row].logits : logits.data, s, e, (tern_gating_args){ .k =
            k, .capacity_factor = rows[row].factor, .min_capacity = 1, .first_come = true }, &out));
        for (int64_t c = 0; c < s * e * out.capacity; c++) cells += out.mask[c];
        for (int64_t i = 0; i < k * s; i++) {
            if (out.indices[i] < 0) {
                assert_true(out.gates[i] == 0);
                continue;
            }
            kept++;
            assert_true(out.combine[(i % s * e + out.indices[i]) * out.capacity + out.locations[i]] == out.gates[i]);
        }
        assert_int_equal(kept, cells);
        if (rows[row].factor < 1) assert_true(kept < k * s);    /* half the capacity drops something */

        double dense[MOST * M] = { 0 }, sparse[MOST * M] = { 0 },
            *slots = calloc((size_t)(e * out.capacity * M), sizeof *slots);
        for (int64_t t = 0; t < s; t++)    /* sec,sm->ecm */
            for (int64_t c = 0; c < e * out.capacity; c++)
                for (int64_t m = 0; m < M; m++)
                    slots[c * M + m] += out.mask[t * e * out.capacity + c] * rig_get(&x, t * M + m);
        for (int64_t t = 0; t < s; t++)    /* sec,ecm->sm */
            for (int64_t c = 0; c < e * out.capacity; c++)
                for (int64_t m = 0; m < M; m++)
                    dense[t * M + m] += out.combine[t * e * out.capacity + c] * slots[c * M + m] *
                                        (double)(c / out.capacity + 1);
        for (int64_t i = 0; i < k * s; i++)
            for (int64_t m = 0; m < M && out.indices[i] >= 0; m++) {
                double at = slots[(out.indices[i] * out.capacity + out.locations[i]) * M + m];
                assert_true(at == rig_get(&x, i % s * M + m));    /* a slot has one token, whole */
                sparse[i % s * M + m] += out.gates[i] * at * (out.indices[i] + 1);
            }
        for (int64_t i = 0; i < s * M; i++)
            if (!(fabs(dense[i] - sparse[i]) <= 1e-6))
                fail_msg("%s, factor %g: element %d is %g by routes and %g by einsums", rows[row].op, rows[row].factor,
                         (int)i, sparse[i], dense[i]);
        free(slots);
        free(logits.data);
        free(x.data);
    }
}

/* Ties go to the lowest expert and the earliest tokens; used_token leaves tokens out of counts,
 * queues and the loss's second mean. */
static void test_ties_and_used_tokens(void **state)
{
    static const float equal[4 * 3] = { 0 };
    int64_t used[4] = { 1, 0, 1, 1 };
    gate_out out;
    (void)state;
    RIG_OK(run_gate("top1gating", equal, 4, 3,
                    (tern_gating_args){ .capacity_factor = 1, .min_capacity = 0, .first_come = true }, &out));
    assert_int_equal(out.capacity, 2);
    assert_int_equal(out.counts[0], 4);
    assert_true(out.mask[0] && out.mask[3 * 2 + 1] && out.indices[2] == -1 && out.indices[3] == -1);
    assert_true(fabs(out.l_aux - 1) < 1e-6);    /* 3 * (1/3 * 4/4) */
    RIG_OK(run_gate("top1gating", equal, 4, 3,
                    (tern_gating_args){ .used_token = tern_tensor_of(used, TERN_I64, RIG_SHAPE(4)),
                                        .capacity_factor = 1, .min_capacity = 0, .first_come = true }, &out));
    assert_int_equal(out.counts[0], 3);
    assert_true(out.indices[0] == 0 && out.indices[1] == -1 && out.indices[2] == 0 && out.indices[3] == -1 &&
                out.locations[2] == 1);
    assert_true(fabs(out.l_aux - 0.75) < 1e-6);
}

/* Random token selection and noise: the same seed draws the same, another one something else, and
 * never more than the capacity. */
static void test_seeds(void **state)
{
    enum { S = 40, E = 2 };
    float logits[S * E];
    gate_out a, b, c;
    (void)state;
    for (int i = 0; i < S * E; i++) logits[i] = i % 2 ? 0 : 0.5f;
    tern_gating_args rts = { .capacity_factor = 0.5, .min_capacity = 0, .seed = 1 };
    RIG_OK(run_gate("top1gating", logits, S, E, rts, &a));
    RIG_OK(run_gate("top1gating", logits, S, E, rts, &b));
    rts.seed = 2;
    RIG_OK(run_gate("top1gating", logits, S, E, rts, &c));
    assert_memory_equal(a.indices, b.indices, sizeof a.indices);
    assert_memory_not_equal(a.indices, c.indices, sizeof a.indices);
    int kept = 0, early = 0;
    for (int i = 0; i < S; i++) {
        kept += a.indices[i] >= 0;
        early += a.indices[i] >= 0 && i < a.capacity;
        if (a.indices[i] < 0) continue;
        int before = 0;    /* the survivors queue in the order of the tokens */
        for (int j = 0; j < i; j++) before += a.indices[j] >= 0;
        assert_int_equal(a.locations[i], before);
    }
    assert_int_equal(kept, a.capacity);
    assert_true(early < kept);

    tern_gating_args noisy = { .capacity_factor = 2, .min_capacity = 0, .first_come = true,
                               .noisy_gate_policy = TERN_NOISE_RSAMPLE, .seed = 1 };
    RIG_OK(run_gate("top1gating", logits, S, E, noisy, &a));
    assert_true(a.counts[0] > S / 2 && a.counts[0] < S);    /* probabilities 0.62 and 0.38 */
    /* scores without the noise */
    for (int i = 0; i < S; i++) assert_true(fabs(a.gates[i] - (a.indices[i] ? 0.3775406688 : 0.6224593312)) < 1e-6);
    tern_gating_args second = { .capacity_factor = 4, .min_capacity = 0, .top2_2nd_expert_sampling = true, .seed = 3 };
    static const float three[3 * 3] = { 3, 0, 0, 0, 3, 0, 0, 0, 3 };
    RIG_OK(run_gate("top2gating", three, 3, 3, second, &a));
    /* the first choice has no noise, the second is another expert */
    for (int i = 0; i < 3; i++) assert_true(a.indices[i] == i && a.indices[3 + i] != i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deepspeeds_vectors), cmocka_unit_test(test_wide_capacities),
        cmocka_unit_test(test_sparse_is_dense), cmocka_unit_test(test_ties_and_used_tokens),
        cmocka_unit_test(test_seeds),
    };
    RIG_ON_EVERY_ISA(tests);
}
