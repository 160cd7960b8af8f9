/* FastGen's tests of its ragged state, rebuilt for what stands in its place
 * (tests/unit/inference/v2/ragged): the page allocator (test_blocked_allocator), the limits of an
 * engine (test_manager_configs), and what a step's batch says of its sequences
 * (test_ragged_wrapper). */
#include "engine/pages.h"
#include "engine/play.h"

/* ---- test_blocked_allocator ---- */

static void sizes_below_one_are_refused(void **state)
{
    static const int64_t bad[] = { 0, -1 };
    tern_ctx *ctx = *state;
    for (size_t i = 0; i < 2; i++) {
        char message[64];
        tern_pages *b = NULL;
        assert_int_equal(tern_pages_create(ctx, bad[i], &b), TERN_ERR_ARGUMENT);
        snprintf(message, sizeof message, "a pool of %d pages", (int)bad[i]);
        if (!strstr(tern_ctx_error(ctx), message)) fail_msg("\"%s\" has not \"%s\"", tern_ctx_error(ctx), message);
        assert_null(b);
    }
}

static tern_pages *pool_of(tern_ctx *ctx, int64_t n)
{
    tern_pages *b;
    assert_int_equal(tern_pages_create(ctx, n, &b), TERN_OK);
    return b;
}

/* Takes n pages into id; they are of the pool, and free. */
static void take(tern_pages *b, int64_t n, int32_t *id, bool *held)
{
    assert_true(tern_pages_reserve(b, n));
    for (int64_t i = 0; i < n; i++) {
        id[i] = tern_pages_take(b);
        assert_in_range(id[i], 0, tern_pages_count(b).n - 1);
        assert_false(held[id[i]]);
        held[id[i]] = true;
    }
}

static void pages_are_counted_and_unique(void **state)
{
    static const int64_t sizes[] = { 1, 15, 128 };
    for (size_t s = 0; s < 3; s++) {
        tern_pages *b = pool_of(*state, sizes[s]);
        int32_t id[128];
        bool held[128] = { false };
        take(b, sizes[s], id, held);
        assert_int_equal(tern_pages_count(b).n_free, 0);
        assert_false(tern_pages_reserve(b, 1));    /* more than there are: nothing changes */
        assert_int_equal(tern_pages_take(b), TERN_NO_PAGE);
        for (int64_t i = 0; i < sizes[s]; i++) {
            assert_true(tern_pages_release(b, id[i]));
            assert_int_equal(tern_pages_count(b).n_free, i + 1);
        }
        tern_pages_destroy(b);
    }
}

/* A page given back twice (DeepSpeed's corrupts its list where both lie in one call), and numbers
 * that are none: refused, and nothing changes. */
static void strays_change_nothing(void **state)
{
    enum { N = 16 };
    tern_pages *b = pool_of(*state, N);
    int32_t id[N], bad[] = { -1, N, INT32_MIN, INT32_MAX };
    bool held[N] = { false };
    take(b, N / 2, id, held);
    assert_true(tern_pages_release(b, id[3]));
    for (size_t i = 0; i < 4; i++) assert_false(tern_pages_release(b, bad[i]));
    assert_false(tern_pages_release(b, id[3]));
    for (int32_t i = 0; i < N; i++)
        if (!held[i]) assert_false(tern_pages_release(b, i));
    tern_page_counts n = tern_pages_count(b);
    assert_true(n.n == N && n.n_held == N / 2 - 1 && n.n_free == N / 2 + 1 && n.n_reserved == 0);
    held[id[3]] = false;
    take(b, N / 2 + 1, id, held);    /* every page that is left, once */
    tern_pages_destroy(b);
}

static void random_operations_keep_the_books(void **state)
{
    enum { N = 1024, OPERATIONS = 8192 };
    tern_pages *b = pool_of(*state, N);
    dice d = { 8192 };
    static int32_t id[N], list[N];
    bool held[N] = { false };
    int64_t n_held = 0;
    for (int i = 0; i < OPERATIONS; i++) {
        int64_t want = 1 + dice_below(&d, 64);
        if (dice_below(&d, 2)) {
            if (want > N - n_held) {
                assert_false(tern_pages_reserve(b, want));
            } else {
                take(b, want, id, held);
                for (int64_t k = 0; k < want; k++) list[n_held++] = id[k];
            }
        } else {
            for (int64_t k = 0; k < want && n_held; k++) {
                int32_t at = dice_below(&d, (int32_t)n_held), page = list[at];
                list[at] = list[--n_held];
                assert_true(tern_pages_release(b, page));
                held[page] = false;
                if (k == 0) assert_false(tern_pages_release(b, page));
            }
        }
        tern_page_counts n = tern_pages_count(b);
        if (n.n_held != n_held || n.n_free != N - n_held || n.n_reserved)
            fail_msg("after %d operations: %d held, %d free", i + 1, (int)n.n_held, (int)n.n_free);
    }
    tern_pages_destroy(b);
}

/* ---- test_manager_configs: limits below zero; more sequences than a step has tokens for are no
 * error here, they take turns ---- */

