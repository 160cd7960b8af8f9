/* The scheduler with a toy model: whatever the schedule, a request gets what it gets alone, and no
 * request waits for ever. */
#include "engine/play.h"

enum { ROUNDS = 10000, MOST_PLAYS = 8, MOST_STEPS = 20000 };

static void random_prompt(dice *d, play *p)
{
    int32_t token[400], n = dice_below(d, 2) ? 1 + dice_below(d, 30) : 60 + dice_below(d, 260);
    /* of three beginnings, with an end of its own */
    int32_t kind = dice_below(d, 3), own = dice_below(d, 2) ? n : dice_below(d, n + 1);
    dice text = { (uint64_t)kind };
    for (int32_t i = 0; i < n; i++) token[i] = i < own ? dice_below(&text, TOY_NAN) : dice_below(d, TOY_NAN);
    if (dice_below(d, 100) == 0) token[n - 1] = TOY_NAN;
    play_prompt(p, token, n);
}

static void random_play(dice *d, tern_ctx *ctx, const toy *t, play *p)
{
    *p = (play){ 0 };
    random_prompt(d, p);
    p->request.max_new_tokens = dice_below(d, 12);
    p->request.ignore_eos = dice_below(d, 2);
    p->request.logits = (tern_logits_wanted)dice_below(d, 3);
    p->request.sampling = tern_sampling_greedy();
    if (dice_below(d, 2))
        p->request.sampling = (tern_sampling){ .temperature = 1, .top_k = 10, .top_p = 0.9f, .repetition_penalty = 1.1f,
                                               .seed = dice_next(d) };
    if (dice_below(d, 10) == 0) p->cancel_after = 1 + dice_below(d, 5);
    play_expect(ctx, t, p);
    if (p->request.max_new_tokens == 0 && p->request.logits != TERN_LOGITS_NONE && p->id[p->n_prompt - 1] == TOY_NAN)
        p->expected = TERN_FINISH_ERROR;
}

static int64_t pages_of(const play *p)
{
    return (p->n_prompt + p->request.max_new_tokens + TERN_KV_PAGE - 1) / TERN_KV_PAGE;
}

/* A pool that holds the largest request, and seldom much more. */
static tern_engine_options random_options(dice *d, const play *p, int32_t n)
{
    int64_t most = 1;
    for (int32_t i = 0; i < n; i++)
        if (pages_of(&p[i]) > most) most = pages_of(&p[i]);
    tern_engine_options o = { .kv_tokens = (most + dice_below(d, 6)) * TERN_KV_PAGE,
                              .max_requests = 1 + dice_below(d, 6), .no_prefix_sharing = dice_below(d, 4) == 0 };
    o.step_tokens = dice_below(d, 3) ? 1 + dice_below(d, 40) : 1 + dice_below(d, 300);
    return o;
}

static void one_schedule(tern_ctx *ctx, dice *d, play *p, int64_t *n_cached)
{
    int32_t n = 1 + dice_below(d, MOST_PLAYS), n_in = 0, cancelled = -1;
    toy t = { 0 };
    if (dice_below(d, 4) == 0) {
        t.rope_tokens = 1 + dice_below(d, 150);
        t.rope_restarts = dice_below(d, 2);
    }
    for (int32_t i = 0; i < n; i++) random_play(d, ctx, &t, &p[i]);
    tern_engine_options o = random_options(d, p, n);
    t.most_rows = o.step_tokens;
    t.most_seqs = o.max_requests;
    tern_runner r = toy_runner(ctx, &t);
    tern_engine *e;
    assert_int_equal(tern_engine_create_on(&r, &o, &e), TERN_OK);
    size_t n_left = 1;
    for (int step = 0; n_in < n || n_left; step++) {
        if (step > MOST_STEPS) fail_msg("no end after %d steps", step);
        while (n_in < n && dice_below(d, 3)) {
            assert_int_equal(tern_engine_submit(e, &p[n_in].request, &p[n_in].request_id), TERN_OK);
            n_in++;
        }
        if (dice_below(d, 60) == 0 && n_in) {
            cancelled = dice_below(d, n_in);
            p[cancelled].cancel_after = 1;    /* from now on cancelled is an end that it may have */
            tern_engine_cancel(e, p[cancelled].request_id);
        }
        if (tern_engine_step(e, &n_left)) fail_msg("%s", t.broken);
    }
    for (int32_t i = 0; i < n; i++) {
        if (p[i].wrong) fail_msg("request %d of %d: %s", i, n, p[i].wrong);
        if (p[i].cancel_after && p[i].finish == TERN_FINISH_CANCELLED) continue;
        play_check_end(&p[i], "a request");
        *n_cached += p[i].n_cached;
    }
    tern_engine_info info = tern_engine_get_info(e);
    assert_int_equal(info.n_free_pages, info.n_pages);
    tern_engine_free(e);
}

static void any_schedule_gives_what_a_request_gets_alone(void **state)
{
    dice d = { 2026 };
    play *p = calloc(MOST_PLAYS, sizeof *p);
    int64_t n_cached = 0;
    assert_non_null(p);
    for (int round = 0; round < ROUNDS; round++) one_schedule(*state, &d, p, &n_cached);
    assert_true(n_cached > 100000);    /* pages were shared all along */
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_schedule_gives_what_a_request_gets_alone),
    };
    return cmocka_run_group_tests(tests, toy_setup, toy_teardown);
}
