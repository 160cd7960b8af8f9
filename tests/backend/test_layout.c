/* The backend's primitives of layout, random numbers and routing (copy, blend, dequantize, random,
 * route, place), and the limits of a gated activation: each against its contract, written out
 * naively, on every instruction set. */
#include "backend/rig.h"
#include "base/philox.h"

static void test_copy(void **state)
{
    static const struct { int64_t n[3], dim, dim_y, step_x, step_y; bool zeros; const char *why; } rows[] = {
        { { 2, 3, 4 }, 5, 5, 1, 1, false, "a transposition of heads" },
        { { 2, 3, 4 }, 5, 8, 1, 1, false, "padded with zeros" },
        { { 1, 1, 100 }, 1, 1, 1, 1, false, "single elements" },
        { { 3, 2, 5 }, 4, 4, 3, 2, false, "with steps" },
        { { 2, 2, 2 }, 4, 4, 1, 1, true, "zeros alone" },
        { { 0, 2, 2 }, 4, 4, 1, 1, false, "nothing" },
    };
    tern_ctx *ctx;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t n0 = rows[i].n[0], n1 = rows[i].n[1], n2 = rows[i].n[2], wide_x = rows[i].dim * rows[i].step_x,
            wide_y = rows[i].dim_y * rows[i].step_y;
        size_t count_x = (size_t)(n0 * n1 * n2 * wide_x), count_y = (size_t)(n0 * n1 * n2 * wide_y);
        float *x = rig_floats(count_x, 1);
        RIG_EACH(ctx) {
            float *y = rig_floats(count_y, 1), *old = rig_copy(y, count_y);
            /* x [n0, n1, n2], y [n0, n2, n1] */
            tern_copy c = {
                .x = rows[i].zeros ? NULL : x, .y = y, .n = { n0, n1, n2 },
                .stride_x = { n1 * n2 * wide_x, n2 * wide_x, wide_x },
                .stride_y = { n1 * n2 * wide_y, wide_y, n1 * wide_y }, .dim = rows[i].dim, .dim_y = rows[i].dim_y,
                .step_x = rows[i].step_x, .step_y = rows[i].step_y,
            };
            assert_int_equal(ctx->backend->copy(ctx, &c), TERN_OK);
            for (int64_t a = 0; a < n0; a++)
                for (int64_t b = 0; b < n1; b++)
                    for (int64_t d = 0; d < n2; d++)
                        for (int64_t e = 0; e < wide_y; e++) {
                            int64_t at = ((a * n2 + d) * n1 + b) * wide_y + e, from = e / rows[i].step_y;
                            float want = rows[i].zeros || from >= rows[i].dim
                                             ? 0 : x[((a * n1 + b) * n2 + d) * wide_x + from * rows[i].step_x];
                            if (e % rows[i].step_y) want = old[at];
                            if (y[at] != want) fail_msg("%s (%s): element %d", rows[i].why, rig_name(ctx), (int)at);
                        }
            free(y);
            free(old);
        }
        free(x);
    }
}

static void test_blend(void **state)
{
    enum { N_ROW = 20, DIM = 600 };
    static const tern_dtype types[] = { TERN_F32, TERN_F16, TERN_BF16 };
    float *a = rig_floats(N_ROW * DIM, 1), *b = rig_floats(N_ROW * DIM, 1), *w = rig_floats(2 * DIM + 2 * N_ROW, 1);
    tern_ctx *ctx;
    (void)state;
    for (int form = 0; form < 12; form++)
        RIG_EACH(ctx) {
            bool by_row = form & 1, alone = form & 2;
            tern_dtype type = types[form / 4];
            int64_t row = by_row ? 2 : 0, col = by_row ? 0 : 1;
            const float *wa = w, *wb = by_row ? w + 1 : w + DIM;
            float *y = rig_copy(a, N_ROW * DIM);
            tern_blend d = { y, alone ? NULL : b, wa, wb, y, DIM, DIM, DIM, row, col, N_ROW, DIM, type };
            assert_int_equal(ctx->backend->blend(ctx, &d), TERN_OK);
            for (int i = 0; i < N_ROW * DIM; i++) {
                int64_t at = i / DIM * row + i % DIM * col;
                double want = rig_round(type, (double)a[i] * wa[at]);
                if (!alone) want = rig_round(type, want + rig_round(type, (double)b[i] * wb[at]));
                rig_near(ctx, "blend", (size_t)i, y[i], want, 1e-6 + 4 * rig_eps(type) * (fabs(want) + 1e-2));
            }
            free(y);
        }
    free(a);
    free(b);
    free(w);
}

