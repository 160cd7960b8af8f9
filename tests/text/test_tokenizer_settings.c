/* The files beside tokenizer.json, each setting alone and in pairs, against
 * transformers.AutoTokenizer: tools/make_tokenizer_settings.py recorded what it makes of each
 * folder. The test writes the same folders into a temporary one. */
#include "tokenizer_help.h"

#include <unistd.h>

static const char *const names[] = { "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                     "added_tokens.json", "config.json", "vocab.json", "merges.txt", "vocab.txt",
                                     "tokenizer.model" };

#define N_NAMES (sizeof names / sizeof *names)

static char folder[] = "/tmp/tern-settings-XXXXXX";

/* Files that a setting names; null takes one away, and so does a null tokenizer_class with that
 * key. */
static void merge(json_t *files, const json_t *change)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)change, name, value) {
        json_t *there = json_object_get(files, name);
        if (json_is_null(value)) json_object_del(files, name);
        else if (json_is_object(value) && there) json_object_update(there, value);
        else json_object_set_new(files, name, json_deep_copy(value));
    }
    json_t *config = json_object_get(files, "tokenizer_config.json");
    if (json_is_null(json_object_get(config, "tokenizer_class"))) json_object_del(config, "tokenizer_class");
}

/* Bytes that JSON cannot hold, as {"base64": ...}. */
static void write_base64(FILE *f, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int n = 0;
    for (; *text && *text != '='; text++) {
        bits = bits << 6 | (uint32_t)(strchr(digits, *text) - digits);
        n += 6;
        if (n >= 8) fputc((int)(bits >> (n -= 8) & 255), f);
    }
}

static void write_files(const json_t *files)
{
    for (size_t i = 0; i < N_NAMES; i++) {
        char path[512];
        const json_t *value = json_object_get(files, names[i]);
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
        if (!value) continue;
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        const char *base64 = json_string_value(json_object_get(value, "base64"));
        if (base64) write_base64(f, base64);
        else if (json_is_string(value))
            assert_int_equal(fwrite(json_string_value(value), 1, json_string_length(value), f),
                             json_string_length(value));
        else assert_int_equal(json_dumpf(value, f, JSON_COMPACT), 0);
        assert_int_equal(fclose(f), 0);
    }
}

/* One text: [ids, ids without special tokens, the ids' text, the same without special tokens].
 * False: differs, and is said on stderr. */
static bool check_text_of(const char *what, tern_tokenizer *tok, const char *text, size_t n, const json_t *want,
                          tern_encoding *enc)
{
    bool same = true;
    for (int plain = 0; plain < 2; plain++) {
        const json_t *ids = json_array_get(want, (size_t)plain);
        assert_int_equal(tern_tokenizer_encode(tok, text, n, &(tern_encode_options){ .add_special =
            !plain, .parse_special = true }, enc), TERN_OK);
        bool equal = enc->n == json_array_size(ids);
        for (size_t i = 0; equal && i < enc->n; i++) equal = enc->ids[i] == json_integer_value(json_array_get(ids, i));
        if (equal) continue;
        same = false;
        fprintf(stderr, "%s: ids%s of \"%s\"\n  got ", what, plain ? " without special tokens" : "", text);
        for (size_t i = 0; i < enc->n; i++) fprintf(stderr, " %d", enc->ids[i]);
        char *message = json_dumps(ids, 0);
        fprintf(stderr, "\n  want %s\n", message);
        free(message);
    }
    size_t n_ids, n_got;
    int32_t *ids = read_ids(json_array_get(want, 0), &n_ids);
    for (int skip = 0; skip < 2; skip++) {
        const json_t *expected = json_array_get(want, (size_t)(2 + skip));
        char *got;
        assert_int_equal(tern_tokenizer_decode(tok, ids, n_ids, skip, &got, &n_got), TERN_OK);
        if (n_got != json_string_length(expected) || memcmp(got, json_string_value(expected), n_got)) {
            same = false;
            fprintf(stderr, "%s: decoding%s of \"%s\"\n  got  \"%s\"\n  want \"%s\"\n", what,
                    skip ? " without special tokens" : "", text, got, json_string_value(expected));
        }
        tern_text_free(got);
    }
    free(ids);
    return same;
}

static bool check_roles(const char *what, const tern_tokenizer *tok, const json_t *want)
{
    bool same = true;
    for (size_t i = 0; i < json_array_size(want); i++) {
        const char *got = tern_tokenizer_role_text(tok, (tern_role)i),
            *expected = json_string_value(json_array_get(want, i));
        if (!got && !expected) continue;
        if (got && expected && !strcmp(got, expected)) continue;
        same = false;
        fprintf(stderr, "%s: role %zu is %s, want %s\n", what, i, got ? got : "none", expected ? expected : "none");
    }
    return same;
}

/* One combination: [names of settings, indices of outcomes, index of roles, vocabulary]. */
static bool check_case(tern_ctx *ctx, const char *kind, const json_t *of_kind, const json_t *texts, const json_t *one,
                       tern_encoding *enc)
{
    char what[256];
    size_t i, n = (size_t)snprintf(what, sizeof what, "%s", kind);
    json_t *setting, *files = json_deep_copy(json_object_get(of_kind, "base"));
    const json_t *rows = json_array_get(one, 1), *outcomes = json_object_get(of_kind, "outcomes");
    tern_tokenizer *tok = NULL;
    json_array_foreach(json_array_get(one, 0), i, setting) {
        merge(files, json_object_get(json_object_get(of_kind, "settings"), json_string_value(setting)));
        n += (size_t)snprintf(what + n, sizeof what - n, " %s", json_string_value(setting));
    }
    write_files(files);
    json_decref(files);
    if (tern_tokenizer_open(ctx, folder, &tok)) {
        fprintf(stderr, "%s: %s\n", what, tern_ctx_error(ctx));
        return false;
    }
    bool same = check_roles(what, tok, json_array_get(json_object_get(of_kind, "roles"),
                                                      (size_t)json_integer_value(json_array_get(one, 2))));
    for (i = 0; i < json_array_size(texts); i++) {
        const json_t *text = json_array_get(texts, i);
        const json_t *want = json_array_get(outcomes, (size_t)json_integer_value(json_array_get(rows, i)));
        same &= check_text_of(what, tok, json_string_value(text), json_string_length(text), want, enc);
    }
    tern_tokenizer_free(tok);
    return same;
}

static void every_setting_is_applied(void **unused)
{
    (void)unused;
    json_error_t error;
    const char *kind;
    json_t *of_kind, *one;
    size_t i, n = 0, n_wrong = 0;
    tern_encoding enc = { 0 };
    tern_ctx *ctx = make_ctx();
    json_t *golden = json_load_file(TERN_GOLDEN "/tokenizers/settings.json", JSON_ALLOW_NUL, &error);
    if (!golden) fail_msg("settings.json: %s", error.text);
    assert_non_null(mkdtemp(folder));
    json_object_foreach(json_object_get(golden, "kinds"), kind, of_kind)
        json_array_foreach(json_object_get(of_kind, "cases"), i, one) {
            n++;
            n_wrong += !check_case(ctx, kind, of_kind, json_object_get(golden, "texts"), one, &enc);
        }
    write_files(NULL);
    rmdir(folder);
    tern_encoding_free(&enc);
    json_decref(golden);
    tern_ctx_free(ctx);
    printf("%zu combinations of settings, %zu differ\n", n, n_wrong);
    assert_true(n >= 200);
    assert_int_equal(n_wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_setting_is_applied) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
