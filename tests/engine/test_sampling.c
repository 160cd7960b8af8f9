/* Sampling against the formulas of tern/sampling.h, written out naively: sort all tokens, cut,
 * divide. And the random numbers against their published values and the distribution they should
 * give. */
#include <tern/sampling.h>

#include "base/philox.h"
#include "engine/sampling.h"
#include "engine/toy.h"

enum { MOST = 512 };

/* Known answers of philox4x32-10: the test vectors of the authors' library (Random123,
 * kat_vectors). */
static void philox_gives_the_published_numbers(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed, position, stream;
        uint32_t word[4];
    } rows[] = {
        { 0, 0, 0, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { UINT64_MAX, UINT64_MAX, UINT64_MAX, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { 0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e,
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_random r = tern_philox(rows[i].seed, rows[i].position, rows[i].stream);
        assert_memory_equal(r.word, rows[i].word, sizeof r.word);
    }
}

/* ---- The definition -------------------------------------------------------------------------- */
typedef struct ranked {
    long double z;
    int32_t id;
} ranked;

static int by_rank(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->z != y->z) return x->z > y->z ? -1 : 1;
    return x->id - y->id;
}

/* p [n]: the probability of each token; 0: filtered out. */
static void naive(const tern_sampling *s, const float *logits, int32_t n, const int32_t *seen, size_t n_seen,
                  long double *p)
{
    ranked r[MOST];
    long double w[MOST], sum = 0;
    int32_t kept = n;
    for (int32_t i = 0; i < n; i++) {
        long double z = (long double)logits[i];
        bool was = false;
        for (size_t j = 0; j < n_seen; j++) was |= seen[j] == i;
        if (was) z = z > 0 ? z / (long double)s->repetition_penalty : z * (long double)s->repetition_penalty;
        r[i] = (ranked){ z, i };
        p[i] = 0;
    }
    qsort(r, (size_t)n, sizeof *r, by_rank);
    if (s->temperature == 0) {
        p[r[0].id] = 1;
        return;
    }
    if (s->top_k > 0 && s->top_k < n) kept = (int32_t)s->top_k;
    for (int32_t i = 0; i < kept; i++)
        sum += w[i] = r[i].z == r[0].z ? 1 : expl((r[i].z - r[0].z) / (long double)s->temperature);
    if (s->top_p < 1) {
        long double reach = 0;
        int32_t m = 0;
        while (m < kept && (m == 0 || reach < (long double)s->top_p * sum)) reach += w[m++];
        kept = m;
    }
    while (kept > 1 && w[kept - 1] < (long double)s->min_p) kept--;
    sum = 0;
    for (int32_t i = 0; i < kept; i++) sum += w[i];
    for (int32_t i = 0; i < kept; i++) p[r[i].id] = w[i] / sum;
}

typedef struct sampling_row {
    tern_sampling s;
    float logits[8];
    int32_t n, seen[4];
    size_t n_seen;
    uint32_t kept;    /* bit i: token i can be drawn; worked out by hand */
    const char *why;
} sampling_row;

static const tern_sampling plain = { .temperature = 1, .top_p = 1, .repetition_penalty = 1 };

/* ln of 1/2, 1/4, 1/8, 1/8 */
#define HALVES { -0.693147180f, -1.386294361f, -2.079441542f, -2.079441542f }

static const sampling_row rows[] = {
    /* temperature, k, p, min-p, penalty, seed | logits | n | seen | kept */
    { { 0, 0, 1, 0, 1, 0 }, { 1, 3, 2 }, 3, { 0 }, 0, 0x2, "greedy takes the largest" },
    { { 0, 0, 1, 0, 1, 0 }, { 1, 3, 3 }, 3, { 0 }, 0, 0x2, "greedy: a tie goes to the lowest id" },
    { { 0, 0, 1, 0, 1, 0 }, { -INFINITY, -5, -INFINITY }, 3, { 0 }, 0, 0x2, "greedy beside impossible tokens" },
    { { 0, 0, 1, 0, 1, 0 }, { 1, INFINITY, INFINITY }, 3, { 0 }, 0, 0x2, "greedy takes an infinite logit" },
    { { 0, 0, 1, 0, 1, 0 }, { 0.0f, -0.0f }, 2, { 0 }, 0, 0x1, "the two zeros are a tie" },
    { { 0, 1, 0.1f, 1, 1, 0 }, { 1, 2 }, 2, { 0 }, 0, 0x2, "filters never take the largest away" },
    { { 0, 0, 1, 0, 2, 0 }, { 3, 2, 1 }, 3, { 0 }, 1, 0x2, "penalty: 3 / 2 < 2" },
    { { 0, 0, 1, 0, 2, 0 }, { 3, 2, 1 }, 3, { 0, 0, 0 }, 3, 0x2,
      "a token seen three times is penalised once, and 3 / 2 > 1" },
    { { 0, 0, 1, 0, 2, 0 }, { -1, -1.5f }, 2, { 0 }, 1, 0x2, "penalty: a negative logit is multiplied" },
    { { 0, 0, 1, 0, 0.5f, 0 }, { 3, 2 }, 2, { 1 }, 1, 0x2, "a penalty below 1 invites" },
    { { 0, 0, 1, 0, 2, 0 }, { -INFINITY, -1 }, 2, { 0, 1 }, 2, 0x2, "an impossible token stays so" },
    { { 1, 0, 1, 0, 1, 0 }, HALVES, 4, { 0 }, 0, 0xF, "no filter keeps all" },
    { { 1, 2, 1, 0, 1, 0 }, HALVES, 4, { 0 }, 0, 0x3, "top-k" },
    { { 1, 3, 1, 0, 1, 0 }, HALVES, 4, { 0 }, 0, 0x7, "top-k: of the tied last two the lower id" },
    { { 1, 9, 1, 0, 1, 0 }, HALVES, 4, { 0 }, 0, 0xF, "top-k above the vocabulary" },
    { { 1, 2, 1, 0, 1, 0 }, { 1, 1, 1, 1, 1 }, 5, { 0 }, 0, 0x3, "top-k: all tied" },
    { { 1, 2, 1, 0, 1, 0 }, { 1, 2, 1, 2, 2 }, 5, { 0 }, 0, 0xA, "top-k: ties of the largest" },
    { { 1, 0, 0.4f, 0, 1, 0 }, HALVES, 4, { 0 }, 0, 0x1, "top-p below the largest probability" },
    { { 1, 0, 0.6f, 0, 1, 0 }, HALVES, 4, { 0 }, 0, 0x3, "top-p: the one that reaches it is kept" },
    { { 1, 0, 0.8f, 0, 1, 0 }, HALVES, 4, { 0 }, 0, 0x7, "top-p: of the tied last two the lower id" },
    { { 1, 0, 0, 0, 1, 0 }, HALVES, 4, { 0 }, 0, 0x1, "top-p 0 keeps the largest" },
    { { 1, 2, 0.66f, 0, 1, 0 }, HALVES, 4, { 0 }, 0, 0x1, "top-p counts within top-k: 1/2 of 3/4 is 0.667" },
    { { 1, 0, 1, 0.3f, 1, 0 }, HALVES, 4, { 0 }, 0, 0x3, "min-p: 1/8 is less than 0.3 of 1/2" },
    { { 1, 0, 1, 1, 1, 0 }, { 1, 1, 0.9f }, 3, { 0 }, 0, 0x3, "min-p 1 keeps the tied largest" },
    { { 1, 3, 0.99f, 0.2f, 1, 0 }, HALVES, 4, { 0 }, 0, 0x7, "all filters together" },
    { { 0.5f, 0, 1, 0.3f, 1, 0 }, HALVES, 4, { 0 }, 0, 0x1, "temperature comes before min-p: 1/4 is squared" },
    { { 2, 0, 0.6f, 0, 1, 0 }, HALVES, 4, { 0 }, 0, 0x3, "temperature comes before top-p: 0.366 + 0.259" },
    { { 4, 0, 0.6f, 0, 1, 0 }, HALVES, 4, { 0 }, 0, 0x7, "temperature comes before top-p: 0.307 + 0.258 + 0.217" },
    { { 1e-45f, 0, 1, 0, 1, 0 }, { 1, 1.0000001f }, 2, { 0 }, 0, 0x2, "the least temperature is greedy" },
    { { 3e38f, 0, 1, 0, 1, 0 }, { 1, 100 }, 2, { 0 }, 0, 0x3, "the greatest temperature is a coin" },
    { { 1, 0, 1, 0, 1, 0 }, { 3e38f, -3e38f, 3e38f }, 3, { 0 }, 0, 0x5, "no overflow at the ends of f32" },
    { { 1, 0, 1, 0, 1, 0 }, { INFINITY, 1, INFINITY, -INFINITY }, 4, { 0 }, 0, 0x5, "infinite logits share all" },
    { { 1, 0, 1, 0, 1, 0 }, { -INFINITY, 1, -INFINITY, 2 }, 4, { 0 }, 0, 0xA, "impossible tokens are never drawn" },
    { { 1, 3, 1, 0, 1, 0 }, { -INFINITY, 1, -INFINITY, -INFINITY }, 4, { 0 }, 0, 0x2,
      "top-k reaches into impossible tokens, and draws none" },
    { { 1, 0, 0.999f, 0, 1, 0 }, { -INFINITY, 1, -INFINITY, -INFINITY }, 4, { 0 }, 0, 0x2,
      "top-p beside impossible tokens" },
    { { 1, 1, 1, 0, 1.5f, 0 }, { 3, 2.5f, 1 }, 3, { 0, 2 }, 2, 0x2, "the penalty comes before top-k" },
    { { 1, 0, 1, 0, 1, 0 }, { 7 }, 1, { 0 }, 0, 0x1, "a vocabulary of one" },
};

enum { DRAWS = 20000 };

/* Counts of DRAWS draws against p: chi-square within 5 standard deviations of its mean, and nothing
 * that p excludes. */
static void check_draws(tern_ctx *ctx, tern_sampling s, const float *logits, int32_t n, const int32_t *seen,
                        size_t n_seen, const char *why)
{
    long double p[MOST], chi = 0, freedom = -1, rare = 0;
    int64_t count[MOST] = { 0 }, n_rare = 0;
    naive(&s, logits, n, seen, n_seen, p);
    for (int64_t i = 0; i < DRAWS; i++) {
        int32_t token = -1;
        s.seed = (uint64_t)i % 7;
        assert_int_equal(tern_sample(ctx, &s, logits, n, seen, n_seen, i, &token), TERN_OK);
        assert_in_range(token, 0, n - 1);
        if (p[token] == 0) fail_msg("%s: token %d was drawn", why, token);
        count[token]++;
    }
    for (int32_t i = 0; i < n; i++) {
        long double want = p[i] * DRAWS;
        if (want < 5) {
            rare += want;
            n_rare += count[i];
            continue;
        }
        chi += ((long double)count[i] - want) * ((long double)count[i] - want) / want;
        freedom += 1;
    }
    if ((long double)n_rare > rare + 5 * sqrtl(rare + 1))
        fail_msg("%s: rare tokens came %lld times, not %Lg", why, (long long)n_rare, rare);
    if (freedom >= 1 && chi > freedom + 5 * sqrtl(2 * freedom))
        fail_msg("%s: chi-square is %Lg for %Lg degrees of freedom", why, chi, freedom);
}

static void rows_keep_what_they_should(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const sampling_row *r = &rows[i];
        long double p[MOST];
        uint32_t kept = 0;
        naive(&r->s, r->logits, r->n, r->seen, r->n_seen, p);
        for (int32_t j = 0; j < r->n; j++) kept |= (uint32_t)(p[j] > 0) << j;
        if (kept != r->kept) fail_msg("%s: the definition keeps %#x, not %#x", r->why, kept, r->kept);
        check_draws(*state, r->s, r->logits, r->n, r->seen, r->n_seen, r->why);
    }
}

