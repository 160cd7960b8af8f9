/* The engine with real models against Hugging Face's values: tokens and logits, alone and as rows
 * of one batch, on every instruction set. */
#include "engine/models.h"

static bool at(json_t *object, const char *key, json_t **value)
{
    *value = json_object_get(object, key);
    return *value != NULL;
}

static json_t *need(json_t *object, const char *key)
{
    json_t *value;
    if (!at(object, key, &value)) fail_msg("no \"%s\" in the expected values", key);
    return value;
}

static void check_tokens(const record *r, const json_t *greedy, const char *who)
{
    if (r->finish != TERN_FINISH_LENGTH) fail_msg("%s: finish %d, %s", who, r->finish, r->error);
    assert_int_equal(r->n_token, json_array_size(greedy));
    for (int32_t i = 0; i < r->n_token; i++) {
        int64_t want = json_integer_value(json_array_get(greedy, (size_t)i));
        if (r->token[i] != want) fail_msg("%s: token %d is %d, not %lld", who, i, r->token[i], (long long)want);
    }
}

/* Within max(5e-4, 20 x the fixture's float32 noise, 1e-4 x the largest): sums in another order
 * than the oracle's, rounded to 6 digits. */
static void check_logits(const float *got, const json_t *want, double noise, const char *who)
{
    double largest = 0;
    size_t n = json_array_size(want);
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(json_number_value(json_array_get(want, i))));
    double most = fmax(fmax(5e-4, 20 * noise), 1e-4 * largest);
    for (size_t i = 0; i < n; i++) {
        double w = json_number_value(json_array_get(want, i)), off = fabs((double)got[i] - w);
        if (!(off <= most)) fail_msg("%s: logit %zu is %.9g, not %.9g within %.3g", who, i, (double)got[i], w, most);
    }
}

/* Prompts of a fixture, all in one engine; those of its left-padded batch are the same prompts
 * without padding, and must give its values too. */
static void check_fixture(const char *name, const char *isa)
{
    char dir[256], path[300], who[300];
    bench b;
    snprintf(dir, sizeof dir, "%s/models/%s", TERN_GOLDEN, name);
    snprintf(path, sizeof path, "%s/expected.json", dir);
    bench_open(&b, dir, isa, 2, TERN_COMPUTE_F32);
    json_t *x = json_of(b.ctx, path), *prompts = need(x, "prompts"), *batch = need(x, "batch");
    double noise = json_number_value(need(x, "float32_noise_max_abs"));
    size_t n = json_array_size(prompts);
    record **r = calloc(n, sizeof *r);
    tern_engine *e = bench_engine(&b, (tern_engine_options){ .step_tokens = 32 });
    for (size_t i = 0; i < n; i++) {
        int32_t id[128];
        size_t n_id = ids_of(json_array_get(prompts, i), id);
        r[i] = record_new(b.info.vocab, 128);
        tern_request q = request_of(id, n_id, 24, r[i]);
        q.logits = TERN_LOGITS_LAST;
        submit(b.ctx, e, &q);
    }
    run(b.ctx, e);
    for (size_t i = 0; i < n; i++) {
        const float *last = r[i]->logits + ((int64_t)json_array_size(json_array_get(prompts, i)) - 1) * b.info.vocab;
        snprintf(who, sizeof who, "%s, prompt %zu, %s", name, i, isa);
        check_tokens(r[i], json_array_get(need(x, "greedy"), i), who);
        check_logits(last, json_array_get(need(x, "logits_last"), i), noise, who);
        for (size_t k = 0; k < json_array_size(need(batch, "prompt_indices")); k++) {
            if (json_integer_value(json_array_get(need(batch, "prompt_indices"), k)) != (json_int_t)i) continue;
            snprintf(who, sizeof who, "%s, padded row %zu, %s", name, k, isa);
            check_tokens(r[i], json_array_get(need(batch, "greedy"), k), who);
            check_logits(last, json_array_get(need(batch, "logits_last"), k), noise, who);
        }
        record_free(r[i]);
    }
    free(r);
    json_decref(x);
    tern_engine_free(e);
    bench_close(&b);
}

static void fixtures_give_their_tokens_and_logits(void **state)
{
    (void)state;
    static const char *const names[] = { "llama-mha", "llama-gqa-tied-llama3rope", "llama-sharded" };
    size_t next = 0;
    for (const char *isa; (isa = usable_isa(&next));)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) check_fixture(names[i], isa);
}

static void the_demo_model_gives_its_tokens(void **state)
{
    (void)state;
    size_t next = 0;
    for (const char *isa; (isa = usable_isa(&next));) {
        bench b;
        bench_open(&b, DEMO, isa, 2, TERN_COMPUTE_F32);
        json_t *x = json_of(b.ctx, TERN_GOLDEN "/demo/expected.json"), *cases = need(x, "cases");
        size_t n = json_array_size(cases);
        record *r = calloc(n, sizeof *r);
        tern_engine *e = bench_engine(&b, (tern_engine_options){ .step_tokens = 40 });
        for (size_t i = 0; i < n; i++) {
            int32_t id[512];
            json_t *c = json_array_get(cases, i);
            size_t n_id = ids_of(need(c, "prompt_ids"), id);
            tern_request q = request_of(id, n_id, (int64_t)json_array_size(need(c, "greedy")), &r[i]);
            submit(b.ctx, e, &q);
        }
        run(b.ctx, e);
        for (size_t i = 0; i < n; i++) check_tokens(&r[i], need(json_array_get(cases, i), "greedy"), isa);
        free(r);
        json_decref(x);
        tern_engine_free(e);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixtures_give_their_tokens_and_logits),
        cmocka_unit_test(the_demo_model_gives_its_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
