/* Every fixture: the same bits alone, in a batch, in chunks of the prompt and on two threads; and
 * bf16 products that stay near f32's. */
#include <dirent.h>

#include "engine/models.h"

#include <tern/embed.h>

enum { PROMPT = 37, NEW = 4, OTHERS = 3 };

static const struct scene { const char *why; int threads; int32_t step_tokens; bool others; } scenes[] = {
    { "on two threads", 2, 512, false },
    { "in chunks of 1", 1, 1, false },
    { "in chunks of 7, two threads", 2, 7, false },
    { "in a batch, chunks of 16", 1, 16, true },
};

static void make_ids(int32_t *id, int32_t n, int64_t vocab, int32_t kind)
{
    for (int32_t i = 0; i < n; i++) id[i] = (int32_t)((3 + 7 * (int64_t)i + 11 * kind) % vocab);
}

static record *play(const char *dir, const char *isa, tern_compute compute, const struct scene *s)
{
    bench b;
    int32_t id[PROMPT], other[OTHERS][PROMPT];
    bench_open(&b, dir, isa, s->threads, compute);
    tern_engine *e = bench_engine(&b,
                                  (tern_engine_options){ .max_requests = OTHERS + 1, .step_tokens = s->step_tokens });
    record *r = record_new(b.info.vocab, PROMPT + NEW), *rest[OTHERS];
    for (int32_t i = 0; i < OTHERS; i++) {
        rest[i] = record_new(b.info.vocab, PROMPT + NEW);
        make_ids(other[i], 1 + 9 * i, b.info.vocab, i + 1);
        tern_request q = request_of(other[i], (size_t)(1 + 9 * i), 3 + i, rest[i]);
        if (s->others) submit(b.ctx, e, &q);
    }
    make_ids(id, PROMPT, b.info.vocab, 0);
    tern_request q = request_of(id, PROMPT, NEW, r);
    q.logits = TERN_LOGITS_ALL;
    submit(b.ctx, e, &q);
    run(b.ctx, e);
    if (r->finish != TERN_FINISH_LENGTH) fail_msg("%s: %s", dir, r->error);
    for (int32_t i = 0; i < OTHERS; i++) record_free(rest[i]);
    tern_engine_free(e);
    bench_close(&b);
    return r;
}

static void check_causal(const char *dir, const char *isa, tern_compute compute)
{
    record *alone = play(dir, isa, compute, &(struct scene){ "alone", 1, 512, false });
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        record *r = play(dir, isa, compute, &scenes[i]);
        for (int64_t p = 0; p < r->rows - 1; p++) {
            assert_true(r->have[p] && alone->have[p]);
            if (memcmp(r->logits + p * r->vocab, alone->logits + p * r->vocab, (size_t)r->vocab * sizeof(float)))
                fail_msg("%s, %s, %s: logits at position %lld differ", dir, isa, scenes[i].why, (long long)p);
        }
        assert_memory_equal(r->token, alone->token, NEW * sizeof *r->token);
        record_free(r);
    }
    record_free(alone);
}

/* Vectors of texts, or their classes, in one call or one by one. */
static void vectors(const char *dir, const char *isa, int threads, bool together, float *out, size_t *n)
{
    bench b;
    tern_embedder *e;
    int32_t id[OTHERS][PROMPT];
    tern_embed_input in[OTHERS];
    bench_open(&b, dir, isa, threads, TERN_COMPUTE_F32);
    if (tern_embedder_create(b.ctx, b.model, &(tern_embed_options){ .pooling = TERN_POOL_MEAN }, &e))
        fail_msg("%s", tern_ctx_error(b.ctx));
    size_t width = b.info.n_label ? (size_t)b.info.n_label : (size_t)tern_embedder_dim(e);
    for (int32_t i = 0; i < OTHERS; i++) {
        make_ids(id[i], PROMPT - 13 * i, b.info.vocab, i);
        in[i] = (tern_embed_input){ .ids = id[i], .n_ids = (size_t)(PROMPT - 13 * i) };
    }
    for (size_t i = 0; i < OTHERS; i += together ? OTHERS : 1) {
        size_t count = together ? OTHERS : 1;
        tern_status st = b.info.n_label ? tern_embedder_classify(e, in + i, count, out + i * width)
                                        : tern_embedder_run(e, in + i, count, out + i * width);
        if (st) fail_msg("%s", tern_ctx_error(b.ctx));
    }
    *n = OTHERS * width;
    tern_embedder_free(e);
    bench_close(&b);
}

