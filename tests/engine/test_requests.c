/* What the engine promises a request, one promise a test: its turn, its end, its limits, its
 * failures. */
#include "engine/memory.h"
#include "engine/play.h"

typedef struct fixture {
    tern_ctx *ctx;
    toy t;
    tern_engine *e;
    play p[12];
} fixture;

static void open_engine(fixture *h, tern_engine_options o)
{
    tern_runner r = toy_runner(h->ctx, &h->t);
    assert_int_equal(tern_engine_create_on(&r, &o, &h->e), TERN_OK);
}

/* Request i: n prompt tokens that differ from all other requests', max_new tokens to draw, eos not
 * minded. */
static play *request(fixture *h, int i, int32_t n, int64_t max_new)
{
    int32_t token[PLAY_MOST];
    for (int32_t k = 0; k < n; k++) token[k] = (i + 5 + k * (i + 1)) % TOY_NAN;
    play *p = &h->p[i];
    *p = (play){ 0 };
    play_prompt(p, token, n);
    p->request.max_new_tokens = max_new;
    p->request.ignore_eos = true;
    p->request.sampling = (tern_sampling){ .temperature = 1, .top_k = 30, .top_p = 1, .repetition_penalty = 1,
                                           .seed = (uint64_t)i };
    return p;
}

static void submit(fixture *h, play *p)
{
    play_expect(h->ctx, &h->t, p);
    assert_int_equal(tern_engine_submit(h->e, &p->request, &p->request_id), TERN_OK);
}

static size_t step(fixture *h)
{
    size_t n_left;
    assert_int_equal(tern_engine_step(h->e, &n_left), TERN_OK);
    return n_left;
}

static void run_out(fixture *h, int n)
{
    assert_int_equal(tern_engine_run(h->e), TERN_OK);
    for (int i = 0; i < n; i++) play_check_end(&h->p[i], "a request");
    tern_engine_info info = tern_engine_get_info(h->e);
    assert_int_equal(info.n_free_pages, info.n_pages);
}

static void decoding_goes_on_beside_a_long_prompt(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096, .step_tokens = 64 });
    submit(h, request(h, 0, 5, 30));
    step(h);
    submit(h, request(h, 1, 1000, 2));
    for (int i = 2; i < 12; i++) {
        step(h);
        assert_int_equal(h->p[0].n_drawn, i);          /* a token every step */
        assert_int_equal(h->t.last_n_seq, 2);
        assert_int_equal(h->t.last_tok[0], 1);         /* decoding first, then all that is left */
        assert_int_equal(h->t.last_tok[1], 63);
    }
    run_out(h, 2);
}

static void a_short_prompt_passes_a_long_one(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096, .step_tokens = 64 });
    submit(h, request(h, 0, 1000, 2));
    step(h);
    submit(h, request(h, 1, 20, 2));
    submit(h, request(h, 2, 30, 2));
    step(h);
    assert_int_equal(h->t.last_tok[0], 32);            /* half for the first */
    assert_int_equal(h->t.last_tok[1], 16);            /* half of the rest */
    assert_int_equal(h->t.last_tok[2], 16);
    assert_int_equal(h->t.last_past[0], 64);
    step(h);
    assert_int_equal(h->p[1].n_drawn, 1);
    assert_int_equal(h->p[2].n_drawn, 1);              /* 14 tokens were left, and the half of 64 - 32 - 4 */
    run_out(h, 3);
}

static void what_short_prompts_leave_goes_to_the_first(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096, .step_tokens = 64 });
    submit(h, request(h, 0, 200, 1));
    submit(h, request(h, 1, 3, 1));
    step(h);
    assert_int_equal(h->t.last_tok[0], 61);
    assert_int_equal(h->t.last_tok[1], 3);
    assert_int_equal(h->t.n_row, 64);
    run_out(h, 2);
}

static void too_many_decoding_requests_take_turns(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096, .step_tokens = 2, .max_requests = 5 });
    for (int i = 0; i < 5; i++) submit(h, request(h, i, 1, 100));
    while (h->p[4].n_drawn < 3) step(h);
    int32_t before[5], least = 1000, most = 0;
    for (int i = 0; i < 5; i++) before[i] = h->p[i].n_drawn;
    for (int i = 0; i < 50; i++) step(h);
    for (int i = 0; i < 5; i++) {
        int32_t n = h->p[i].n_drawn - before[i];
        least = n < least ? n : least;
        most = n > most ? n : most;
    }
    assert_in_range(most - least, 0, 1);
    assert_int_equal(least, 20);                       /* 100 tokens for five */
    run_out(h, 5);
}