static void random_filters_give_the_right_distribution(void **state)
{
    dice d = { 5 };
    for (int i = 0; i < 40; i++) {
        float logits[200];
        int32_t n = 2 + dice_below(&d, 199), seen[4] = { dice_below(&d, n), dice_below(&d, n), 0, 1 };
        for (int32_t j = 0; j < n; j++) logits[j] = (float)dice_below(&d, 33) / 8 - 2;    /* many ties */
        tern_sampling s = plain;
        s.temperature = 0.25f + (float)dice_below(&d, 8) / 4;
        if (dice_below(&d, 2)) s.top_k = dice_below(&d, n + 2);
        if (dice_below(&d, 2)) s.top_p = 0.05f + (float)dice_below(&d, 90) / 100;
        if (dice_below(&d, 2)) s.min_p = (float)dice_below(&d, 100) / 300;
        if (dice_below(&d, 2)) s.repetition_penalty = 0.5f + (float)dice_below(&d, 8) / 4;
        check_draws(*state, s, logits, n, seen, 4, "random filters");
    }
}

/* The draw is the documented one: u of Philox(seed, position) falls into the share of a token,
 * shares lying in the order of ids. */
static void a_draw_is_a_function_of_seed_and_position(void **state)
{
    static const float logits[] = { 0, 0, 0, 0 };
    tern_sampling s = plain;
    s.seed = 0x299f31d0a4093822;
    int32_t token, again;
    assert_int_equal(tern_sample(*state, &s, logits, 4, NULL, 0, 0, &token), TERN_OK);
    for (int64_t position = 0; position < 1000; position++) {
        uint32_t word = tern_philox(s.seed, (uint64_t)position, 0).word[0];
        assert_int_equal(tern_sample(*state, &s, logits, 4, NULL, 0, position, &token), TERN_OK);
        assert_int_equal(tern_sample(*state, &s, logits, 4, NULL, 0, position, &again), TERN_OK);
        assert_int_equal(token, word >> 30);
        assert_int_equal(token, again);
    }
}

