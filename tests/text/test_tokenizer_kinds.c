/* Tokenizer files as people have them, one row for each kind of thing that once was refused or read
 * wrongly. Expected ids are AutoTokenizer's (transformers 4.57.6 and 5.24.0 agree) where a
 * configuration is there, else those of tokenizers 0.23.3; vocabularies are the golden ones or
 * written here. */
#include "tokenizer_help.h"

#define ENDOFTEXT                                                                                    \
    "{\"0\":{\"content\":\"<|endoftext|>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false," \
        "\"normalized\":false,\"special\":true},"
#define IM_START(lstrip)                                       \
    "\"400\":{\"content\":\"<|im_start|>\",\"lstrip\":" lstrip \
        ",\"rstrip\":false,\"normalized\":false,\"single_word\":false,\"special\":true}"
#define FAST \
    "{\"tokenizer_class\":\"PreTrainedTokenizerFast\",\"bos_token\":\"<|endoftext|>\",\"eos_token\":\"<|endoftext|>\""
#define TEMPLATE \
    "{\"post_processor\":{\"add_prefix_space\":true,\"trim_offsets\":false,\"use_regex\":true," \
        "\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":" \
    "\"<|endoftext|>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]," \
        "\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"Sequence\":{\"id\":\"B\"," \
    "\"type_id\":1}}],\"special_tokens\":{\"<|endoftext|>\":{\"id\":\"<|endoftext|>\",\"ids\":[0]," \
        "\"tokens\":[\"<|endoftext|>\"]}}}}"
#define PLAIN_START                                                                                       \
    "{\"added_tokens\":[{\"id\":400,\"content\":\"<|im_start|>\",\"single_word\":false,\"lstrip\":false," \
        "\"rstrip\":false,\"normalized\":false,\"special\":false}]}"
#define BPE(vocab) "\"model\":{\"type\":\"BPE\",\"vocab\":{" vocab "},\"merges\":[]}}"
#define SPECIAL(id, text, rstrip, normalized)                                                           \
    "{\"id\":" id ",\"content\":\"" text "\",\"single_word\":false,\"lstrip\":false,\"rstrip\":" rstrip \
        ",\"normalized\":" normalized ",\"special\":true}"

typedef struct kind_row {
    const char *base;      /* a golden folder, or the text of a tokenizer.json */
    const char *change;    /* sections that replace the golden one's; null: none */
    const char *config;    /* tokenizer_config.json; null: none */
    const char *text;
    int n, ids[8];
    const char *why;
} kind_row;

static const kind_row rows[] = {
    { "gpt2-bpe", TEMPLATE, NULL, "Hello world", 6, { 0, 355, 270, 79, 342, 298 },
      "a post-processor with another's keys, as Cohere's has them" },
    { "gpt2-bpe", NULL, FAST ",\"additional_special_tokens\":[\"<|tool|>\"]}", "<|tool|>user", 4, { 400, 85, 83, 263 },
      "a special token that the vocabulary lacks" },
    { "gpt2-bpe", NULL, FAST ",\"added_tokens_decoder\":" ENDOFTEXT IM_START("false") "}}", "<|im_start|>user", 4,
      { 400, 85, 83, 263 }, "a token that only the configuration has" },
    { "gpt2-bpe", PLAIN_START, FAST ",\"added_tokens_decoder\":" ENDOFTEXT IM_START("true") "}}", "x <|im_start|>user",
      5, { 88, 400, 85, 83, 263 }, "flags that the configuration changes" },
    { "gpt2-bpe", NULL, FAST ",\"pad_token\":\"[PAD]\"}", "[PAD]user", 4, { 400, 85, 83, 263 },
      "a pad token that the vocabulary lacks" },
    { "gpt2-bpe", "{\"truncation\":{\"direction\":\"Right\",\"max_length\":2,\"strategy\":\"LongestFirst\","
      "\"stride\":0},\"padding\":{\"strategy\":{\"Fixed\":8},\"direction\":\"Right\",\"pad_to_multiple_of\":null,"
      "\"pad_id\":0,\"pad_type_id\":0,\"pad_token\":\"x\"}}", NULL, "Hello world", 5, { 355, 270, 79, 342, 298 },
      "truncation and padding that were not requested" },
    { "{" BPE("\"a\":0,\"b\":1,\"\\u0000\":2"), NULL, NULL, "ab", 2, { 0, 1 }, "NUL as a token" },
    { "{\"added_tokens\":[" SPECIAL("8", "the", "true", "false") "," SPECIAL("9", "\\n\\n1", "false", "false") "],"
      BPE("\"a\":0,\"b\":1,\"t\":2,\"h\":3,\"e\":4,\"\\n\":5,\"1\":6,\" \":7"), NULL, NULL, "the\n\n1", 2, { 8, 9 },
      "a token that begins in blanks that the one before it took" },
};