static void more_requests_than_may_run_wait_in_order(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096, .max_requests = 2 });
    for (int i = 0; i < 6; i++) submit(h, request(h, i, 4, 3));
    assert_int_equal(step(h), 6);
    assert_int_equal(h->t.last_n_seq, 2);
    assert_int_equal(h->p[1].n_drawn, 1);
    assert_int_equal(h->p[2].n_drawn, 0);
    step(h);
    assert_int_equal(step(h), 4);
    step(h);
    assert_int_equal(h->p[3].n_drawn, 1);
    assert_int_equal(h->p[4].n_drawn, 0);
    run_out(h, 6);
}

/* Ten requests of three pages each in a pool of three: each waits for the one before, and all
 * end. */
static void a_tiny_pool_serves_one_after_the_other(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .kv_tokens = 3 * TERN_KV_PAGE });
    for (int i = 0; i < 10; i++) submit(h, request(h, i, 70, 3 * TERN_KV_PAGE - 70));
    step(h);
    assert_int_equal(h->t.last_n_seq, 1);
    assert_int_equal(tern_engine_get_info(h->e).n_free_pages, 0);
    run_out(h, 10);
}

static void a_cancelled_request_is_gone_at_the_next_step(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096, .max_requests = 3 });
    for (int i = 0; i < 4; i++) submit(h, request(h, i, 100, 50));
    step(h);
    tern_engine_cancel(h->e, h->p[1].request_id);
    tern_engine_cancel(h->e, h->p[3].request_id);            /* still in the queue */
    tern_engine_cancel(h->e, 12345);                   /* no such request */
    assert_int_equal(h->p[1].finish, TERN_FINISH_NONE);
    int64_t n_free = tern_engine_get_info(h->e).n_free_pages;
    assert_int_equal(step(h), 2);
    assert_int_equal(h->p[1].finish, TERN_FINISH_CANCELLED);
    assert_int_equal(h->p[3].finish, TERN_FINISH_CANCELLED);
    assert_int_equal(h->p[1].n_drawn, 1);
    assert_int_equal(h->p[3].n_events, 1);
    assert_int_equal(tern_engine_get_info(h->e).n_free_pages, n_free + 3);
    h->p[1].expected = h->p[3].expected = TERN_FINISH_CANCELLED;
    h->p[1].n_expected = 1;
    h->p[3].n_expected = 0;
    run_out(h, 4);
}

static void a_callback_that_returns_false_cancels(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096 });
    play *p = request(h, 0, 10, 50);
    p->cancel_after = 3;
    submit(h, p);
    submit(h, request(h, 1, 10, 9));
    assert_int_equal(tern_engine_run(h->e), TERN_OK);
    assert_int_equal(p->finish, TERN_FINISH_CANCELLED);
    assert_int_equal(p->n_drawn, 3);
    assert_null(p->wrong);
    play_check_end(&h->p[1], "the other request");
}

static void an_end_of_sequence_id_ends_a_request(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096 });
    int n_stopped = 0;
    for (int i = 0; i < 10; i++) {
        request(h, i, 5 + i, 60);
        h->p[i].request.ignore_eos = false;
        submit(h, &h->p[i]);
        n_stopped += h->p[i].expected == TERN_FINISH_STOP;
        if (h->p[i].expected == TERN_FINISH_STOP)
            assert_int_equal(h->p[i].id[h->p[i].n_prompt + h->p[i].n_expected - 1], TOY_EOS);
    }
    assert_in_range(n_stopped, 1, 10);
    run_out(h, 10);
}

static void evaluation_alone_gives_logits_and_no_token(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096, .step_tokens = 50 });
    static const struct {
        tern_logits_wanted logits;
        int32_t n_events;
    } rows[] = { { TERN_LOGITS_NONE, 1 }, { TERN_LOGITS_LAST, 1 }, { TERN_LOGITS_ALL, 300 } };
    for (int i = 0; i < 3; i++) {
        request(h, i, 300, 0);
        h->p[i].request.logits = rows[i].logits;
        submit(h, &h->p[i]);
    }
    run_out(h, 3);
    for (int i = 0; i < 3; i++) assert_int_equal(h->p[i].n_events, rows[i].n_events);
}