static void a_large_vocabulary_works_like_a_small_one(void **state)
{
    enum { N = 150000 };
    float *logits = malloc(N * sizeof *logits);
    assert_non_null(logits);
    for (int i = 0; i < N; i++) logits[i] = (float)(i % 1000) / 100;
    tern_sampling s = plain;
    s.top_k = 50;
    for (int64_t position = 0; position < 200; position++) {
        int32_t token;
        assert_int_equal(tern_sample(*state, &s, logits, N, NULL, 0, position, &token), TERN_OK);
        assert_int_equal(token % 1000, 999);
        assert_true(token < 50000);    /* the 50 lowest of 150 tied ids */
    }
    free(logits);
}

/* In every place of vocabularies around the width of a vector: a largest logit that comes again
 * behind itself, and a NaN. */
static void greedy_finds_the_first_largest_wherever_it_is(void **state)
{
    tern_sampling greedy = tern_sampling_greedy();
    for (int32_t n = 1; n <= 70; n++) {
        for (int32_t at = 0; at < n; at++) {
            float logits[70];
            int32_t token;
            for (int32_t i = 0; i < n; i++) logits[i] = -(float)(1 + i * 7 % 5);
            logits[at] = 3;
            logits[at + (n - 1 - at) / 2] = logits[n - 1] = 3;
            assert_int_equal(tern_sample(*state, &greedy, logits, n, NULL, 0, 0, &token), TERN_OK);
            assert_int_equal(token, at);
            logits[at] = NAN;
            assert_int_equal(tern_sample(*state, &greedy, logits, n, NULL, 0, 0, &token), TERN_ERR_NUMERIC);
        }
    }
}

