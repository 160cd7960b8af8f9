/* Every public tokenizer fixture: ids with and without special tokens, token texts, decoding,
 * pairs, random ids, stream pieces. tests/golden/tokenizers/README.md says where the values come
 * from. */
#include "tokenizer_help.h"

static void check_case(tern_tokenizer *tok, const json_t *one, tern_encoding *enc)
{
    const json_t *text_value = json_object_get(one, "text"), *tokens = json_object_get(one, "tokens"),
        *skipped = json_object_get(one, "decoded_skip_special");
    const json_t *plain = json_object_get(one, "ids_no_special");
    const char *text = json_string_value(text_value);
    size_t n = json_string_length(text_value), n_ids, n_text;
    char *decoded;
    assert_int_equal(tern_tokenizer_encode(tok, text, n, &(tern_encode_options){ .add_special = true, .parse_special =
        true, .detail = true }, enc), TERN_OK);
    check_ids("ids", text, enc->ids, enc->n, json_object_get(one, "ids"));
    for (size_t i = 0; tokens && i < enc->n; i++)
        check_text("token", text, enc->text + enc->info[i].text_at, enc->info[i].n_text_bytes,
                   json_array_get(tokens, i));
    if (plain) {
        assert_int_equal(tern_tokenizer_encode(tok, text, n, &(tern_encode_options){ .parse_special = true }, enc),
                         TERN_OK);
        check_ids("ids without special tokens", text, enc->ids, enc->n, plain);
    }
    int32_t *ids = read_ids(json_object_get(one, "ids"), &n_ids);
    assert_int_equal(tern_tokenizer_decode(tok, ids, n_ids, false, &decoded, &n_text), TERN_OK);
    check_text("decoding", text, decoded, n_text, json_object_get(one, "decoded"));
    tern_text_free(decoded);
    if (skipped) {
        assert_int_equal(tern_tokenizer_decode(tok, ids, n_ids, true, &decoded, &n_text), TERN_OK);
        check_text("decoding without special tokens", text, decoded, n_text, skipped);
        tern_text_free(decoded);
    }
    free(ids);
}

static void check_pair(tern_tokenizer *tok, const json_t *one, tern_encoding *enc)
{
    const json_t *a = json_object_get(one, "text"), *b = json_object_get(one, "pair");
    tern_encode_options options = { .add_special = true, .parse_special = true, .detail = true,
                                    .pair = json_string_value(b), .n_pair_bytes = json_string_length(b) };
    assert_int_equal(tern_tokenizer_encode(tok, json_string_value(a), json_string_length(a), &options, enc), TERN_OK);
    check_ids("ids of a pair", json_string_value(a), enc->ids, enc->n, json_object_get(one, "ids"));
    for (size_t i = 0; i < enc->n; i++) {
        assert_int_equal(enc->info[i].type_id, json_integer_value(json_array_get(json_object_get(one, "type_ids"), i)));
        assert_int_equal(enc->info[i].special,
                         json_integer_value(json_array_get(json_object_get(one, "special_tokens_mask"), i)));
    }
}

static void check_decode(tern_tokenizer *tok, const json_t *one)
{
    size_t n, n_text;
    char *text;
    int32_t *ids = read_ids(json_object_get(one, "ids"), &n);
    for (int skip = 0; skip < 2; skip++) {
        const json_t *want = json_object_get(one, skip ? "decoded_skip_special" : "decoded");
        if (!want) continue;
        assert_int_equal(tern_tokenizer_decode(tok, ids, n, skip, &text, &n_text), TERN_OK);
        check_text("decoding", "random ids", text, n_text, want);
        tern_text_free(text);
    }
    free(ids);
}

static void check_stream(tern_ctx *ctx, tern_tokenizer *tok, const json_t *one)
{
    const json_t *pieces = json_object_get(one, "pieces");
    tern_decode_stream *stream;
    size_t n, n_text;
    const char *text, *from = json_string_value(json_object_get(one, "text"));
    int32_t *ids = read_ids(json_object_get(one, "ids"), &n);
    assert_int_equal(tern_decode_stream_create(ctx, tok, true, &stream), TERN_OK);
    for (size_t i = 0; i < n; i++) {
        const json_t *want = json_array_get(pieces, i);
        assert_int_equal(tern_decode_stream_step(stream, ids[i], &text, &n_text), TERN_OK);
        if (json_is_null(want) && n_text) fail_msg("stream of \"%s\", step %zu: \"%s\" too early", from, i, text);
        if (!json_is_null(want)) check_text("stream", from ? from : "ids", text, n_text, want);
    }
    tern_decode_stream_free(stream);
    free(ids);
}

static void run_folder(const char *name)
{
    char path[512];
    json_error_t error;
    size_t i;
    json_t *one;
    tern_ctx *ctx = make_ctx();
    tern_tokenizer *tok = open_golden(ctx, name);
    tern_encoding enc = { 0 };
    snprintf(path, sizeof path, "%s/tokenizers/%s/expected.json", TERN_GOLDEN, name);
    json_t *expected = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (!expected) fail_msg("%s: %s", path, error.text);
    assert_int_equal(tern_tokenizer_vocab_size(tok),
                     json_integer_value(json_object_get(expected, "vocab_size_with_added")));
    assert_true(json_array_size(json_object_get(expected, "cases")) > 50);
    json_array_foreach(json_object_get(expected, "cases"), i, one) check_case(tok, one, &enc);
    json_array_foreach(json_object_get(expected, "pairs"), i, one) check_pair(tok, one, &enc);
    json_array_foreach(json_object_get(expected, "decode"), i, one) check_decode(tok, one);
    json_array_foreach(json_object_get(expected, "stream"), i, one) check_stream(ctx, tok, one);
    json_decref(expected);
    tern_encoding_free(&enc);
    tern_tokenizer_free(tok);
    tern_ctx_free(ctx);
}

#define FOLDER(id, name)            \
    static void id(void **state)    \
    {                               \
        (void)state;                \
        run_folder(name);           \
    }

FOLDER(gpt2_bpe, "gpt2-bpe")
FOLDER(llama3_bpe, "llama3-bpe")
FOLDER(qwen2_bpe, "qwen2-bpe")
FOLDER(added_tokens, "added-tokens")
FOLDER(llama2_spbpe, "llama2-spbpe")
FOLDER(bert_cased, "bert-cased")
FOLDER(bert_uncased, "bert-uncased")
FOLDER(unigram, "unigram")
FOLDER(t5_unigram_precompiled, "t5-unigram-precompiled")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt2_bpe), cmocka_unit_test(llama3_bpe), cmocka_unit_test(qwen2_bpe),
        cmocka_unit_test(added_tokens), cmocka_unit_test(llama2_spbpe),
        cmocka_unit_test(bert_cased), cmocka_unit_test(bert_uncased), cmocka_unit_test(unigram),
        cmocka_unit_test(t5_unigram_precompiled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