static void all_logits_come_in_chunks_that_fit(void **state)
{
    fixture *h = *state;
    tern_runner r = toy_runner(h->ctx, &h->t);
    tern_plan plan;
    r.vocab = 8 << 20;                                 /* a row of 32 MiB */
    r.page_bytes = 1;
    assert_int_equal(tern_plan_engine(&r, &(tern_engine_options){ .max_requests = 2 },
                                      (tern_available_memory){ UINT64_C(1) << 40, "a test" }, &plan), TERN_OK);
    assert_int_equal(plan.n_logit_row, 2 + 8);
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096, .step_tokens = 8, .max_requests = 2 });
    for (int i = 0; i < 2; i++) {
        request(h, i, 100, 5);
        h->p[i].request.logits = TERN_LOGITS_ALL;
        submit(h, &h->p[i]);
    }
    run_out(h, 2);
}

static void an_equal_beginning_is_computed_once(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096 });
    submit(h, request(h, 0, 200, 60));
    run_out(h, 1);
    int64_t rows = h->t.n_row;
    assert_int_equal(rows, 200 + 59);

    play *p = &h->p[1];                                /* the same prompt again: 3 pages are known, 8 tokens are left */
    *p = h->p[0];
    p->n_drawn = p->n_events = 0;
    p->finish = TERN_FINISH_NONE;
    p->request_id = 0;
    play_prompt(p, h->p[0].id, 200);
    submit(h, p);
    run_out(h, 2);
    assert_int_equal(p->n_cached, 192);
    assert_int_equal(h->t.n_row - rows, 8 + 59);
    rows = h->t.n_row;

    /* prompt and output of the first: the pages that decoding filled are known too */
    play *q = request(h, 2, 1, 1);
    play_prompt(q, h->p[0].id, 257);
    submit(h, q);
    run_out(h, 3);
    assert_int_equal(q->n_cached, 256);
    assert_int_equal(h->t.n_row - rows, 1);

    play *a = request(h, 3, 1, 1);                         /* every position's logits: nothing can be skipped */
    play_prompt(a, h->p[0].id, 200);
    a->request.logits = TERN_LOGITS_ALL;
    submit(h, a);
    run_out(h, 4);
    assert_int_equal(a->n_cached, 0);

    /* a prompt of whole pages: the last one is run for its last logits */
    play *b = request(h, 4, 1, 1);
    play_prompt(b, h->p[0].id, 192);
    submit(h, b);
    run_out(h, 5);
    assert_int_equal(b->n_cached, 128);
}

static void sharing_can_be_switched_off(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096, .no_prefix_sharing = true });
    for (int i = 0; i < 2; i++) {
        submit(h, request(h, 0, 200, 2));
        run_out(h, 1);
        assert_int_equal(h->p[0].n_cached, 0);
    }
    assert_int_equal(h->t.n_row, 2 * 201);
}

/* Under longrope the cache of a request that passes the length is computed again, once, and its
 * pages are not shared. */
static void a_rope_that_restarts_computes_the_cache_again(void **state)
{
    fixture *h = *state;
    h->t.rope_tokens = 100;
    h->t.rope_restarts = true;
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096 });
    submit(h, request(h, 0, 90, 30));
    run_out(h, 1);
    /* positions 0..99 short, the first 101 tokens again, the rest one by one */
    assert_int_equal(h->t.n_row, 90 + 10 + 101 + 18);
    play_prompt(request(h, 1, 90, 2), h->p[0].id, 90);
    submit(h, &h->p[1]);
    run_out(h, 2);
    assert_int_equal(h->p[1].n_cached, 0);               /* what the long one left is not for short ones */
    play_prompt(request(h, 2, 90, 2), h->p[0].id, 90);
    submit(h, &h->p[2]);
    run_out(h, 3);
    assert_int_equal(h->p[2].n_cached, 64);              /* short ones share */
}

/* A dynamic rope rotates a prompt by the prompt's length, and leaves cached keys alone. */
static void a_dynamic_rope_leaves_the_cache_alone(void **state)
{
    fixture *h = *state;
    h->t.rope_tokens = 100;
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096, .step_tokens = 50 });
    submit(h, request(h, 0, 90, 30));
    submit(h, request(h, 1, 200, 5));
    run_out(h, 2);
    assert_int_equal(h->t.n_row, 90 + 29 + 200 + 4);
}

