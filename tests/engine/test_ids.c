/* Ids, token types and lengths from outside, through every call of the C API that takes them: one
 * past each table, and far past it, is an error that has the value and the limit; and a result that
 * is no number is one too. */
#include "engine/models.h"

#include <tern/embed.h>

#include "model/internal.h"

typedef struct bad_input {
    int32_t id[3], type[3];
    bool typed;
    size_t n;
    tern_status status;
    const char *message, *why;
} bad_input;

/* Of a vocabulary of 400 and two types. */
static const bad_input bad_inputs[] = {
    { { 5, 400, 6 }, { 0 }, false, 3, TERN_ERR_ARGUMENT, "input 0: token id 1 is 400, outside the vocabulary of 400",
      "one past" },
    { { 5, 6, INT32_MAX }, { 0 }, false, 3, TERN_ERR_ARGUMENT, "token id 2 is 2147483647", "far past" },
    { { -1, 5, 6 }, { 0 }, false, 3, TERN_ERR_ARGUMENT, "token id 0 is -1", "negative" },
    { { INT32_MIN, 5, 6 }, { 0 }, false, 3, TERN_ERR_ARGUMENT, "token id 0 is -2147483648", "the most negative" },
    { { 5, 6, 7 }, { 0, 0, 2 }, true, 3, TERN_ERR_ARGUMENT, "token type 2 is 2, outside the model's types of 2",
      "a type, one past" },
    { { 5, 6, 7 }, { 0, INT32_MAX, 0 }, true, 3, TERN_ERR_ARGUMENT, "token type 1 is 2147483647", "a type, far past" },
    { { 5, 6, 7 }, { -1, 0, 0 }, true, 3, TERN_ERR_ARGUMENT, "token type 0 is -1", "a negative type" },
    { { 5, 6, 7 }, { 0 }, false, 0, TERN_ERR_ARGUMENT, "input 0 has no tokens", "nothing" },
};

static void expect(const bench *b, tern_status got, tern_status wanted, const char *message, const char *why)
{
    if (got != wanted || !strstr(tern_ctx_error(b->ctx), message))
        fail_msg("%s: status %d, \"%s\"", why, (int)got, tern_ctx_error(b->ctx));
}

static void embedder_of(bench *b, const tern_embed_options *options, tern_embedder **e)
{
    if (tern_embedder_create(b->ctx, b->model, options, e)) fail_msg("%s", tern_ctx_error(b->ctx));
}

static void embedders_look_at_every_id(void **state)
{
    bench b;
    tern_embedder *e;
    float *out = calloc(1 << 20, sizeof *out);
    (void)state;
    assert_non_null(out);
    bench_open(&b, TERN_GOLDEN "/models/bert-mlm", NULL, 1, TERN_COMPUTE_F32);
    assert_int_equal(b.info.n_type, 2);
    embedder_of(&b, NULL, &e);
    for (size_t i = 0; i < sizeof bad_inputs / sizeof *bad_inputs; i++) {
        const bad_input *row = &bad_inputs[i];
        int32_t id[3];
        char message[96];
        for (int k = 0; k < 3; k++) id[k] = row->id[k] == 400 ? (int32_t)b.info.vocab : row->id[k];
        snprintf(message, sizeof message, "%s", row->id[1] == 400 ? "input 0: token id 1 is" : row->message);
        tern_embed_input input = { .ids = id, .type_ids = row->typed ? row->type : NULL, .n_ids = row->n };
        expect(&b, tern_embedder_run(e, &input, 1, out), row->status, message, row->why);
        expect(&b, tern_embedder_hidden(e, &input, out), row->status, message, row->why);
        expect(&b, tern_embedder_logits(e, &input, out), row->status, message, row->why);
    }
    tern_embed_input two[] = { { .ids = (int32_t[]){ 5 }, .n_ids = 1 }, { .ids = (int32_t[]){ 5, -7 }, .n_ids = 2 } };
    expect(&b, tern_embedder_run(e, two, 2, out), TERN_ERR_ARGUMENT, "input 1: token id 1 is -7", "which of two");
    assert_int_equal(tern_embedder_run(e, NULL, 0, NULL), TERN_OK);
    tern_embedder_free(e);
    bench_close(&b);
    free(out);
}

/* The model's own limit, a lower one that is asked for, and one beyond the model's. */
static void embedders_look_at_lengths(void **state)
{
    bench b;
    tern_embedder *e;
    (void)state;
    bench_open(&b, TERN_GOLDEN "/models/roberta-mlm", NULL, 1, TERN_COMPUTE_F32);
    int64_t most = b.info.max_tokens;
    int32_t *id = calloc((size_t)most + 1, sizeof *id);
    float *out = calloc((size_t)b.info.dim, sizeof *out);
    assert_non_null(id);
    assert_non_null(out);
    for (int64_t i = 0; i <= most; i++) id[i] = 5;
    for (int64_t wanted = 0; wanted <= most; wanted += most / 2) {
        embedder_of(&b, &(tern_embed_options){ .context_tokens = wanted }, &e);
        int64_t limit = wanted ? wanted : most;
        assert_int_equal(tern_embedder_max_tokens(e), limit);
        assert_int_equal(tern_embedder_run(e, &(tern_embed_input){ .ids = id, .n_ids = (size_t)limit }, 1, out),
                         TERN_OK);
        expect(&b, tern_embedder_run(e, &(tern_embed_input){ .ids = id, .n_ids = (size_t)limit + 1 }, 1, out),
               TERN_ERR_LIMIT, "input 0 has", "one more");
        tern_embedder_free(e);
    }
    expect(&b, tern_embedder_create(b.ctx, b.model, &(tern_embed_options){ .context_tokens = most + 1 }, &e),
           TERN_ERR_LIMIT, "more than the", "beyond the model's");
    expect(&b, tern_embedder_create(b.ctx, b.model, &(tern_embed_options){ .context_tokens = -1 }, &e),
           TERN_ERR_ARGUMENT, "context_tokens is -1", "negative");
    free(id);
    free(out);
    bench_close(&b);
}

