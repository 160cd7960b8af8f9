/* Files and texts that must be refused with a sentence, or come through: unknown components, files
 * that contradict themselves, text that is no UTF-8, texts of millions of one letter, special
 * tokens spelled by a user. */
#include "tokenizer_help.h"

typedef struct bad_row {
    const char *json;
    tern_status status;
    const char *message;    /* what the sentence must have */
    const char *why;
} bad_row;

#define BPE_MODEL "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]]}"

static const bad_row bad_rows[] = {
    { "{", TERN_ERR_FORMAT, "line", "not JSON" },
    { "[]", TERN_ERR_FORMAT, "not an object", "a list" },
    { "{}", TERN_ERR_FORMAT, "model", "no model" },
    { "{\"model\":{\"type\":\"Magic\",\"vocab\":{}}}", TERN_ERR_UNSUPPORTED, "Magic", "an unknown model" },
    { "{" BPE_MODEL ",\"normalizer\":{\"type\":\"Upside\"}}", TERN_ERR_UNSUPPORTED, "Upside", "an unknown normalizer" },
    { "{" BPE_MODEL ",\"pre_tokenizer\":{\"type\":\"Sideways\"}}", TERN_ERR_UNSUPPORTED, "Sideways",
      "an unknown pre-tokenizer" },
    { "{" BPE_MODEL ",\"post_processor\":{\"type\":\"After\"}}", TERN_ERR_UNSUPPORTED, "After",
      "an unknown post-processor" },
    { "{" BPE_MODEL ",\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Back\"}]}}", TERN_ERR_UNSUPPORTED,
      "Back", "an unknown decoder in a sequence" },
    { "{" BPE_MODEL ",\"extra\":1}", TERN_ERR_UNSUPPORTED, "extra", "an unknown section" },
    { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\",\"b\"]]}}", TERN_ERR_FORMAT, "\"b\"",
      "a merge of an unknown token" },
    { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[\"a b\"]}}", TERN_ERR_FORMAT, "\"ab\"",
      "a merge that makes an unknown token" },
    { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", TERN_ERR_FORMAT, "same id",
      "two tokens with one id" },
    { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":2147483647},\"merges\":[]}}", TERN_ERR_FORMAT, "2147483647",
      "an id that would need gigabytes" },
    { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", TERN_ERR_FORMAT, "-1", "a negative id" },
    { "{\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"vocab\":{\"a\":0,\"<0x-1>\":1},\"merges\":[]}}",
      TERN_ERR_FORMAT, "<0x-1>", "a byte below 0" },
    { "{\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"vocab\":{\"a\":0,\"<0xZZ>\":1},\"merges\":[]}}",
      TERN_ERR_FORMAT, "<0xZZ>", "a byte of no hexadecimal digits" },
    { "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":true,\"vocab\":[[\"a\",0],[\"<0x100>\",0]]}}",
      TERN_ERR_FORMAT, "<0x100>", "a byte above 255" },
    { "{\"model\":{\"type\":\"BPE\",\"dropout\":0.1,\"vocab\":{\"a\":0},\"merges\":[]}}", TERN_ERR_UNSUPPORTED,
      "dropout", "random ids" },
    { "{\"model\":{\"type\":\"Unigram\",\"unk_id\":7,\"vocab\":[[\"a\",0]]}}", TERN_ERR_FORMAT, "unk_id",
      "an unknown token that is none" },
    { "{" BPE_MODEL ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAA=\"}}", TERN_ERR_FORMAT,
      "2 bytes", "a table of 2 bytes" },
    { "{" BPE_MODEL ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"/////w==\"}}",
      TERN_ERR_FORMAT, "table", "a trie beyond the table" },
    { "{" BPE_MODEL ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\","
      "\"invert\":false}}", TERN_ERR_UNSUPPORTED, "(", "an expression that is none" },
    { "{" BPE_MODEL ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Shredded\","
      "\"invert\":false}}", TERN_ERR_UNSUPPORTED, "Shredded", "an unknown behaviour" },
    { "{" BPE_MODEL ",\"post_processor\":{\"type\":\"TemplateProcessing\","
      "\"single\":[{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}}],\"pair\":[],\"special_tokens\":{}}}",
      TERN_ERR_FORMAT, "<s>", "a template with a token that it does not define" },
};

static void bad_files_are_refused(void **unused)
{
    (void)unused;
    tern_ctx *ctx = make_ctx();
    for (size_t i = 0; i < sizeof bad_rows / sizeof *bad_rows; i++) {
        const bad_row *row = &bad_rows[i];
        tern_tokenizer *tok = NULL;
        tern_status st = tern_tokenizer_from_json(ctx, row->json, strlen(row->json), NULL, 0, &tok);
        if (st != row->status || !strstr(tern_ctx_error(ctx), row->message))
            fail_msg("%s: %s, \"%s\"", row->why, tern_status_name(st), tern_ctx_error(ctx));
        assert_null(tok);
    }
    tern_ctx_free(ctx);
}

/* transformers 5.24.0: TypeError, the id of None is no integer. */
static void a_class_needs_its_special_tokens(void **unused)
{
    static const char config[] = "{\"tokenizer_class\":\"RobertaTokenizer\",\"cls_token\":null}";
    (void)unused;
    tern_ctx *ctx = make_ctx();
    tern_tokenizer *tok = NULL;
    assert_int_equal(tern_tokenizer_from_json(ctx, "{" BPE_MODEL "}", sizeof "{" BPE_MODEL "}" - 1, config,
                                              sizeof config - 1, &tok), TERN_ERR_FORMAT);
    assert_non_null(strstr(tern_ctx_error(ctx), "cls_token"));
    assert_null(tok);
    tern_ctx_free(ctx);
}

static tern_tokenizer *from_text(tern_ctx *ctx, const char *json)
{
    tern_tokenizer *tok = NULL;
    if (tern_tokenizer_from_json(ctx, json, strlen(json), NULL, 0, &tok)) fail_msg("%s", tern_ctx_error(ctx));
    return tok;
}

/* The tokenizers library skips keys that a component does not know, and gives an added token its id
 * itself: the vocabulary's, or the next one. */
static void what_means_nothing_is_skipped(void **unused)
{
    (void)unused;
    static const char json[] =
        "{" BPE_MODEL ",\"normalizer\":{\"type\":\"NFC\",\"twist\":1},\"pre_tokenizer\":{\"type\":\"Sequence\","
        "\"pretokenizers\":[{\"type\":\"Whitespace\",\"fold\":2}]},\"added_tokens\":[{\"id\":1,\"content\":\"<s>\"},"
        "{\"id\":2000000000,\"content\":\"<t>\"},{\"id\":0,\"content\":\"ab\",\"why\":1}]}";
    tern_ctx *ctx = make_ctx();
    tern_tokenizer *tok = from_text(ctx, json);
    assert_int_equal(tern_tokenizer_id(tok, "<s>", 3), 3);
    assert_int_equal(tern_tokenizer_id(tok, "<t>", 3), 4);
    assert_int_equal(tern_tokenizer_id(tok, "ab", 2), 2);
    assert_int_equal(tern_tokenizer_vocab_size(tok), 5);
    assert_string_equal(tern_tokenizer_ignored(tok, 0), "NFC: twist");
    assert_string_equal(tern_tokenizer_ignored(tok, 1), "Whitespace: fold");
    assert_string_equal(tern_tokenizer_ignored(tok, 2), "added_tokens: why");
    assert_null(tern_tokenizer_ignored(tok, 3));
    tern_tokenizer_free(tok);
    tern_ctx_free(ctx);
}

/* A vocabulary may have a token twice, whose last id counts, and a token with a NUL. */
static void odd_vocabularies_open(void **unused)
{
    (void)unused;
    static const char json[] = "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"a\":2,\"\\u0000\":3,"
                               "\"\\u0000b\":4},\"merges\":[[\"\\u0000\",\"b\"]]}}";
    tern_ctx *ctx = make_ctx();
    tern_encoding enc = { 0 };
    tern_tokenizer *tok = from_text(ctx, json);
    assert_int_equal(tern_tokenizer_encode(tok, "a\0b\0", 4, NULL, &enc), TERN_OK);
    assert_int_equal(enc.n, 3);
    assert_true(enc.ids[0] == 2 && enc.ids[1] == 4 && enc.ids[2] == 3);
    tern_encoding_free(&enc);
    tern_tokenizer_free(tok);
    tern_ctx_free(ctx);
}

static void a_wild_expression_gives_up(void **unused)
{
    (void)unused;
    tern_ctx *ctx = make_ctx();
    tern_encoding enc = { 0 };
    tern_tokenizer *tok = from_text(ctx, "{" BPE_MODEL ",\"pre_tokenizer\":{\"type\":\"Split\","
                                    "\"pattern\":{\"Regex\":\"(a+)+$\"},\"behavior\":\"Isolated\",\"invert\":false}}");
    const char *text = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
    assert_int_equal(tern_tokenizer_encode(tok, text, strlen(text), NULL, &enc), TERN_ERR_LIMIT);
    assert_int_equal(enc.n, 0);
    /* the tokenizer is as good as before */
    assert_int_equal(tern_tokenizer_encode(tok, "aab", 3, NULL, &enc), TERN_OK);
    assert_int_equal(enc.n, 2);
    tern_encoding_free(&enc);
    tern_tokenizer_free(tok);
    tern_ctx_free(ctx);
}

typedef struct utf8_row {
    const char *bytes, *same_as, *why;
} utf8_row;

/* What Python's bytes.decode(errors="replace") makes of the bytes. */
static const utf8_row utf8_rows[] = {
    { "a\xff""b", "a\ufffd""b", "a byte that never occurs" },
    { "\xc0\xaf", "\ufffd\ufffd", "overlong '/'" },
    { "\xe0\x80\xaf", "\ufffd\ufffd\ufffd", "overlong in three bytes" },
    { "\xed\xa0\x80", "\ufffd\ufffd\ufffd", "a surrogate" },
    { "\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd", "beyond U+10FFFF" },
    { "x\xe4\xbd", "x\ufffd", "a character cut off at the end: one part" },
    { "\xf0\x9f\x98z", "\ufffdz", "a character cut off inside" },
};

static void bytes_that_are_no_text_become_replacements(void **unused)
{
    (void)unused;
    tern_ctx *ctx = make_ctx();
    tern_tokenizer *tok = open_golden(ctx, "gpt2-bpe");
    tern_encoding a = { 0 }, b = { 0 };
    for (size_t i = 0; i < sizeof utf8_rows / sizeof *utf8_rows; i++) {
        const utf8_row *row = &utf8_rows[i];
        assert_int_equal(tern_tokenizer_encode(tok, row->bytes, strlen(row->bytes),
                                               &(tern_encode_options){ .detail = true }, &a), TERN_OK);
        assert_int_equal(tern_tokenizer_encode(tok, row->same_as, strlen(row->same_as), NULL, &b), TERN_OK);
        if (a.n != b.n || memcmp(a.ids, b.ids, a.n * sizeof *a.ids)) fail_msg("%s", row->why);
        assert_int_equal(a.info[a.n - 1].end, strlen(row->bytes));    /* offsets count in the bytes as given */
    }
    assert_int_equal(tern_tokenizer_encode(tok, "a\0b", 3, NULL, &a), TERN_OK);
    assert_int_equal(a.n, 3);
    tern_encoding_free(&a);
    tern_encoding_free(&b);
    tern_tokenizer_free(tok);
    tern_ctx_free(ctx);
}

/* Quadratic work on these would take hours. */
static void millions_of_one_letter_come_through(void **unused)
{
    (void)unused;
    static const char *const names[] = { "gpt2-bpe", "llama3-bpe", "llama2-spbpe", "bert-uncased", "unigram",
                                         "t5-unigram-precompiled" };
    size_t n = 2000000;
    char *text = malloc(n);
    tern_ctx *ctx = make_ctx();
    tern_encoding enc = { 0 };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (const char *c = "a ."; *c; c++) {
            tern_tokenizer *tok = open_golden(ctx, names[i]);
            memset(text, *c, n);
            if (tern_tokenizer_encode(tok, text, n, NULL, &enc))
                fail_msg("%s, '%c': %s", names[i], *c, tern_ctx_error(ctx));
            assert_true(enc.n > 0 || *c == ' ');
            tern_tokenizer_free(tok);
        }
    free(text);
    tern_encoding_free(&enc);
    tern_ctx_free(ctx);
}

static bool has_special(const tern_tokenizer *tok, const tern_encoding *enc)
{
    for (size_t i = 0; i < enc->n; i++)
        if (tern_tokenizer_is_special(tok, enc->ids[i]) && enc->ids[i] != tern_tokenizer_role(tok, TERN_ROLE_UNK))
            return true;
    return false;
}

/* Every special token's text, alone, between letters and in halves: as user text it never gives the
 * id; as trusted text it does. */
static void a_user_cannot_spell_special_tokens(void **unused)
{
    (void)unused;
    static const char *const names[] = { "gpt2-bpe", "llama3-bpe", "qwen2-bpe", "llama2-spbpe", "bert-uncased",
                                         "unigram", "t5-unigram-precompiled", "added-tokens" };
    tern_ctx *ctx = make_ctx();
    tern_encoding enc = { 0 };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tern_tokenizer *tok = open_golden(ctx, names[i]);
        for (int32_t id = 0; id < tern_tokenizer_vocab_size(tok); id++) {
            size_t n, half;
            const char *text = tern_tokenizer_token(tok, id, &n);
            if (!tern_tokenizer_is_special(tok, id)) continue;
            half = n / 2;
            tern_span user[] = { { " ", 1, true }, { text, n, false }, { " ", 1, true } };
            tern_span halves[] = { { text, half, true }, { text + half, n - half, false } };
            tern_span trusted[] = { { "x ", 2, false }, { text, half, true }, { text + half, n - half, true },
                                    { " y", 2, false } };
            assert_int_equal(tern_tokenizer_encode(tok, text, n, NULL, &enc), TERN_OK);
            if (has_special(tok, &enc)) fail_msg("%s: \"%s\" as plain text", names[i], text);
            assert_int_equal(tern_tokenizer_encode_spans(tok, user, 3, NULL, &enc), TERN_OK);
            if (has_special(tok, &enc)) fail_msg("%s: \"%s\" in a user's span", names[i], text);
            assert_int_equal(tern_tokenizer_encode_spans(tok, halves, 2, NULL, &enc), TERN_OK);
            if (has_special(tok, &enc)) fail_msg("%s: \"%s\" in halves", names[i], text);
            assert_int_equal(tern_tokenizer_encode_spans(tok, trusted, 4, NULL, &enc), TERN_OK);
            if (id != tern_tokenizer_role(tok, TERN_ROLE_UNK) && !has_special(tok, &enc))
                fail_msg("%s: \"%s\" is not found in trusted text", names[i], text);
        }
        tern_tokenizer_free(tok);
    }
    tern_encoding_free(&enc);
    tern_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(a_class_needs_its_special_tokens),
        cmocka_unit_test(what_means_nothing_is_skipped), cmocka_unit_test(odd_vocabularies_open),
        cmocka_unit_test(a_wild_expression_gives_up), cmocka_unit_test(bytes_that_are_no_text_become_replacements),
        cmocka_unit_test(millions_of_one_letter_come_through), cmocka_unit_test(a_user_cannot_spell_special_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