static void test_dequantize(void **state)
{
    enum { N_GROUP = 5, N = 700 };
    static const tern_dtype types[] = { TERN_F32, TERN_F16, TERN_BF16 };
    int8_t q[N_GROUP * N];
    float scale[N_GROUP], y[N_GROUP * N];
    tern_ctx *ctx;
    (void)state;
    for (int i = 0; i < N_GROUP * N; i++) q[i] = (int8_t)(rig_below(256) - 128);
    for (int g = 0; g < N_GROUP; g++) scale[g] = rig_random();
    for (int t = 0; t < 3; t++)
        RIG_EACH(ctx) {
            tern_dequantize d = { q, scale, y, N_GROUP, N, types[t] };
            assert_int_equal(ctx->backend->dequantize(ctx, &d), TERN_OK);
            for (int i = 0; i < N_GROUP * N; i++)
                assert_true(y[i] == (float)rig_round(types[t], scale[i / N] * (float)q[i]));
        }
}

/* The known answers of Philox4x32-10, from the Random123 distribution; and that each number depends
 * on its place alone. */
static void test_random(void **state)
{
    static const struct { uint64_t seed, position, stream; uint32_t word[4]; } known[] = {
        { 0, 0, 0, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { UINT64_MAX, UINT64_MAX, UINT64_MAX, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { 0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e,
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    enum { N = 5003 };
    float y[N];
    tern_ctx *ctx;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        tern_random r = tern_philox(known[i].seed, known[i].position, known[i].stream);
        assert_memory_equal(r.word, known[i].word, sizeof r.word);
    }
    RIG_EACH(ctx) {
        tern_random_fill f = { .y = y, .n = N, .low = -2, .high = 6 };
        double mean = 0;
        assert_int_equal(ctx->backend->random(ctx, &f), TERN_OK);
        for (int i = 0; i < 4; i++) assert_true(y[i] == -2 + 8 * ((float)(known[0].word[i] >> 8) * 0x1p-24f));
        for (int i = 0; i < N; i++) {
            assert_true(y[i] >= -2 && y[i] < 6);
            mean += y[i] / N;
        }
        assert_true(fabs(mean - 2) < 0.15);    /* four standard errors */
        f.gumbel = true;
        assert_int_equal(ctx->backend->random(ctx, &f), TERN_OK);
        for (int i = 0; i < 4; i++)
            rig_near(ctx, "gumbel", (size_t)i, y[i], -log(-log((known[0].word[i] + 0.5) * 0x1p-32)), 1e-6);
    }
}

/* Two of the best for a token, by each rule; expected by hand from logits 1, 3, 2, 3, -1, 0. */
static void test_route(void **state)
{
    static const struct {
        tern_route_score score;
        bool normalize, pairs, biased;
        int64_t n_group, used;
        int32_t first, second;
        const char *why;
    } rows[] = {
        { ROUTE_SOFTMAX, false, false, false, 1, 1, 1, 3, "the two largest, the lower of equals first" },
        { ROUTE_SOFTMAX, true, false, false, 1, 1, 1, 3, "renormalized" },
        { ROUTE_SIGMOID, true, false, false, 1, 1, 1, 3, "sigmoid scores" },
        { ROUTE_SOFTMAX_CHOSEN, false, false, false, 1, 1, 1, 3, "softmax over the chosen" },
        { ROUTE_SIGMOID, false, false, true, 1, 1, 5, 1, "a bias chooses and does not weigh" },
        { ROUTE_SOFTMAX, false, false, false, 3, 1, 1, 0, "one group of three: the first of equals" },
        { ROUTE_SIGMOID, false, true, false, 3, 1, 3, 2, "one group of three by its two best" },
    };
    static const float logits[] = { 1, 3, 2, 3, -1, 0 }, bias[] = { 0, 0, 0, 0, 0, 5 };
    tern_ctx *ctx;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        RIG_EACH(ctx) {
            int32_t expert[2];
            float weight[2], scores[6];
            double want[2], all = 0, sum = 0;
            tern_route r = {
                .logits = logits, .choice_bias = rows[i].biased ? bias : NULL, .n_row = 1, .n_expert = 6, .k = 2,
                .n_group = rows[i].n_group, .n_group_used = rows[i].used, .score = rows[i].score,
                .normalize = rows[i].normalize, .group_pairs = rows[i].pairs, .scale = 1.5f, .expert = expert,
                .weight = weight, .scores = scores,
            };
            assert_int_equal(ctx->backend->route(ctx, &r), TERN_OK);
            if (expert[0] != rows[i].first || expert[1] != rows[i].second)
                fail_msg("%s (%s): experts %d and %d", rows[i].why, rig_name(ctx), expert[0], expert[1]);
            for (int e = 0; e < 6; e++)
                all += rows[i].score == ROUTE_SOFTMAX_CHOSEN ? (e == expert[0] || e == expert[1]) * exp(logits[e])
                                                             : exp(logits[e]);
            for (int e = 0; e < 2; e++) {
                double l = logits[expert[e]];
                want[e] = rows[i].score == ROUTE_SIGMOID ? 1 / (1 + exp(-l)) : exp(l) / all;
                sum += want[e];
            }
            for (int e = 0; e < 2; e++)
                rig_near(ctx, rows[i].why, (size_t)e, weight[e], 1.5 * want[e] / (rows[i].normalize ? sum : 1), 1e-6);
        }
}

/* Five tokens, two choices each, two places an expert; by hand. */
static void test_assign(void **state)
{
    static const int32_t expert[] = { 0, 1, 0, 2, 1, 0, 0, 1, -1, 1 };
    static const float priority[] = { .5f, .1f, .4f, .1f, .3f, .9f, .8f, .2f, 0, .7f };
    static const struct { bool by_rank, by_priority; int32_t location[10]; const char *why; } rows[] = {
        { false, false, { 0, 0, 1, 0, 1, -1, -1, -1, -1, -1 }, "token by token" },
        { true, false, { 0, 1, 1, 0, 0, -1, -1, -1, -1, -1 }, "all first choices first" },
        { false, true, { -1, -1, -1, 0, 0, 0, 1, -1, -1, 1 }, "the highest priorities" },
    };
    tern_ctx *ctx;
    (void)state;
    for (size_t i = 0; i < 3; i++)
        RIG_EACH(ctx) {
            float weight[10], score[15], l_aux;
            int32_t location[10];
            int64_t count[3];
            for (int e = 0; e < 10; e++) weight[e] = (float)(e + 1);
            for (int e = 0; e < 15; e++) score[e] = (float)(e % 3 + 1) / 6;
            tern_assign p = {
                .expert = expert, .priority = rows[i].by_priority ? priority : NULL, .score = score, .n_row = 5,
                .capacity = 2, .n_expert = 3, .k = 2, .aux_k = 1, .by_rank = rows[i].by_rank, .renormalize = true,
                .weight = weight, .location = location, .count = count, .l_aux = &l_aux,
            };
            assert_int_equal(ctx->backend->assign(ctx, &p), TERN_OK);
            for (int e = 0; e < 10; e++)
                if (location[e] != rows[i].location[e])
                    fail_msg("%s (%s): route %d lies at %d", rows[i].why, rig_name(ctx), e, location[e]);
            for (int t = 0; t < 5; t++) {
                float a = rows[i].location[2 * t] < 0 ? 0 : (float)(2 * t + 1),
                    b = rows[i].location[2 * t + 1] < 0 ? 0 : (float)(2 * t + 2), sum = a + b > 0 ? a + b : 1;
                rig_near(ctx, rows[i].why, (size_t)t, weight[2 * t], a / sum, 1e-6);
                rig_near(ctx, rows[i].why, (size_t)t, weight[2 * t + 1], b / sum, 1e-6);
            }
            assert_int_equal(count[0], 4);
            assert_int_equal(count[1], 4);
            assert_int_equal(count[2], 1);
            /* first choices: 0, 0, 1, 0, none */
            rig_near(ctx, "l_aux", 0, l_aux, 3 * (1.0 / 6 * 3 / 5 + 2.0 / 6 * 1 / 5), 1e-6);
        }
}

/* gpt-oss: y = (clamp(value, -limit, limit) + 1) * f(min(gate, limit)). */
static void test_limit(void **state)
{
    static const float x[] = { 5, -5, 0.5f, 1, /* the gates */ 1, 5, -50, NAN };
    static const double want[] = { 3 * 0.7310585786300049, -1 * 2 * 0.8807970779778823,
                                   1.5 * -50 / (1 + 5.184705528587072e21), NAN };
    tern_ctx *ctx;
    (void)state;
    RIG_EACH(ctx) {
        float y[4];
        tern_activation a = { .act = ACT_SILU, .gated = true, .x = x, .y = y, .ldx = 8, .ldy = 4, .n_row = 1, .dim = 4,
                              .limit = 2 };
        assert_int_equal(ctx->backend->activation(ctx, &a), TERN_OK);
        for (size_t i = 0; i < 4; i++) rig_near(ctx, "limited gates", i, y[i], want[i], 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),  cmocka_unit_test(test_blend), cmocka_unit_test(test_dequantize),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_route), cmocka_unit_test(test_assign), cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