static void classifiers_and_engines_look_too(void **state)
{
    bench b;
    tern_embedder *e;
    float out[64];
    (void)state;
    bench_open(&b, TERN_GOLDEN "/models/made-bert-classes", NULL, 1, TERN_COMPUTE_F32);
    embedder_of(&b, NULL, &e);
    int32_t type[] = { 0, (int32_t)b.info.n_type }, past[] = { 5, (int32_t)b.info.vocab };
    expect(&b, tern_embedder_classify(e, &(tern_embed_input){ .ids = (int32_t[]){ 5, 6 }, .type_ids = type, .n_ids =
        2 }, 1, out), TERN_ERR_ARGUMENT, "token type 1", "classes");
    expect(&b, tern_embedder_score(e, &(tern_embed_input){ .ids = past, .n_ids = 2 }, 1, out), TERN_ERR_ARGUMENT,
           "token id 1", "scores");
    tern_embedder_free(e);
    bench_close(&b);

    bench_open(&b, TERN_GOLDEN "/models/gpt2", NULL, 1, TERN_COMPUTE_F32);
    tern_engine *engine = bench_engine(&b, (tern_engine_options){ 0 });
    const int32_t bad[] = { (int32_t)b.info.vocab, INT32_MAX, -1, INT32_MIN };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tern_request q = request_of((int32_t[]){ 5, bad[i] }, 2, 1, NULL);
        q.on_event = NULL;
        expect(&b, tern_engine_submit(engine, &q, NULL), TERN_ERR_ARGUMENT, "outside the vocabulary of", "a prompt");
        expect(&b, tern_sample(b.ctx, &(tern_sampling){ .top_p = 1, .repetition_penalty = 2 }, out, 64, &bad[i], 1, 0,
                               &(int32_t){ 0 }), TERN_ERR_ARGUMENT, "token 0 seen is", "a token seen");
    }
    tern_engine_free(engine);
    bench_close(&b);
}

/* Whoever calls a step: what an embedder or an engine would have refused reads behind no table. */
static void a_step_looks_last(void **state)
{
    static const struct { int32_t id, type, past; tern_status status; const char *message; } rows[] = {
        { 1 << 20, 0, 0, TERN_ERR_ARGUMENT, "token id 0 is 1048576" },
        { -1, 0, 0, TERN_ERR_ARGUMENT, "token id 0 is -1" }, { 5, 2, 0, TERN_ERR_ARGUMENT, "token type 0 is 2" },
        { 5, 0, 1 << 20, TERN_ERR_LIMIT, "position 1048576 of a batch" }, { 5, 0, -9, TERN_ERR_LIMIT, "position -9" },
    };
    bench b;
    (void)state;
    bench_open(&b, TERN_GOLDEN "/models/bert-model", NULL, 1, TERN_COMPUTE_F32);
    float *hidden = calloc((size_t)b.info.dim, sizeof *hidden);
    tern_kv kv = tern_model_kv(b.model);
    int32_t zero = 0, one = 1;
    const int32_t *page = &zero;
    kv.n_page = 1;
    kv.data = calloc(1, tern_kv_bytes(&kv, 1));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_ragged batch = { .n_seq = 1, .n_row = 1, .row = &zero, .n_tok = &one, .past = &zero, .page = &page };
        tern_step step = { .batch = &batch, .kv = &kv, .id = &rows[i].id, .type_id = &rows[i].type,
                           .position = &rows[i].past, .out_row = &zero, .n_out = 1, .hidden = hidden };
        expect(&b, tern_model_step(b.model, &step), rows[i].status, rows[i].message, rows[i].message);
    }
    free(kv.data);
    free(hidden);
    bench_close(&b);
}

static void tokenizers_have_no_text_for_other_ids(void **state)
{
    static const int32_t ids[] = { INT32_MIN, -1, INT32_MAX };
    bench b;
    tern_tokenizer *tok;
    tern_decode_stream *stream;
    (void)state;
    bench_open(&b, TERN_GOLDEN "/models/llama-mha", NULL, 1, TERN_COMPUTE_F32);
    if (tern_tokenizer_open(b.ctx, TERN_GOLDEN "/models/llama-mha", &tok)) fail_msg("%s", tern_ctx_error(b.ctx));
    assert_int_equal(tern_decode_stream_create(b.ctx, tok, true, &stream), TERN_OK);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        const char *piece;
        char *text;
        size_t n;
        assert_null(tern_tokenizer_token(tok, ids[i], NULL));
        assert_false(tern_tokenizer_is_special(tok, ids[i]));
        assert_int_equal(tern_tokenizer_decode(tok, &ids[i], 1, false, &text, &n), TERN_OK);
        assert_int_equal(n, 0);
        tern_text_free(text);
        assert_int_equal(tern_decode_stream_step(stream, ids[i], &piece, &n), TERN_OK);
        assert_int_equal(n, 0);
        assert_null(tern_model_label(b.model, ids[i]));
    }
    tern_decode_stream_free(stream);
    tern_tokenizer_free(tok);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embedders_look_at_every_id),
        cmocka_unit_test(embedders_look_at_lengths),
        cmocka_unit_test(classifiers_and_engines_look_too),
        cmocka_unit_test(a_step_looks_last),
        cmocka_unit_test(tokenizers_have_no_text_for_other_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