/* A vocabulary that several threads look through, on their borders and elsewhere; the largest comes
 * again as the last logit. */
static void greedy_looks_through_a_large_vocabulary(void **state)
{
    enum { VOCAB = 10007 };
    static const int32_t places[] = { 0, 1, 2047, 2048, 4095, 4096, 4097, 8191, 8192, VOCAB - 2, VOCAB - 1 };
    static float logits[VOCAB];
    tern_sampling greedy = tern_sampling_greedy();
    int32_t token;
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        int32_t at = places[p];
        for (int32_t i = 0; i < VOCAB; i++) logits[i] = i % 3 ? -INFINITY : -(float)(1 + i % 5);
        logits[at] = logits[VOCAB - 1] = 3;
        assert_int_equal(tern_sample(*state, &greedy, logits, VOCAB, NULL, 0, 0, &token), TERN_OK);
        assert_int_equal(token, at);
        logits[at] = NAN;
        assert_int_equal(tern_sample(*state, &greedy, logits, VOCAB, NULL, 0, 0, &token), TERN_ERR_NUMERIC);
    }
}

/* Rows of all kinds on several threads, against each by itself; a row that is refused leaves the
 * others alone. */
static void rows_together_are_rows_alone(void **state)
{
    enum { ROWS = 24, VOCAB = 301 };
    static const int32_t seen[] = { 5, 9, 300 };
    static const tern_sampling kinds[] = { { 0, 0, 1, 0, 1, 0 }, { 0, 0, 1, 0, 1.3f, 0 }, { 0.7f, 0, 1, 0, 1, 3 },
                                           { 1.1f, 40, 0.9f, 0.05f, 1.1f, 4 } };
    float logits[ROWS][VOCAB];
    int32_t got[ROWS], want;
    tern_draw row[ROWS];
    tern_ctx *threads;
    if (tern_ctx_create(&(tern_ctx_options){ .threads = 4 }, &threads)) fail_msg("%s", tern_create_error());
    for (int r = 0; r < ROWS; r++) {
        for (int i = 0; i < VOCAB; i++) logits[r][i] = (float)((i * 37 + r * 101) % 211) / 20;
        row[r] = (tern_draw){ .sampling = &kinds[r % 4], .logits = logits[r], .seen = seen, .n_seen = 3, .position = r,
                              .token = &got[r] };
    }
    logits[6][200] = NAN;
    tern_sample_rows(threads, row, ROWS, VOCAB);
    for (int r = 0; r < ROWS; r++) {
        tern_status st = tern_sample(*state, row[r].sampling, logits[r], VOCAB, seen, 3, r, &want);
        assert_int_equal(st, r == 6 ? TERN_ERR_NUMERIC : TERN_OK);
        assert_int_equal(got[r], r == 6 ? -1 : want);
    }
    tern_ctx_free(threads);
}

