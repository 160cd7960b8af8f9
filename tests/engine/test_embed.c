/* The embedder's calls on directories of sentence-transformers: what it says of them, options, and
 * inputs with a prompt. Vectors are compared with sentence-transformers' by
 * tests/families/test_sentences.py. */
#include <unistd.h>

#include <tern/embed.h>

#include "models.h"

#define BERT TERN_SOURCE_DIR "/tests/golden/models/bert-model"
#define SCORE TERN_SOURCE_DIR "/tests/golden/models/made-roberta-score"
enum { DIM = 48 };

#define ROW(kind, path, name)                                                                                          \
    "{\"name\": \"" name "\", \"path\": \"" path "\", \"type\": \"sentence_transformers.models." kind "\"}"
#define LIST                                                                                                           \
    "[" ROW("Transformer", "", "0") ", " ROW("Pooling", "1_Pooling", "1") ", " ROW("Normalize", "2_Normalize", "2") "]"

static const int32_t ids[] = { 2, 100, 101, 102, 103, 3 };
static char place[64];

static void write_text(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", place, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* A directory with the checkpoint's files linked in, a Pooling and a Normalize. */
static void make_place(const char *pooling, const char *config)
{
    char command[512];
    strcpy(place, "/tmp/tern-embed-XXXXXX");
    assert_non_null(mkdtemp(place));
    snprintf(command, sizeof command, "cp '%s'/* '%s' && mkdir '%s/1_Pooling'", BERT, place, place);
    assert_int_equal(system(command), 0);
    write_text("modules.json", LIST);
    write_text("1_Pooling/config.json", pooling);
    if (config) write_text("config_sentence_transformers.json", config);
}

static void remove_place(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", place);
    assert_int_equal(system(command), 0);
}

static tern_embedder *open_embedder(bench *b, const char *dir, const tern_embed_options *options)
{
    tern_embedder *e;
    bench_open(b, dir, NULL, 1, TERN_COMPUTE_F32);
    if (tern_embedder_create(b->ctx, b->model, options, &e)) fail_msg("%s", tern_ctx_error(b->ctx));
    return e;
}

static void close_embedder(bench *b, tern_embedder *e)
{
    tern_embedder_free(e);
    bench_close(b);
}

static void run_one(tern_embedder *e, const bench *b, size_t n_prompt, float *vector)
{
    tern_embed_input in = { .ids = ids, .n_ids = 6, .n_prompt = n_prompt };
    if (tern_embedder_run(e, &in, 1, vector)) fail_msg("%s", tern_ctx_error(b->ctx));
}

static void a_directory_is_described(void **state)
{
    bench b;
    (void)state;
    make_place(
        "{\"word_embedding_dimension\": 48, \"pooling_mode_max_tokens\": true, \"pooling_mode_cls_token\": true}",
        "{\"similarity_fn_name\": \"dot\", \"truncate_dim\": 40, \"prompts\": {\"ask\": \"ask: \", \"none\": null}, "
        "\"default_prompt_name\": \"ask\"}");
    write_text("sentence_bert_config.json", "{\"max_seq_length\": 17, \"do_lower_case\": true}");
    tern_embedder *e = open_embedder(&b, place, NULL);
    assert_int_equal(tern_embedder_dim(e), 40);
    assert_int_equal(tern_embedder_labels(e), 0);
    assert_int_equal(tern_embedder_max_tokens(e), 17);
    assert_string_equal(tern_embedder_pooling(e), "cls+max");
    assert_string_equal(tern_embedder_similarity(e), "dot");
    assert_true(tern_embedder_lower_case(e));
    assert_false(tern_embedder_leaves_prompt(e));
    assert_string_equal(tern_embedder_prompt(e, NULL), "ask: ");
    assert_string_equal(tern_embedder_prompt(e, "none"), "");
    assert_string_equal(tern_embedder_prompt(e, "document"), "");
    assert_null(tern_embedder_prompt(e, "other"));
    close_embedder(&b, e);
    e = open_embedder(&b, place, &(tern_embed_options){ .pooling = TERN_POOL_WEIGHTED_MEAN, .truncate_dim = 1000 });
    assert_string_equal(tern_embedder_pooling(e), "weightedmean");
    assert_int_equal(tern_embedder_dim(e), DIM);
    close_embedder(&b, e);
    remove_place();
}

static void a_plain_checkpoint_is_described(void **state)
{
    bench b;
    (void)state;
    tern_embedder *e = open_embedder(&b, BERT, NULL);
    assert_int_equal(tern_embedder_dim(e), DIM);
    assert_int_equal(tern_embedder_max_tokens(e), 64);
    assert_string_equal(tern_embedder_pooling(e), "mean");
    assert_string_equal(tern_embedder_similarity(e), "cosine");
    assert_null(tern_embedder_prompt(e, NULL));
    assert_string_equal(tern_embedder_prompt(e, "query"), "");
    close_embedder(&b, e);
}

/* The mean of all rows but the first two, by hand from the hidden states. */
static void a_prompt_is_left_out(void **state)
{
    static float hidden[6 * DIM], vector[DIM];
    bench b;
    (void)state;
    make_place("{\"embedding_dimension\": 48, \"pooling_mode\": \"mean\", \"include_prompt\": false}", NULL);
    tern_embedder *e = open_embedder(&b, place, &(tern_embed_options){ .normalize = TERN_NORMALIZE_NO });
    assert_true(tern_embedder_leaves_prompt(e));
    assert_int_equal(tern_embedder_hidden(e, &(tern_embed_input){ .ids = ids, .n_ids = 6 }, hidden), TERN_OK);
    for (size_t n_prompt = 0; n_prompt < 6; n_prompt++) {
        run_one(e, &b, n_prompt, vector);
        for (int d = 0; d < DIM; d++) {
            double sum = 0;
            for (size_t t = n_prompt; t < 6; t++) sum += (double)hidden[t * DIM + (size_t)d];
            assert_true(fabs(sum / (double)(6 - n_prompt) - (double)vector[d]) < 1e-5);
        }
    }
    tern_embed_input all = { .ids = ids, .n_ids = 6, .n_prompt = 6 };
    assert_int_equal(tern_embedder_run(e, &all, 1, vector), TERN_ERR_ARGUMENT);
    assert_non_null(strstr(tern_ctx_error(b.ctx), "prompt"));
    close_embedder(&b, e);
    remove_place();
}

static void vectors_are_normalized_as_asked(void **state)
{
    static const struct {
        tern_normalize how;
        bool unit;
    } rows[] = { { TERN_NORMALIZE_AUTO, true }, { TERN_NORMALIZE_YES, true }, { TERN_NORMALIZE_NO, false } };
    static float vector[DIM];
    bench b;
    (void)state;
    make_place("{\"embedding_dimension\": 48, \"pooling_mode\": \"cls\"}", NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double sum = 0;
        tern_embedder *e = open_embedder(&b, place, &(tern_embed_options){ .normalize = rows[i].how });
        run_one(e, &b, 0, vector);
        for (int d = 0; d < DIM; d++) sum += (double)vector[d] * (double)vector[d];
        assert_int_equal(fabs(sum - 1) < 1e-5, rows[i].unit);
        close_embedder(&b, e);
    }
    remove_place();
}

static void options_out_of_range_are_refused(void **state)
{
    static const tern_embed_options rows[] = { { .pooling = (tern_pooling)8 },
                                               { .normalize = (tern_normalize)3 },
                                               { .step_tokens = -1 },
                                               { .truncate_dim = -1 } };
    bench b;
    (void)state;
    bench_open(&b, BERT, NULL, 1, TERN_COMPUTE_F32);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_embedder *e = NULL;
        assert_int_equal(tern_embedder_create(b.ctx, b.model, &rows[i], &e), TERN_ERR_ARGUMENT);
        assert_null(e);
    }
    bench_close(&b);
}

