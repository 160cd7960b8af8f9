/* Same bits: a request's logits, whatever shares its batch, however its prompt is cut, on any
 * number of threads, from a warm cache or a cold one. */
#include <unistd.h>

#include "engine/models.h"

enum { OTHERS = 5, NEW = 8 };

typedef struct scene {
    const char *why;
    int threads;
    int32_t step_tokens;
    bool others, warm;
} scene;

static const scene scenes[] = {
    { "alone, on two threads", 2, 512, false, false },
    { "in prompt chunks of 1", 1, 1, false, false },
    { "in prompt chunks of 7", 1, 7, false, false },
    { "in prompt chunks of 64", 1, 64, false, false },
    { "in a batch of 5 others", 1, 512, true, false },
    { "in a batch of 5 others, chunks of 23, two threads", 2, 23, true, false },
    { "behind a prefix that is cached", 1, 512, false, true },
    { "behind a cached prefix in a batch of 5 others, two threads", 2, 64, true, true },
};

/* One narrow layer with random weights, that a long prompt costs little. */
#define NARROW(rope, max) \
    "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\", \"hidden_size\": 24, " \
        "\"intermediate_size\": 40, " \
    "\"num_hidden_layers\": 1, \"num_attention_heads\": 3, \"num_key_value_heads\": 1, \"head_dim\": 8, " \
        "\"vocab_size\": 61, \"rms_norm_eps\": 1e-6, " \
    "\"rope_theta\": 10000.0, \"rope_scaling\": " rope ", \"hidden_act\": \"silu\", \"max_position_embeddings\": " max \
        ", \"tie_word_embeddings\": false}"
#define LONGROPE(original)                                                                           \
    "{\"type\": \"longrope\", \"short_factor\": [1, 1.1, 1.2, 1.5], \"long_factor\": [1, 2, 3, 5], " \
        "\"original_max_position_embeddings\": " original "}"

typedef struct bits_row {
    const char *dir, *config;    /* a checkpoint, or a narrow model */
    tern_compute compute;
    int32_t n_prompt;
    bool crosses;                /* its rope depends on the length, so that it shares no pages */
    const char *why;
} bits_row;

static const bits_row rows[] = {
    { TERN_GOLDEN "/models/llama-gqa-tied-llama3rope", NULL, TERN_COMPUTE_F32, 100, false, "grouped queries, f32" },
    { TERN_GOLDEN "/models/llama-gqa-tied-llama3rope", NULL, TERN_COMPUTE_BF16, 100, false, "grouped queries, bf16" },
    { TERN_GOLDEN "/models/llama-gqa-tied-llama3rope", NULL, TERN_COMPUTE_F16, 100, false, "grouped queries, f16" },
    { DEMO, NULL, TERN_COMPUTE_F32, 70, false, "the demo model, f32" },
    { DEMO, NULL, TERN_COMPUTE_BF16, 70, false, "the demo model, bf16" },
    { DEMO, NULL, TERN_COMPUTE_F16, 70, false, "the demo model, f16" },
    { NULL, NARROW("null", "1024"), TERN_COMPUTE_F32, 530, false, "more keys than two key blocks, f32" },
    { NULL, NARROW("null", "1024"), TERN_COMPUTE_BF16, 530, false, "more keys than two key blocks, bf16" },
    { NULL, NARROW("null", "1024"), TERN_COMPUTE_F16, 530, false, "more keys than two key blocks, f16" },
    { NULL, NARROW("{\"type\": \"dynamic\", \"factor\": 2.0}", "64"), TERN_COMPUTE_F32, 90, true,
      "a prompt longer than a dynamic rope's limit" },
    { NULL, NARROW("{\"type\": \"dynamic\", \"factor\": 2.0}", "92"), TERN_COMPUTE_F32, 90, true,
      "an output that passes a dynamic rope's limit" },
    { NULL, NARROW(LONGROPE("64"), "1024"), TERN_COMPUTE_F32, 90, true, "a prompt longer than longrope's original" },
    { NULL, NARROW(LONGROPE("92"), "1024"), TERN_COMPUTE_F32, 90, true, "an output that passes longrope's original" },
};

static void open_row(bench *b, const bits_row *row, const char *isa, int threads)
{
    if (row->dir) {
        bench_open(b, row->dir, isa, threads, row->compute);
        return;
    }
    char dir[] = "/tmp/tern-narrow-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/config.json", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(row->config, f);
    fclose(f);
    bench_open_random(b, dir, isa, threads, row->compute);
    unlink(path);
    rmdir(dir);
}

static void make_prompt(int32_t *id, int32_t n, int64_t vocab, int32_t kind)
{
    uint32_t x = 12345u + (uint32_t)kind;
    for (int32_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;    /* Numerical Recipes' generator */
        id[i] = (int32_t)((x >> 8) % (uint32_t)vocab);
    }
}

/* The request, with its prompt's logits at every position or, where pages may be shared, at the
 * last. */