static void check_vectors(const char *dir, const char *isa)
{
    float one[OTHERS * 512], other[OTHERS * 512];
    size_t n;
    vectors(dir, isa, 1, false, one, &n);
    vectors(dir, isa, 1, true, other, &n);
    if (memcmp(one, other, n * sizeof *one)) fail_msg("%s, %s: vectors differ in a batch", dir, isa);
    vectors(dir, isa, 2, true, other, &n);
    if (memcmp(one, other, n * sizeof *one)) fail_msg("%s, %s: vectors differ on two threads", dir, isa);
}

static double log_probability(const float *logits, int64_t n, int64_t token)
{
    double most = (double)logits[0], sum = 0;
    for (int64_t i = 1; i < n; i++) most = fmax(most, (double)logits[i]);
    for (int64_t i = 0; i < n; i++) sum += exp((double)logits[i] - most);
    return (double)logits[token] - most - log(sum);
}

/* The mean distance between the log-probabilities that f32 and the type give to f32's greedy
 * tokens: at most so many nats. */
static void check_type(const char *dir, tern_compute type, double most)
{
    enum { TOKENS = 16 };
    bench b;
    int32_t id[PROMPT + TOKENS];
    record *r[2];
    bench_open(&b, dir, NULL, 2, TERN_COMPUTE_F32);
    make_ids(id, PROMPT, b.info.vocab, 0);
    for (int pass = 0; pass < 3; pass++) {
        if (pass == 2) {
            bench_close(&b);
            bench_open(&b, dir, NULL, 2, type);
        }
        record *now = record_new(b.info.vocab, PROMPT + TOKENS);
        tern_engine *e = bench_engine(&b, (tern_engine_options){ 0 });
        tern_request q = request_of(id, pass ? PROMPT + TOKENS : PROMPT, pass ? 0 : TOKENS, now);
        q.logits = TERN_LOGITS_ALL;
        submit(b.ctx, e, &q);
        run(b.ctx, e);
        tern_engine_free(e);
        if (!pass) {
            memcpy(id + PROMPT, now->token, TOKENS * sizeof *id);
            record_free(now);
        } else {
            r[pass - 1] = now;
        }
    }
    double off = 0;
    int64_t vocab = b.info.vocab;
    for (int64_t p = PROMPT - 1; p < PROMPT + TOKENS - 1; p++)
        off += fabs(log_probability(r[0]->logits + p * vocab, vocab,
                                    id[p + 1]) - log_probability(r[1]->logits + p * vocab, vocab, id[p + 1])) / TOKENS;
    printf("%s, %s: %.4f nats a token\n", strrchr(dir, '/') + 1, b.info.compute, off);
    if (!(off <= most)) fail_msg("%s: %s leaves f32 by %.4f nats a token", dir, b.info.compute, off);
    record_free(r[0]);
    record_free(r[1]);
    bench_close(&b);
}

static void each_fixture(void (*check)(const char *dir, const tern_model_info *info))
{
    struct dirent **entry;
    int n = scandir(TERN_GOLDEN "/models", &entry, NULL, alphasort), n_model = 0;
    for (int i = 0; i < n; i++) {
        char dir[400];
        bench b;
        snprintf(dir, sizeof dir, "%s/models/%s", TERN_GOLDEN, entry[i]->d_name);
        if (entry[i]->d_type == DT_DIR && entry[i]->d_name[0] != '.') {
            bench_open(&b, dir, NULL, 1, TERN_COMPUTE_F32);
            tern_model_info info = b.info;
            bench_close(&b);
            check(dir, &info);
            n_model++;
        }
        free(entry[i]);
    }
    free(entry);
    assert_true(n_model >= 90);
}

/* Every instruction set, every type. */
static void check_bits(const char *dir, const tern_model_info *info)
{
    size_t at = 0;
    for (const char *isa; (isa = usable_isa(&at));) {
        if (!info->causal || !info->has_logits) {
            check_vectors(dir, isa);
            continue;
        }
        check_causal(dir, isa, TERN_COMPUTE_F32);
        check_causal(dir, isa, TERN_COMPUTE_BF16);
        check_causal(dir, isa, TERN_COMPUTE_F16);
    }
}

/* Of f16, 11 bits enter a product and leave its first sums. */
static void check_types(const char *dir)
{
    check_type(dir, TERN_COMPUTE_BF16, 0.05);
    check_type(dir, TERN_COMPUTE_F16, 0.0125);
}

static void check_near(const char *dir, const tern_model_info *info)
{
    if (info->causal && info->has_logits) check_types(dir);
}

static void every_fixture_gives_the_same_bits(void **state)
{
    (void)state;
    each_fixture(check_bits);
}

static void types_of_16_bits_stay_near_f32(void **state)
{
    (void)state;
    each_fixture(check_near);
    check_types(DEMO);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_fixture_gives_the_same_bits),
                                        cmocka_unit_test(types_of_16_bits_stay_near_f32) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
