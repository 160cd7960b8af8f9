/* 100,000 random strings for every golden tokenizer against the tokenizers library:
 * tools/make_tokenizer_hashes.py recorded a hash of the ids of each 1,000 and has the same
 * generator of strings. TERN_DIFFERENTIAL_STRINGS lowers their number, for slow builds. */
#include "tokenizer_help.h"

static const char *const message[] = {
    "the", "fox", "isn't", "I'll", "HELLO", "World", "12", "345678", "3.14", "x=1;", "def", "f(a):", "return", "{}",
    "<s>", "</s>", "<unk>", "[MASK]", "[CLS]",
    "<|endoftext|>", "<mask>", "[NORM]", "myword", "caf\u00e9", "na\u00efve", "stra\u00dfe",
    "\u041f\u0440\u0438\u0432\u0435\u0442", "\u4f60\u597d\u4e16\u754c",
    "\u3053\u3093", "\uc548\ub155", "\u05e9\u05dc\u05d5\u05dd", "\u0645\u0631\u062d",
    "\u0939\u093f\u0928\u094d\u0926\u0940", "\u0e44\u0e17\u0e22", "\ufb01x",
    "\u212b", "\U0001f600", "\U0001f468\u200d\U0001f469",
};
static const char *const spaces[] = { " ", "  ", "\n", "\t", "\r\n", "\n\n", "\u00a0", "\u3000", "\u2003", "\u200b",
                                      "\u2028", "   " };
static const char *const marks[] = { "\u0301", "\u0308", "\u0327", "\u0323", "\u20dd", "\u093f", "\ufe0f", "\u0334" };

#define COUNT(list) (sizeof(list) / sizeof *(list))

typedef struct text {
    char data[512];
    size_t n;
} text;

static uint64_t below(uint64_t *state, uint64_t n)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Du % n;
}

static void add(text *t, const char *more)
{
    size_t n = strlen(more);
    memcpy(t->data + t->n, more, n);
    t->n += n;
}

static void add_char(text *t, uint64_t c)
{
    if (c >= 0xd800 && c < 0xe000) c = 0x4e00 + (c & 0xff);
    if (c < 0x80) {
        t->data[t->n++] = (char)c;
        return;
    }
    int n = 4;
    if (c < 0x800) n = 2;
    else if (c < 0x10000) n = 3;
    for (int i = n - 1; i > 0; i--, c >>= 6) t->data[t->n + (size_t)i] = (char)(0x80 | (c & 63));
    t->data[t->n] = (char)((0xf0 << (4 - n)) | c);
    t->n += (size_t)n;
}

static void add_scalar(text *t, uint64_t *state)
{
    uint64_t kind = below(state, 8);
    if (kind < 3) add_char(t, 0x20 + below(state, 0x5f));
    else if (kind == 3) add_char(t, 0xa0 + below(state, 0x760));
    else if (kind < 6) add_char(t, 0x800 + below(state, 0xf800));
    else if (kind == 6) add_char(t, 0x10000 + below(state, 0x10000));
    else add_char(t, 0x20000 + below(state, 0xf0000));
}

static void make_string(text *t, uint64_t *state)
{
    t->n = 0;
    for (uint64_t parts = 1 + below(state, 8); parts; parts--) {
        uint64_t kind = below(state, 8);
        if (kind < 3) add(t, message[below(state, COUNT(message))]);
        else if (kind < 5) add(t, spaces[below(state, COUNT(spaces))]);
        else if (kind == 5) add(t, marks[below(state, COUNT(marks))]);
        else if (kind == 6) {
            uint64_t c = 0x21 + below(state, 0x5e);
            for (uint64_t times = 1 + below(state, 3); times; times--) add_char(t, c);
        } else add_scalar(t, state);
    }
}

static uint64_t fnv(uint64_t state, uint32_t value)
{
    for (int i = 0; i < 4; i++, value >>= 8) state = (state ^ (value & 255)) * 0x100000001b3u;
    return state;
}

static uint64_t hash_block(tern_ctx *ctx, tern_tokenizer *tok, uint64_t *state, size_t block, tern_encoding *enc)
{
    uint64_t hash = 0xcbf29ce484222325u;
    text t;
    for (size_t i = 0; i < block; i++) {
        make_string(&t, state);
        if (tern_tokenizer_encode(tok, t.data, t.n,
                                  &(tern_encode_options){ .add_special = true, .parse_special = true }, enc))
            fail_msg("%s", tern_ctx_error(ctx));
        hash = fnv(hash, (uint32_t)enc->n);
        for (size_t k = 0; k < enc->n; k++) hash = fnv(hash, (uint32_t)enc->ids[k]);
    }
    return hash;
}

static void every_block_hashes_as_recorded(void **unused)
{
    (void)unused;
    char path[512], hex[17];
    json_error_t error;
    const char *name, *limit = getenv("TERN_DIFFERENTIAL_STRINGS");
    json_t *hashes;
    tern_ctx *ctx = make_ctx();
    tern_encoding enc = { 0 };
    snprintf(path, sizeof path, "%s/tokenizers/hashes.json", TERN_GOLDEN);
    json_t *golden = json_load_file(path, 0, &error);
    if (!golden) fail_msg("%s: %s", path, error.text);
    size_t block = (size_t)json_integer_value(json_object_get(golden, "block")),
        most = limit ? (size_t)atoll(limit) : SIZE_MAX;
    assert_true(json_object_size(json_object_get(golden, "tokenizers")) >= 9);
    json_object_foreach(json_object_get(golden, "tokenizers"), name, hashes) {
        tern_tokenizer *tok = open_golden(ctx, name);
        uint64_t state = (uint64_t)json_integer_value(json_object_get(golden, "seed"));
        for (size_t i = 0; i < json_array_size(hashes) && i * block < most; i++) {
            snprintf(hex, sizeof hex, "%016llx", (unsigned long long)hash_block(ctx, tok, &state, block, &enc));
            if (strcmp(hex, json_string_value(json_array_get(hashes, i))))
                fail_msg("%s: strings %zu to %zu differ from the tokenizers library", name, i * block, (i + 1) * block);
        }
        tern_tokenizer_free(tok);
    }
    tern_encoding_free(&enc);
    json_decref(golden);
    tern_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_block_hashes_as_recorded) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