static void play_scene(const bits_row *row, const char *isa, const scene *s, record *r)
{
    bench b;
    record *other = calloc(OTHERS, sizeof *other);
    int32_t id[600], other_id[OTHERS][64];
    open_row(&b, row, isa, s->threads);
    tern_engine *e = bench_engine(&b,
                                  (tern_engine_options){ .max_requests = OTHERS + 1, .step_tokens = s->step_tokens });
    make_prompt(id, row->n_prompt, b.info.vocab, 0);
    if (s->warm) {
        tern_request q = request_of(id, (size_t)row->n_prompt, 0, &other[0]);
        submit(b.ctx, e, &q);
        run(b.ctx, e);
    }
    for (int32_t i = 0; s->others && i < OTHERS; i++) {
        int32_t n = 1 + i * 9;
        make_prompt(other_id[i], n, b.info.vocab, i + 1);
        tern_request q = request_of(other_id[i], (size_t)n, 3 + i, &other[i]);
        submit(b.ctx, e, &q);
        if (i % 2) assert_int_equal(tern_engine_step(e, NULL), TERN_OK);
    }
    tern_request q = request_of(id, (size_t)row->n_prompt, NEW, r);
    q.logits = s->warm ? TERN_LOGITS_LAST : TERN_LOGITS_ALL;
    submit(b.ctx, e, &q);
    run(b.ctx, e);
    assert_int_equal(r->finish, TERN_FINISH_LENGTH);
    assert_int_equal(r->n_cached, s->warm && !row->crosses ? (row->n_prompt - 1) / 64 * 64 : 0);
    tern_engine_free(e);
    bench_close(&b);
    free(other);
}

static void compare(const record *alone, const record *r, const char *who, const char *isa, const char *why)
{
    assert_int_equal(r->n_token, alone->n_token);
    for (int64_t p = r->rows - 1 - NEW; p < r->rows - 1; p++) assert_true(r->have[p]);
    for (int64_t p = 0; p < r->rows; p++)
        if (r->have[p] &&
            memcmp(r->logits + p * r->vocab, alone->logits + p * r->vocab, (size_t)r->vocab * sizeof(float)))
            fail_msg("%s, %s, %s: logits at position %lld differ", who, isa, why, (long long)p);
    assert_memory_equal(r->token, alone->token, (size_t)alone->n_token * sizeof *alone->token);
}

static void check_row(const bits_row *row, const char *isa)
{
    bench b;
    open_row(&b, row, isa, 1);
    int64_t vocab = b.info.vocab, rows_kept = row->n_prompt + NEW;
    bench_close(&b);
    record *alone = record_new(vocab, rows_kept);
    play_scene(row, isa, &(scene){ "alone", 1, 512, false, false }, alone);
    for (int64_t p = 0; p < rows_kept - 1; p++) assert_true(alone->have[p]);
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        record *r = record_new(vocab, rows_kept);
        play_scene(row, isa, &scenes[i], r);
        compare(alone, r, row->why, isa, scenes[i].why);
        record_free(r);
    }
    record_free(alone);
}

/* Behind longrope's original length a request's logits are those of its tokens as one prompt: the
 * cache that was computed for a shorter one is gone. Up to it, they are those of a shorter
 * sequence. */
static void longrope_counts_the_length_of_now(void **state)
{
    (void)state;
    enum { PROMPT = 20, ORIGINAL = 32, LAST = 50 };
    static const bits_row row = { NULL, NARROW(LONGROPE("32"), "1024"), TERN_COMPUTE_F32, PROMPT, true, "" };
    bench b;
    int32_t id[LAST];
    open_row(&b, &row, NULL, 1);
    tern_engine *e = bench_engine(&b, (tern_engine_options){ 0 });
    make_prompt(id, PROMPT, b.info.vocab, 0);
    record *r = record_new(b.info.vocab, LAST);
    tern_request q = request_of(id, PROMPT, LAST - PROMPT, r);
    q.logits = TERN_LOGITS_LAST;
    submit(b.ctx, e, &q);
    run(b.ctx, e);
    memcpy(id + PROMPT, r->token, (LAST - PROMPT) * sizeof *id);
    for (size_t n = PROMPT; n < LAST; n++) {
        record *once = record_new(b.info.vocab, LAST);
        q = request_of(id, n, 0, once);
        q.logits = TERN_LOGITS_LAST;
        submit(b.ctx, e, &q);
        run(b.ctx, e);
        size_t at = (n - 1) * (size_t)b.info.vocab;
        assert_memory_equal(once->logits + at, r->logits + at, (size_t)b.info.vocab * sizeof(float));
        record_free(once);
    }
    record_free(r);
    tern_engine_free(e);
    bench_close(&b);
}

static void every_scene_gives_the_same_bits(void **state)
{
    (void)state;
    size_t at = 0;
    for (const char *isa; (isa = usable_isa(&at));)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i], isa);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(longrope_counts_the_length_of_now),
                                        cmocka_unit_test(every_scene_gives_the_same_bits) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