typedef struct refusal {
    tern_sampling s;
    tern_status status;
    const char *message;
} refusal;

static void bad_fields_are_refused_by_name(void **state)
{
    static const float logits[] = { 1, 2 };
    const refusal bad[] = {
        { { -1, 0, 1, 0, 1, 0 }, TERN_ERR_ARGUMENT, "temperature is -1, not a finite number of 0 or more" },
        { { NAN, 0, 1, 0, 1, 0 }, TERN_ERR_ARGUMENT, "temperature is nan" },
        { { INFINITY, 0, 1, 0, 1, 0 }, TERN_ERR_ARGUMENT, "temperature is inf" },
        { { 1, -1, 1, 0, 1, 0 }, TERN_ERR_ARGUMENT, "top_k is -1, not 0 or more" },
        { { 1, 0, 1.5f, 0, 1, 0 }, TERN_ERR_ARGUMENT, "top_p is 1.5, not a number from 0 to 1" },
        { { 1, 0, -0.5f, 0, 1, 0 }, TERN_ERR_ARGUMENT, "top_p is -0.5" },
        { { 1, 0, NAN, 0, 1, 0 }, TERN_ERR_ARGUMENT, "top_p is nan" },
        { { 1, 0, 1, 2, 1, 0 }, TERN_ERR_ARGUMENT, "min_p is 2, not a number from 0 to 1" },
        { { 1, 0, 1, NAN, 1, 0 }, TERN_ERR_ARGUMENT, "min_p is nan" },
        { { 1, 0, 1, 0, 0, 0 }, TERN_ERR_ARGUMENT, "repetition_penalty is 0, not a finite number above 0" },
        { { 1, 0, 1, 0, -2, 0 }, TERN_ERR_ARGUMENT, "repetition_penalty is -2" },
        { { 1, 0, 1, 0, INFINITY, 0 }, TERN_ERR_ARGUMENT, "repetition_penalty is inf" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int32_t token = 77;
        assert_int_equal(tern_sample(*state, &bad[i].s, logits, 2, NULL, 0, 0, &token), bad[i].status);
        assert_non_null(strstr(tern_ctx_error(*state), bad[i].message));
        assert_int_equal(token, 77);
    }
}

static void bad_logits_are_refused(void **state)
{
    static const float nan_last[] = { 1, 2, NAN }, nan_first[] = { NAN, 1, 2 }, nan_middle[] = { 1, NAN, 2 },
        none[] = { -INFINITY, -INFINITY }, all[] = { INFINITY, INFINITY };
    static const int32_t seen[] = { 0, 2 };
    int32_t token;
    tern_sampling greedy = tern_sampling_greedy(), s = plain;
    assert_int_equal(tern_sample(*state, &greedy, nan_last, 3, NULL, 0, 0, &token), TERN_ERR_NUMERIC);
    assert_string_equal(tern_ctx_error(*state), "logit 2 of 3 is NaN");
    assert_int_equal(tern_sample(*state, &greedy, nan_first, 3, NULL, 0, 0, &token), TERN_ERR_NUMERIC);
    assert_int_equal(tern_sample(*state, &greedy, nan_middle, 3, NULL, 0, 0, &token), TERN_ERR_NUMERIC);
    assert_int_equal(tern_sample(*state, &greedy, none, 2, NULL, 0, 0, &token), TERN_ERR_NUMERIC);
    assert_int_equal(tern_sample(*state, &s, nan_last, 3, NULL, 0, 0, &token), TERN_ERR_NUMERIC);
    assert_int_equal(tern_sample(*state, &s, none, 2, NULL, 0, 0, &token), TERN_ERR_NUMERIC);
    assert_string_equal(tern_ctx_error(*state), "none of 2 logits is finite");
    assert_int_equal(tern_sample(*state, &greedy, all, 2, NULL, 0, 0, &token), TERN_ERR_NUMERIC);
    assert_int_equal(tern_sample(*state, &s, nan_last, 2, seen, 2, 0, &token), TERN_ERR_ARGUMENT);
    assert_int_equal(tern_sample(*state, &s, nan_last, 0, NULL, 0, 0, &token), TERN_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_numbers),
        cmocka_unit_test(rows_keep_what_they_should),
        cmocka_unit_test(random_filters_give_the_right_distribution),
        cmocka_unit_test(a_draw_is_a_function_of_seed_and_position),
        cmocka_unit_test(a_large_vocabulary_works_like_a_small_one),
        cmocka_unit_test(greedy_finds_the_first_largest_wherever_it_is),
        cmocka_unit_test(greedy_looks_through_a_large_vocabulary),
        cmocka_unit_test(rows_together_are_rows_alone),
        cmocka_unit_test(bad_fields_are_refused_by_name),
        cmocka_unit_test(bad_logits_are_refused),
    };
    return cmocka_run_group_tests(tests, toy_setup, toy_teardown);
}