static tern_tokenizer *open_row(tern_ctx *ctx, const kind_row *row)
{
    tern_tokenizer *tok = NULL;
    json_t *json = NULL;
    if (row->base[0] == '{') {
        json = json_loads(row->base, JSON_ALLOW_NUL, NULL);
    } else {
        char path[512];
        snprintf(path, sizeof path, TERN_GOLDEN "/tokenizers/%s/tokenizer.json", row->base);
        json = json_load_file(path, 0, NULL);
    }
    char *text = json ? NULL : strdup(row->base);    /* jansson takes no NUL in a key */
    if (json && row->change) {
        json_t *change = json_loads(row->change, 0, NULL);
        assert_non_null(change);
        json_object_update(json, change);
        json_decref(change);
    }
    if (json) text = json_dumps(json, 0);
    assert_non_null(text);
    if (tern_tokenizer_from_json(ctx, text, strlen(text), row->config, row->config ? strlen(row->config) : 0, &tok))
        fail_msg("%s: %s", row->why, tern_ctx_error(ctx));
    free(text);
    json_decref(json);
    return tok;
}

static void every_kind_is_read(void **unused)
{
    (void)unused;
    tern_ctx *ctx = make_ctx();
    tern_encoding enc = { 0 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const kind_row *row = &rows[i];
        tern_tokenizer *tok = open_row(ctx, row);
        assert_int_equal(tern_tokenizer_encode(tok, row->text, strlen(row->text), &(tern_encode_options){ .add_special =
            true, .parse_special = true }, &enc), TERN_OK);
        bool same = enc.n == (size_t)row->n;
        for (int k = 0; same && k < row->n; k++) same = enc.ids[k] == row->ids[k];
        if (!same) fail_msg("%s: %zu ids, the first %d", row->why, enc.n, enc.n ? enc.ids[0] : -1);
        tern_tokenizer_free(tok);
    }
    tern_encoding_free(&enc);
    tern_ctx_free(ctx);
}

/* A special token is left out whatever the normalizer makes of its text, and one that the
 * configuration makes special, too. */
static void special_tokens_are_left_out(void **unused)
{
    (void)unused;
    static const kind_row skipped[] = {
        { "{\"added_tokens\":[" SPECIAL("0", "<unk>", "false", "true") ","
          SPECIAL("1", "<s>", "false", "true") "],\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"_\"},"
          BPE("\"<unk>\":0,\"<s>\":1,\"a\":2"), NULL, NULL, "", 2, { 0, 1 }, "normalized" },
        { "gpt2-bpe", PLAIN_START, FAST ",\"added_tokens_decoder\":" ENDOFTEXT IM_START("true") "}}", "", 1, { 400 },
          "special by the configuration" },
    };
    tern_ctx *ctx = make_ctx();
    for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++) {
        tern_tokenizer *tok = open_row(ctx, &skipped[i]);
        char *text;
        size_t n;
        assert_int_equal(tern_tokenizer_decode(tok, skipped[i].ids, (size_t)skipped[i].n, true, &text, &n), TERN_OK);
        if (n) fail_msg("%s: \"%s\"", skipped[i].why, text);
        tern_text_free(text);
        tern_tokenizer_free(tok);
    }
    tern_ctx_free(ctx);
}

/* Truncation and padding of tokenizer.json come when they are asked for, each alone. */
static void cuts_and_fills_when_asked(void **unused)
{
    (void)unused;
    tern_ctx *ctx = make_ctx();
    tern_encoding enc = { 0 };
    tern_tokenizer *tok = open_row(ctx, &rows[5]);
    assert_int_equal(tern_tokenizer_encode(tok, "Hello world", 11, &(tern_encode_options){ .truncate = true }, &enc),
                     TERN_OK);
    assert_int_equal(enc.n, 2);
    assert_int_equal(tern_tokenizer_encode(tok, "Hello world", 11, &(tern_encode_options){ .pad = true }, &enc),
                     TERN_OK);
    assert_int_equal(enc.n, 8);
    assert_true(enc.ids[4] == 298 && enc.ids[5] == 0);
    tern_encoding_free(&enc);
    tern_tokenizer_free(tok);
    tern_ctx_free(ctx);
}

/* LlamaTokenizer builds its own parts; what the file has in their place is listed. */
static void replaced_sections_are_listed(void **unused)
{
    (void)unused;
    tern_ctx *ctx = make_ctx();
    tern_tokenizer *tok = open_row(ctx,
                                   &(kind_row){ "llama2-spbpe", NULL, "{\"tokenizer_class\":\"LlamaTokenizerFast\"}",
                                                "", 0, { 0 }, "a class" });
    assert_string_equal(tern_tokenizer_ignored(tok, 0), "LlamaTokenizer: normalizer");
    assert_string_equal(tern_tokenizer_ignored(tok, 1), "LlamaTokenizer: pre_tokenizer");
    assert_null(tern_tokenizer_ignored(tok, 2));
    tern_tokenizer_free(tok);
    tern_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] =
        { cmocka_unit_test(every_kind_is_read), cmocka_unit_test(special_tokens_are_left_out),
          cmocka_unit_test(cuts_and_fills_when_asked), cmocka_unit_test(replaced_sections_are_listed) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
