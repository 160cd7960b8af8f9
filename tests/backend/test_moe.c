/* FastGen's tests of its mixture-of-experts kernels, rebuilt for the primitives that stand in their
 * place (tests/unit/inference/v2/kernels/ragged_ops: test_top_k_gating, test_moe_scatter,
 * test_moe_gather; cutlass_ops: test_moe_gemm): route and assign, gather rows and combine, one
 * matmul an expert. */
#include "backend/rig.h"

/* ---- test_top_k_gating ---- */

typedef struct gate_row {
    int32_t n, n_expert, k;
    float low, high;           /* logits lie in [low, high) */
    bool ties;                 /* all equal */
    const char *why;
} gate_row;

static const gate_row gates[] = {
    { 1, 8, 2, 0, 1, false, "top-2 of one token" },         { 17, 8, 2, 0, 1, false, "top-2 of 17" },
    { 32, 8, 2, 0, 1, false, "top-2 of 32" },               { 89, 8, 2, 0, 1, false, "top-2 of 89" },
    { 433, 8, 2, 0, 1, false, "top-2 of 433" },             { 433, 8, 2, 0, 1, true, "top-2 of equals" },
    { 1, 16, 1, 0, 1, false, "one token" },                 { 17, 16, 1, 0, 1, false, "17 tokens, 16 experts" },
    { 32, 128, 1, 0, 1, false, "32 tokens, 128 experts" },  { 89, 128, 1, 0, 1, false, "89 tokens" },
    { 433, 128, 1, 0, 1, false, "433 tokens" },             { 433, 2, 1, 0, 1, false, "two experts" },
    { 433, 128, 1, 0, 1, true, "ties go to the lowest" },   { 89, 128, 1, -9, -1, false, "negative logits" },
    { 89, 8, 2, -90, -80, false, "far below zero" },        { 32, 64, 8, -1, 1, false, "top-8" },
    { 32, 16, 4, -1, 1, false, "top-4" },
};

static float gate_logit(const gate_row *r)
{
    return r->ties ? 0.5f : r->low + (r->high - r->low) * (rig_random() + 1) / 2;
}

/* Route, then assign with capacity for all: each expert's tokens in order, numbered from 0. */
static void check_gate(tern_ctx *ctx, const gate_row *r, const float *logits, int32_t *expert, int32_t *location,
                       int64_t *count)
{
    int32_t n_route = r->n * r->k;
    float *weight = rig_floats((size_t)n_route, 1);
    tern_route route = { .logits = logits, .n_row = r->n, .n_expert = r->n_expert, .k = r->k, .n_group = 1,
                         .n_group_used = 1, .score = ROUTE_SOFTMAX, .scale = 1,
                         .expert = expert, .weight = weight };
    assert_int_equal(ctx->backend->route(ctx, &route), TERN_OK);
    for (int32_t i = 0; i < r->n; i++) {
        const float *l = logits + (size_t)i * (size_t)r->n_expert;
        double max = -INFINITY, sum = 0;
        bool taken[128] = { false };
        for (int32_t e = 0; e < r->n_expert; e++) max = fmax(max, l[e]);
        for (int32_t e = 0; e < r->n_expert; e++) sum += exp(l[e] - max);
        for (int32_t j = 0; j < r->k; j++) {
            int32_t best = -1;
            for (int32_t e = 0; e < r->n_expert; e++)
                if (!taken[e] && (best < 0 || l[e] > l[best])) best = e;
            taken[best] = true;
            if (expert[i * r->k + j] != best)
                fail_msg("%s (%s): choice %d of token %d is %d, not %d", r->why, rig_name(ctx), j, i,
                         expert[i * r->k + j], best);
            /* over all experts, not renormalized */
            rig_near(ctx, r->why, (size_t)(i * r->k + j), weight[i * r->k + j], exp(l[best] - max) / sum, 1e-6);
        }
    }
    tern_assign assign = { .expert = expert, .n_row = r->n, .capacity = n_route, .n_expert = r->n_expert, .k = r->k,
                           .aux_k = r->k, .weight = weight,
                         .location = location, .count = count };
    assert_int_equal(ctx->backend->assign(ctx, &assign), TERN_OK);
    free(weight);
}