static void nan_ends_the_request_that_met_it(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096 });
    for (int i = 0; i < 3; i++) request(h, i, 10, 20);
    h->p[1].id[9] = TOY_NAN;
    for (int i = 0; i < 3; i++) submit(h, &h->p[i]);
    request(h, 3, 10, 0);
    h->p[3].id[9] = TOY_NAN;
    h->p[3].request.logits = TERN_LOGITS_LAST;
    submit(h, &h->p[3]);
    h->p[3].expected = TERN_FINISH_ERROR;
    run_out(h, 4);
    assert_string_equal(h->p[1].error, "logit 7 of 40 is NaN");
    assert_string_equal(h->p[3].error, "logit 7 at position 9 is NaN");
    assert_int_equal(h->p[1].n_events, 1);
}

static void a_failed_step_can_be_tried_again(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096, .step_tokens = 16 });
    for (int i = 0; i < 3; i++) submit(h, request(h, i, 90, 10));
    for (int i = 0; i < 30; i++) {
        size_t n_left;
        if (i % 3 == 0) h->t.fail_at = (int)h->t.n_step + 1;
        tern_status st = tern_engine_step(h->e, &n_left);
        assert_int_equal(st, i % 3 ? TERN_OK : TERN_ERR_MEMORY);
    }
    h->t.fail_at = 0;
    run_out(h, 3);
}

static void freeing_tells_every_request(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096, .max_requests = 2 });
    for (int i = 0; i < 4; i++) submit(h, request(h, i, 10, 50));
    step(h);
    tern_engine_free(h->e);
    h->e = NULL;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(h->p[i].finish, TERN_FINISH_CANCELLED);
        assert_null(h->p[i].wrong);
    }
    tern_engine_free(NULL);
}

typedef struct chain {
    fixture *h;
    int n;
    tern_status at_end;
} chain;

/* Submits another request as each one ends, and once more while the engine is being freed. */
static bool submit_another(void *user, const tern_event *e)
{
    chain *c = user;
    if (e->finish == TERN_FINISH_NONE) return true;
    play *p = &c->h->p[0];
    tern_status st = c->n < 5 || e->finish == TERN_FINISH_CANCELLED ? tern_engine_submit(c->h->e, &p->request, NULL)
                                                                    : TERN_OK;
    c->n++;
    if (e->finish == TERN_FINISH_CANCELLED) c->at_end = st;
    return false;
}

static void a_callback_may_submit(void **state)
{
    fixture *h = *state;
    chain c = { .h = h };
    open_engine(h, (tern_engine_options){ .kv_tokens = 4096 });
    play *p = request(h, 0, 4, 2);
    p->request.on_event = submit_another;
    p->request.user = &c;
    assert_int_equal(tern_engine_submit(h->e, &p->request, NULL), TERN_OK);
    assert_int_equal(tern_engine_run(h->e), TERN_OK);
    assert_int_equal(c.n, 6);
    p->request.max_new_tokens = 50;
    assert_int_equal(tern_engine_submit(h->e, &p->request, NULL), TERN_OK);
    step(h);
    tern_engine_free(h->e);
    h->e = NULL;
    assert_int_equal(c.at_end, TERN_ERR_STATE);
}

typedef struct limit_row {
    int64_t n_ids, max_new;
    tern_status status;
    const char *message, *why;
} limit_row;

static void limits_are_kept_with_their_figures(void **state)
{
    fixture *h = *state;
    static const limit_row rows[] = {
        { 100, 100, TERN_OK, "", "exactly the context" },
        { 200, 0, TERN_OK, "", "a prompt that fills it" },
        { 101, 100, TERN_ERR_LIMIT, "a prompt of 101 tokens and 100 new ones are more than the context of 200",
          "one more" },
        { 201, 0, TERN_ERR_LIMIT, "a prompt of 201 tokens and 0 new ones are more than the context of 200",
          "a prompt alone" },
        { 10, INT64_MAX, TERN_ERR_LIMIT,
          "a prompt of 10 tokens and 9223372036854775807 new ones are more than the context of 200", "no overflow" },
        { 10, -1, TERN_ERR_ARGUMENT, "max_new_tokens is -1, not 0 or more", "negative" },
        { 0, 5, TERN_ERR_ARGUMENT, "the prompt is empty", "no prompt" },
    };
    open_engine(h, (tern_engine_options){ .context_tokens = 200 });
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        play *p = request(h, 0, (int32_t)rows[i].n_ids, rows[i].max_new);
        assert_int_equal(tern_engine_submit(h->e, &p->request, NULL), rows[i].status);
        if (rows[i].status != TERN_OK) assert_string_equal(tern_ctx_error(h->ctx), rows[i].message);
    }
}