/* The sigmoid of one label's logit; a model without labels has no score. */
static void one_label_gives_a_sigmoid(void **state)
{
    bench b;
    float logit, score;
    (void)state;
    tern_embedder *e = open_embedder(&b, SCORE, NULL);
    tern_embed_input in = { .ids = (const int32_t[]){ 0, 5, 6, 2 }, .n_ids = 4 };
    assert_int_equal(tern_embedder_labels(e), 1);
    assert_int_equal(tern_embedder_classify(e, &in, 1, &logit), TERN_OK);
    assert_int_equal(tern_embedder_score(e, &in, 1, &score), TERN_OK);
    assert_true(fabs(1 / (1 + exp(-(double)logit)) - (double)score) < 1e-6);
    close_embedder(&b, e);
    e = open_embedder(&b, BERT, NULL);
    assert_int_equal(tern_embedder_score(e, &in, 1, &score), TERN_ERR_UNSUPPORTED);
    close_embedder(&b, e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_directory_is_described),        cmocka_unit_test(a_plain_checkpoint_is_described),
        cmocka_unit_test(a_prompt_is_left_out),            cmocka_unit_test(vectors_are_normalized_as_asked),
        cmocka_unit_test(options_out_of_range_are_refused), cmocka_unit_test(one_label_gives_a_sigmoid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