static void test_top_k_gating(void **state)
{
    tern_ctx *ctx;
    (void)state;
    rig_seed = 1;
    for (size_t g = 0; g < sizeof gates / sizeof *gates; g++) {
        const gate_row *r = &gates[g];
        size_t n_logit = (size_t)r->n * (size_t)r->n_expert, n_route = (size_t)r->n * (size_t)r->k;
        float *logits = malloc(n_logit * sizeof *logits);
        int32_t *expert = malloc(n_route * sizeof *expert), *location = malloc(n_route * sizeof *location), next[128];
        int64_t count[128];
        for (size_t i = 0; i < n_logit; i++) logits[i] = gate_logit(r);
        RIG_EACH(ctx) {
            check_gate(ctx, r, logits, expert, location, count);
            memset(next, 0, sizeof next);
            for (size_t i = 0; i < n_route; i++) {
                /* unique, and in the tokens' order, where DeepSpeed's depend on a race */
                assert_int_equal(location[i], next[expert[i]]);
                next[expert[i]]++;
            }
            for (int32_t e = 0; e < r->n_expert; e++) assert_int_equal(count[e], next[e]);
            if (r->ties) assert_true(count[0] == r->n && count[r->k - 1] == r->n);
        }
        free(logits);
        free(expert);
        free(location);
    }
}

/* ---- test_moe_scatter, test_moe_gather: 4096 channels ---- */

static void check_scatter_gather(tern_ctx *ctx, int32_t n, int32_t n_expert, int32_t k, bool normalize)
{
    enum { DIM = 4096 };
    size_t n_route = (size_t)n * (size_t)k;
    float *logits = rig_floats((size_t)n * (size_t)n_expert, 1), *weight = rig_floats(n_route, 1),
        *x = rig_floats((size_t)n * DIM, 1), *moved = rig_floats(n_route * DIM, 1), *y = rig_floats((size_t)n * DIM, 1);
    int32_t *expert = malloc(n_route * sizeof *expert), *location = malloc(n_route * sizeof *location),
        *slot = malloc(n_route * sizeof *slot), *token = malloc(n_route * sizeof *token);
    int64_t count[64], first[65] = { 0 };
    tern_route route = { .logits = logits, .n_row = n, .n_expert = n_expert, .k = k, .n_group = 1, .n_group_used = 1,
                         .score = ROUTE_SOFTMAX, .normalize = normalize,
                         .scale = 1, .expert = expert, .weight = weight };
    tern_assign assign = { .expert = expert, .n_row = n, .capacity = (int64_t)n_route, .n_expert = n_expert, .k = k,
                           .aux_k = k, .weight = weight, .location = location, .count = count };
    assert_int_equal(ctx->backend->route(ctx, &route), TERN_OK);
    assert_int_equal(ctx->backend->assign(ctx, &assign), TERN_OK);
    for (int32_t e = 0; e < n_expert; e++) first[e + 1] = first[e] + count[e];
    assert_int_equal(first[n_expert], n_route);
    for (size_t i = 0; i < n_route; i++) token[i] = -1;
    for (size_t i = 0; i < n_route; i++) {
        slot[i] = (int32_t)first[expert[i]] + location[i];
        assert_int_equal(token[slot[i]], -1);    /* a slot has one token */
        token[slot[i]] = (int32_t)(i / (size_t)k);
    }
    tern_gather_rows d = { x, moved, token, DIM, DIM, (int64_t)n_route, DIM };
    tern_combine c = { moved, y, slot, weight, DIM, DIM, n, k, DIM, false, TERN_F32 };
    assert_int_equal(ctx->backend->gather_rows(ctx, &d), TERN_OK);
    assert_int_equal(ctx->backend->combine(ctx, &c), TERN_OK);
    for (size_t i = 0; i < n_route; i++)
        rig_same_bits(ctx, "a token that moved", moved + (size_t)slot[i] * DIM, x + i / (size_t)k * DIM, DIM);
    for (int32_t i = 0; i < n; i++) {
        double sum = 0;
        for (int32_t j = 0; j < k; j++) sum += weight[i * k + j];
        if (normalize && fabs(sum - 1) > 1e-6) fail_msg("the scores of token %d add up to %g", i, sum);
        for (size_t at = 0; at < DIM; at++) {
            float xi = x[(size_t)i * DIM + at], first_product = weight[i * k] * xi;
            if (k == 1) assert_true(y[(size_t)i * DIM + at] == first_product);    /* one product, rounded once */
            else rig_near(ctx, "the sum of scores times rows", at, y[(size_t)i * DIM + at], sum * xi, 1e-6);
        }
    }
    free(logits);
    free(weight);
    free(x);
    free(moved);
    free(y);
    free(expert);
    free(location);
    free(slot);
    free(token);
}

static void test_scatter_gather(void **state)
{
    static const struct {
        int32_t n, n_expert, k;
    } rows[] = { { 13, 64, 1 }, { 278, 64, 1 }, { 1977, 64, 1 }, { 13, 8, 2 }, { 278, 8, 2 }, { 1977, 8, 2 } };
    tern_ctx *ctx;
    (void)state;
    rig_seed = 2;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        RIG_EACH(ctx) {
            if ((SANITIZED || tern_ctx_threads(ctx) == 5) && rows[i].n > 1000) continue;
            check_scatter_gather(ctx, rows[i].n, rows[i].n_expert, rows[i].k, i % 2);
        }
}