static void a_pool_smaller_than_the_context_is_the_limit(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .context_tokens = 1000, .kv_tokens = 100 });
    play *p = request(h, 0, 100, 29);
    assert_int_equal(tern_engine_get_info(h->e).kv_tokens, 128);    /* whole pages */
    assert_int_equal(tern_engine_submit(h->e, &p->request, NULL), TERN_ERR_LIMIT);
    assert_string_equal(tern_ctx_error(h->ctx),
                        "a prompt of 100 tokens and 29 new ones are more than the KV pool of 128");
    submit(h, request(h, 0, 100, 28));
    run_out(h, 1);
}

static void bad_requests_are_refused(void **state)
{
    fixture *h = *state;
    open_engine(h, (tern_engine_options){ .context_tokens = 200 });
    const char *stop[] = { "x" };
    play *p = request(h, 0, 5, 5);
    p->id[3] = TOY_VOCAB;
    assert_int_equal(tern_engine_submit(h->e, &p->request, NULL), TERN_ERR_ARGUMENT);
    assert_string_equal(tern_ctx_error(h->ctx), "token 3 of the prompt is 40, outside the vocabulary of 40");
    p->id[3] = -1;
    assert_int_equal(tern_engine_submit(h->e, &p->request, NULL), TERN_ERR_ARGUMENT);
    p->id[3] = 0;
    p->request.stop = stop;
    p->request.n_stop = 1;
    assert_int_equal(tern_engine_submit(h->e, &p->request, NULL), TERN_ERR_ARGUMENT);
    assert_string_equal(tern_ctx_error(h->ctx), "stop strings need a tokenizer");
    p->request.n_stop = 0;
    p->request.sampling.top_p = 2;
    assert_int_equal(tern_engine_submit(h->e, &p->request, NULL), TERN_ERR_ARGUMENT);
    assert_string_equal(tern_ctx_error(h->ctx), "top_p is 2, not a number from 0 to 1");
    p->request.sampling.top_p = 1;
    p->request.logits = (tern_logits_wanted)7;
    assert_int_equal(tern_engine_submit(h->e, &p->request, NULL), TERN_ERR_ARGUMENT);
    p->request.logits = TERN_LOGITS_NONE;
    p->request.ids = NULL;
    assert_int_equal(tern_engine_submit(h->e, &p->request, NULL), TERN_ERR_ARGUMENT);
    size_t n_left = 9;
    assert_int_equal(tern_engine_step(h->e, &n_left), TERN_OK);
    assert_int_equal(n_left, 0);
}

static int make_fixture(void **state)
{
    fixture *h = calloc(1, sizeof *h);
    h->ctx = toy_ctx();
    *state = h;
    return 0;
}

static int close_fixture(void **state)
{
    fixture *h = *state;
    tern_engine_free(h->e);
    tern_ctx_free(h->ctx);
    const char *broken = h->t.broken;
    free(h);
    assert_null(broken);
    return 0;
}

#define ENGINE_TEST(f) cmocka_unit_test_setup_teardown(f, make_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(decoding_goes_on_beside_a_long_prompt),
        ENGINE_TEST(a_short_prompt_passes_a_long_one),
        ENGINE_TEST(what_short_prompts_leave_goes_to_the_first),
        ENGINE_TEST(too_many_decoding_requests_take_turns),
        ENGINE_TEST(more_requests_than_may_run_wait_in_order),
        ENGINE_TEST(a_tiny_pool_serves_one_after_the_other),
        ENGINE_TEST(a_cancelled_request_is_gone_at_the_next_step),
        ENGINE_TEST(a_callback_that_returns_false_cancels),
        ENGINE_TEST(an_end_of_sequence_id_ends_a_request),
        ENGINE_TEST(evaluation_alone_gives_logits_and_no_token),
        ENGINE_TEST(all_logits_come_in_chunks_that_fit),
        ENGINE_TEST(an_equal_beginning_is_computed_once),
        ENGINE_TEST(sharing_can_be_switched_off),
        ENGINE_TEST(a_rope_that_restarts_computes_the_cache_again),
        ENGINE_TEST(a_dynamic_rope_leaves_the_cache_alone),
        ENGINE_TEST(nan_ends_the_request_that_met_it),
        ENGINE_TEST(a_failed_step_can_be_tried_again),
        ENGINE_TEST(freeing_tells_every_request),
        ENGINE_TEST(a_callback_may_submit),
        ENGINE_TEST(limits_are_kept_with_their_figures),
        ENGINE_TEST(a_pool_smaller_than_the_context_is_the_limit),
        ENGINE_TEST(bad_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
