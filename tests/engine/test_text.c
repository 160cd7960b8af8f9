/* Text as a request's events give it: whole characters, the text of all tokens together, cut at
 * stop strings wherever they fall. */
#include "engine/models.h"

static record *generate(bench *b, tern_engine *e, tern_tokenizer *tok, const int32_t *id, size_t n_id, int64_t max_new,
                        const char *const *stop, size_t n_stop)
{
    record *r = calloc(1, sizeof *r);
    assert_non_null(r);
    tern_request q = request_of(id, n_id, max_new, r);
    q.tokenizer = tok;
    q.stop = stop;
    q.n_stop = n_stop;
    submit(b->ctx, e, &q);
    run(b->ctx, e);
    return r;
}

static tern_tokenizer *tokenizer_of(bench *b, const char *dir)
{
    tern_tokenizer *tok;
    if (tern_tokenizer_open(b->ctx, dir, &tok)) fail_msg("%s", tern_ctx_error(b->ctx));
    return tok;
}

/* Random models emit half characters: together the pieces are the oracle's text all the same. */
static void check_fixture(const char *name)
{
    char dir[256], path[300];
    bench b;
    snprintf(dir, sizeof dir, "%s/models/%s", TERN_GOLDEN, name);
    snprintf(path, sizeof path, "%s/expected.json", dir);
    bench_open(&b, dir, NULL, 1, TERN_COMPUTE_F32);
    tern_tokenizer *tok = tokenizer_of(&b, dir);
    tern_engine *e = bench_engine(&b, (tern_engine_options){ 0 });
    json_t *x = json_of(b.ctx, path), *text = json_object_get(x, "text"), *item;
    size_t i;
    if (!json_array_size(text)) fail_msg("%s has no texts", name);
    json_array_foreach(text, i, item) {
        int32_t id[128];
        size_t n = ids_of(json_object_get(item, "prompt_ids"), id);
        record *r = generate(&b, e, tok, id, n, (int64_t)json_array_size(json_object_get(item, "greedy")), NULL, 0);
        assert_string_equal(r->text, json_string_value(json_object_get(item, "greedy_text")));
        free(r);
    }
    json_decref(x);
    tern_engine_free(e);
    tern_tokenizer_free(tok);
    bench_close(&b);
}

/* Byte-level decoders, and decoders with byte fallback, which decide on a run of bytes as a
 * whole. */
static void fixtures_give_their_text(void **state)
{
    (void)state;
    static const char *const names[] = { "llama-gqa-tied-llama3rope", "llama-mha", "qwen2-tied", "gpt2" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) check_fixture(names[i]);
}

/* Every piece of the demo's stories as a stop string: the text ends before its first occurrence,
 * whatever tokens it lies across. */
static void check_stops(bench *b, tern_engine *e, tern_tokenizer *tok, const int32_t *id, size_t n_id,
                        const char *story, int64_t n_new)
{
    size_t n = strlen(story);
    for (size_t at = 1; at < n; at += 7) {
        char stop[24], want[1024];
        snprintf(stop, sizeof stop, "%.*s", (int)(1 + at % 13), story + at);
        const char *const stops[] = { "this does not come", stop };
        snprintf(want, sizeof want, "%.*s", (int)(strstr(story, stop) - story), story);
        record *r = generate(b, e, tok, id, n_id, n_new, stops, 2);
        assert_int_equal(r->finish, TERN_FINISH_STOP);
        assert_string_equal(r->text, want);
        free(r);
    }
}

static void the_demo_model_tells_its_stories(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, DEMO, NULL, 2, TERN_COMPUTE_F32);
    tern_tokenizer *tok = tokenizer_of(&b, DEMO);
    tern_engine *e = bench_engine(&b, (tern_engine_options){ 0 });
    json_t *x = json_of(b.ctx, TERN_GOLDEN "/demo/expected.json"), *cases = json_object_get(x, "cases"), *item;
    size_t i;
    assert_true(json_array_size(cases) > 0);
    json_array_foreach(cases, i, item) {
        int32_t id[256];
        size_t n = ids_of(json_object_get(item, "prompt_ids"), id);
        const char *story = json_string_value(json_object_get(item, "text"));
        int64_t n_new = (int64_t)json_array_size(json_object_get(item, "greedy"));
        record *r = generate(&b, e, tok, id, n, n_new, NULL, 0);
        assert_string_equal(r->text, story);
        assert_int_equal(r->finish, TERN_FINISH_LENGTH);
        assert_true(r->n_piece > 20);    /* it comes in pieces */
        free(r);
        if (i < 2) check_stops(&b, e, tok, id, n, story, n_new);
    }
    json_decref(x);
    tern_engine_free(e);
    tern_tokenizer_free(tok);
    bench_close(&b);
}

/* The end-of-sequence token ends the text and adds none; what stop strings held back comes with
 * it. */
static void the_end_of_a_story_is_the_end_of_its_text(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, DEMO, NULL, 1, TERN_COMPUTE_F32);
    tern_tokenizer *tok = tokenizer_of(&b, DEMO);
    tern_engine *e = bench_engine(&b, (tern_engine_options){ 0 });
    const int32_t *eos;
    int32_t id[] = { 0, 634, 635, 14, 432, 263, 760, 14 };
    assert_true(tern_model_eos(b.model, &eos) > 0);
    record *whole = NULL;
    for (int stops = 0; stops < 2; stops++) {
        record *r = calloc(1, sizeof *r);
        tern_request q = request_of(id, 8, 900, r);
        char held[4] = "..?";
        const char *const stop[] = { held };
        q.ignore_eos = false;
        q.tokenizer = tok;
        q.stop = stop;
        q.n_stop = (size_t)stops;
        submit(b.ctx, e, &q);
        run(b.ctx, e);
        assert_int_equal(r->finish, TERN_FINISH_STOP);
        assert_int_equal(r->token[r->n_token - 1], eos[0]);
        assert_null(strchr(r->text, '<'));
        if (!whole) {
            whole = r;
            continue;
        }
        assert_string_equal(r->text, whole->text);
        free(r);
    }
    free(whole);
    tern_engine_free(e);
    tern_tokenizer_free(tok);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixtures_give_their_text),
        cmocka_unit_test(the_demo_model_tells_its_stories),
        cmocka_unit_test(the_end_of_a_story_is_the_end_of_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