static void limits_of_an_engine(void **state)
{
    static const struct { tern_engine_options o; const char *message, *why; } rows[] = {
        { { .max_requests = -1 }, "max_requests is -1", "tracked sequences" },
        { { .step_tokens = -1 }, "step_tokens is -1", "tokens of a batch" },
        { { .kv_tokens = -1 }, "kv_tokens is -1", "the pool" },
        { { .context_tokens = -1 }, "context_tokens is -1", "the context" },
        { { .max_requests = 100000 }, "max_requests is 100000", "beyond its most" },
        { { .max_requests = 8, .step_tokens = 4 }, NULL, "more sequences than tokens" },
        { { .max_requests = 4, .step_tokens = 4 }, NULL, "as many as tokens" },      { { 0 }, NULL, "defaults" },
    };
    tern_ctx *ctx = *state;
    toy t = { 0 };
    tern_runner r = toy_runner(ctx, &t);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_engine *e = NULL;
        tern_status st = tern_engine_create_on(&r, &rows[i].o, &e);
        if (st != (rows[i].message ? TERN_ERR_ARGUMENT : TERN_OK))
            fail_msg("%s: %s", rows[i].why, tern_status_name(st));
        if (st && !strstr(tern_ctx_error(ctx), rows[i].message))
            fail_msg("%s: \"%s\"", rows[i].why, tern_ctx_error(ctx));
        tern_engine_free(e);
    }
}

/* ---- test_ragged_wrapper: what the first step's batch says ---- */

typedef struct recorder {
    toy t;    /* first: the toy's own step takes it */
    int32_t n_seq, n_row, row[16], n_tok[16], past[16], id[2048], length[16];
} recorder;

static tern_status record(void *user, const tern_step *s)
{
    recorder *r = user;
    if (!r->t.n_step) {
        r->n_seq = s->batch->n_seq;
        r->n_row = s->batch->n_row;
        for (int32_t q = 0; q < s->batch->n_seq && q < 16; q++) {
            r->row[q] = s->batch->row[q];
            r->n_tok[q] = s->batch->n_tok[q];
            r->past[q] = s->batch->past[q];
            r->length[q] = s->length[q];
            /* no page is another token's, too */
            for (int32_t a = 0, n = (r->n_tok[q] + TERN_KV_PAGE - 1) / TERN_KV_PAGE; a < n; a++)
                for (int32_t o = 0; o < q; o++)
                    for (int32_t c = 0; c < (r->n_tok[o] + TERN_KV_PAGE - 1) / TERN_KV_PAGE; c++)
                        if (s->batch->page[q][a] == s->batch->page[o][c]) r->t.broken = "two sequences have one page";
        }
        memcpy(r->id, s->id, (size_t)s->batch->n_row * sizeof *s->id);
    }
    return toy_step(&r->t, s);
}

static void a_batch_says_what_is_in_it(void **state)
{
    static const int32_t lists[][8] = { { 1 }, { 37 }, { 128 }, { 512 }, { 128, 128 }, { 1, 32, 243 },
                                        { 64, 1, 1, 1, 1, 393, 27, 2 }, { 4, 1, 3 } };
    tern_ctx *ctx = *state;
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        recorder r = { .t = { 0 } };
        tern_runner runner = toy_runner(ctx, &r.t);
        tern_engine *e;
        play *p = calloc(8, sizeof *p);
        int32_t n = 0, at = 0;
        runner.step = record;
        assert_int_equal(tern_engine_create_on(&runner, &(tern_engine_options){ .step_tokens = 1024, .max_requests =
            8, .no_prefix_sharing = true }, &e), TERN_OK);
        for (; n < 8 && lists[l][n]; n++) {
            int32_t token[512];
            for (int32_t i = 0; i < lists[l][n]; i++) token[i] = (n + i * (n + 1)) % TOY_NAN;
            play_prompt(&p[n], token, lists[l][n]);
            p[n].request.max_new_tokens = 1;
            p[n].request.ignore_eos = true;
            p[n].request.sampling = tern_sampling_greedy();
            play_expect(ctx, &r.t, &p[n]);
            assert_int_equal(tern_engine_submit(e, &p[n].request, &p[n].request_id), TERN_OK);
        }
        assert_int_equal(tern_engine_run(e), TERN_OK);
        assert_null(r.t.broken);
        assert_int_equal(r.n_seq, n);
        /* in the order of the requests: where each begins, how many tokens, which; nothing was seen
         * before */
        for (int32_t s = 0; s < n; s++) {
            assert_int_equal(r.row[s], at);
            assert_int_equal(r.n_tok[s], lists[l][s]);
            assert_int_equal(r.length[s], lists[l][s]);
            assert_int_equal(r.past[s], 0);
            assert_memory_equal(r.id + at, p[s].id, (size_t)lists[l][s] * sizeof *r.id);
            at += lists[l][s];
            play_check_end(&p[s], "a request");
        }
        assert_int_equal(r.n_row, at);
        tern_engine_free(e);
        free(p);
    }
}

/* An empty batch: no request, no step of the model. */
static void nothing_to_do_is_no_step(void **state)
{
    recorder r = { .t = { 0 } };
    tern_runner runner = toy_runner(*state, &r.t);
    tern_engine *e;
    size_t n_left = 1;
    runner.step = record;
    assert_int_equal(tern_engine_create_on(&runner, NULL, &e), TERN_OK);
    assert_int_equal(tern_engine_step(e, &n_left), TERN_OK);
    assert_true(n_left == 0 && r.t.n_step == 0);
    tern_engine_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_below_one_are_refused),      cmocka_unit_test(pages_are_counted_and_unique),
        cmocka_unit_test(strays_change_nothing),
        cmocka_unit_test(random_operations_keep_the_books), cmocka_unit_test(limits_of_an_engine),
        cmocka_unit_test(a_batch_says_what_is_in_it),
        cmocka_unit_test(nothing_to_do_is_no_step),
    };
    return cmocka_run_group_tests(tests, toy_setup, toy_teardown);
}