/* ---- test_moe_gemm: 64 experts of 5120 -> 2048, fewer rows an expert than a limit, bias and
 * activations; and one expert alone ---- */

enum { IN = 5120, OUT = 2048, EXPERTS = 64, STEP = 16, PART = 1024 };

/* Row r of expert e begins STEP elements after the one before it: matrices that overlap, each with
 * rows of its own, in the memory of one. */
static size_t weight_at(int e, int r)
{
    return (size_t)(e * PART + r * STEP);
}

static void check_moe_gemm(tern_ctx *ctx, tern_dtype type, int n_expert, int below, tern_act act, bool biased)
{
    size_t n_weight = weight_at(n_expert - 1, OUT - 1) + IN;
    float *value = rig_floats(n_weight, 0.05f), *bias = rig_floats((size_t)(n_expert * OUT), 1);
    void *w = malloc(n_weight * sizeof(uint16_t));
    int first[EXPERTS + 1] = { 0 };
    rig_store(w, type, value, n_weight);
    for (int e = 0; e < n_expert; e++) first[e + 1] = first[e] + (int)rig_below(below + (n_expert == 1));
    if (n_expert == 1) first[1] = below;
    size_t n = (size_t)first[n_expert];
    float *x = rig_floats(n * IN, 1), *y = rig_floats(n * OUT, 1);
    for (size_t i = 0; i < n * IN; i++) x[i] = (float)rig_round(type, x[i]);
    for (int e = 0; e < n_expert; e++) {
        tern_matmul m = { .x = x + (size_t)first[e] * IN, .ldx = IN, .n_row = first[e + 1] - first[e], .n_part = 1,
                          .act = act, .round = type };
        m.part[0] = (tern_matmul_part){ .w = { .data = (char *)w + weight_at(e, 0) * 2, .dtype = type, .out = OUT,
                                               .in = IN, .ld = STEP },
                                        .bias = biased ? bias + e * OUT : NULL, .y = y + (size_t)first[e] * OUT,
                                        .ldy = OUT };
        if (m.n_row) assert_int_equal(ctx->backend->matmul(ctx, &m), TERN_OK);
    }
    for (int e = 0; e < n_expert; e++)
        for (int sample = 0; first[e + 1] > first[e] && sample < 12; sample++) {
            size_t row = (size_t)first[e] + (size_t)rig_below(first[e + 1] - first[e]);
            size_t at;
            if (sample < 1) at = 0;
            else if (sample < 2) at = OUT - 1;
            else at = (size_t)rig_below(OUT);
            double sum = 0, tolerance = type == TERN_F16 ? 1e-2 : 1e-1;
            for (size_t i = 0; i < IN; i++) sum += x[row * IN + i] * rig_round(type, value[weight_at(e, (int)at) + i]);
            sum = rig_act(act, sum + (biased ? bias[(size_t)e * OUT + at] : 0));
            rig_near(ctx, "an expert's product", row * OUT + at, y[row * OUT + at], sum,
                     tolerance + tolerance * fabs(sum));
        }
    free(value);
    free(bias);
    free(w);
    free(x);
    free(y);
}

static void test_moe_gemm(void **state)
{
    static const tern_dtype types[] = { TERN_F16, TERN_BF16 };
    static const tern_act acts[] = { ACT_NONE, ACT_GELU_TANH, ACT_SILU, ACT_RELU };
    static const int limits[] = { 1, 4, 16, 64, 128 };
    tern_ctx *best = NULL;
    (void)state;
    rig_seed = 3;
    for (int i = 0; i < rig_n; i++)
        /* two threads of the best instruction set; the shapes of test_matmul.c run on all */
        if (tern_ctx_threads(rig_ctx[i]) == 2) best = rig_ctx[i];
    if (!best) best = rig_ctx[rig_n - 1];
    for (size_t t = 0; t < 2; t++)
        for (size_t l = 0; l < 5; l++) {
            if (SANITIZED && limits[l] > 16) continue;
            check_moe_gemm(best, types[t], EXPERTS, limits[l], ACT_NONE, l % 2);
            check_moe_gemm(best, types[t], 1, limits[l], acts[l % 4], l % 2 == 0);
        }
    for (size_t a = 0; a < 4; a++)
        for (size_t t = 0; t < 2; t++) check_moe_gemm(best, types[t], EXPERTS, 4, acts[a], true);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_top_k_gating), cmocka_unit_test(test_scatter_gather),
                                        cmocka_unit_test(test_moe_gemm) };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
