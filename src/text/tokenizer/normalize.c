/* Normalizers: see normalize.h. Called by encode.c, and by load.c for the texts of normalized added
 * tokens. */
#include "text/tokenizer/normalize.h"

#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer/charsmap.h"
#include "text/tokenizer/pretokenize.h"
#include "text/unicode.h"
#include "text/utf8.h"

tern_status normalize(tern_ctx *ctx, const components *list, aligned **text, aligned **spare)
{
    tern_status st = TERN_OK;
    for (size_t i = 0; i < list->n; i++) {
        aligned *t = *text;
        aligned_clear(*spare, t->mode == ALIGN_NONE ? ALIGN_NONE : ALIGN_KEPT);
        TERN_TRY(list->at[i].kind->normalize(ctx, &list->at[i], t, *spare));
        *text = *spare;
        *spare = t;
    }
done:
    return st;
}

static tern_status load_replace(tern_ctx *ctx, const json_t *json, component *c)
{
    tern_status st = TERN_OK;
    TERN_TRY(component_text(ctx, json, "content", &c->text, &c->n_text));
    if (!c->text) return tern_fail(ctx, TERN_ERR_FORMAT, "normalizer Replace: no \"content\"");
    TERN_TRY(pattern_load(ctx, json_object_get(json, "pattern"), "normalizer Replace", &c->match));
done:
    return st;
}

static tern_status run_replace(tern_ctx *ctx, component *c, const aligned *in, aligned *out)
{
    tern_status st = TERN_OK;
    pattern_walk walk = { .text = in->data, .n = in->n };
    size_t from = 0, begin, end;
    bool found;
    for (;;) {
        TERN_TRY(pattern_next(ctx, c->match, &walk, &found, &begin, &end));
        if (!found) break;
        TERN_TRY(aligned_copy(ctx, out, in, from, begin));
        TERN_TRY(aligned_put(ctx, out, in, end ? end - 1 : SIZE_MAX, c->text, c->n_text));
        from = end;
    }
    TERN_TRY(aligned_copy(ctx, out, in, from, in->n));
done:
    return st;
}

static tern_status load_prepend(tern_ctx *ctx, const json_t *json, component *c)
{
    tern_status st = component_text(ctx, json, "prepend", &c->text, &c->n_text);
    return st || c->text ? st : tern_fail(ctx, TERN_ERR_FORMAT, "normalizer Prepend: no \"prepend\"");
}

static tern_status run_prepend(tern_ctx *ctx, component *c, const aligned *in, aligned *out)
{
    tern_status st = TERN_OK;
    if (in->n) TERN_TRY(aligned_put(ctx, out, in, 0, c->text, c->n_text));
    TERN_TRY(aligned_copy(ctx, out, in, 0, in->n));
done:
    return st;
}

static tern_status load_strip(tern_ctx *ctx, const json_t *json, component *c)
{
    c->left = c->right = true;
    tern_status st = component_bool(ctx, json, "strip_left", &c->left);
    return st ? st : component_bool(ctx, json, "strip_right", &c->right);
}

static tern_status run_strip(tern_ctx *ctx, component *c, const aligned *in, aligned *out)
{
    size_t begin = 0, end = in->n, length;
    while (c->left && begin < end && unicode_is_space(utf8_get(in->data + begin, &length))) begin += length;
    while (c->right && end > begin && unicode_is_space(utf8_before(in->data, end, &length))) end -= length;
    return aligned_copy(ctx, out, in, begin, end);
}

/* SentencePiece's "nmt" rules: control characters go, unusual blanks become blanks (tokenizers,
 * normalizers/unicode.rs, lists them). */
static bool nmt_drops(uint32_t c)
{
    return (c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f;
}

static bool nmt_blanks(uint32_t c)
{
    return c == 9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 || (c >= 0x200b && c <= 0x200f) || c == 0x2028 ||
           c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd;
}

static tern_status run_nmt(tern_ctx *ctx, component *c, const aligned *in, aligned *out)
{
    tern_status st = TERN_OK;
    (void)c;
    for (size_t at = 0, length; at < in->n; at += length) {
        uint32_t ch = utf8_get(in->data + at, &length);
        if (nmt_drops(ch)) continue;
        if (nmt_blanks(ch)) TERN_TRY(aligned_put(ctx, out, in, at, " ", 1));
        else TERN_TRY(aligned_copy(ctx, out, in, at, at + length));
    }
done:
    return st;
}

static tern_status run_byte_level(tern_ctx *ctx, component *c, const aligned *in, aligned *out)
{
    tern_status st = TERN_OK;
    char stand[4];
    (void)c;
    for (size_t i = 0; i < in->n; i++)
        TERN_TRY(aligned_put(ctx, out, in, i, stand, byte_level_put(stand, (unsigned char)in->data[i])));
done:
    return st;
}

static tern_status load_bert(tern_ctx *ctx, const json_t *json, component *c)
{
    tern_status st = TERN_OK;
    c->clean_text = c->chinese = c->lowercase = true;
    TERN_TRY(component_bool(ctx, json, "clean_text", &c->clean_text));
    TERN_TRY(component_bool(ctx, json, "handle_chinese_chars", &c->chinese));
    TERN_TRY(component_bool(ctx, json, "lowercase", &c->lowercase));
    c->strip_accents = c->lowercase;
    TERN_TRY(component_bool(ctx, json, "strip_accents", &c->strip_accents));
done:
    return st;
}

static tern_status load_precompiled(tern_ctx *ctx, const json_t *json, component *c)
{
    const json_t *blob = json_object_get(json, "precompiled_charsmap");
    if (!json_is_string(blob))
        return tern_fail(ctx, TERN_ERR_FORMAT, "normalizer Precompiled: \"precompiled_charsmap\" is %s, not a string",
                         tern_json_kind(blob));
    return charsmap_from_base64(ctx, json_string_value(blob), json_string_length(blob), &c->map);
}

#define KEYS(...) (const char *const[]){ __VA_ARGS__, NULL }

static const component_kind kinds[] = {
    { .type = "NFC", .normalize = normalize_nfc },
    { .type = "NFD", .normalize = normalize_nfd },
    { .type = "NFKC", .normalize = normalize_nfkc },
    { .type = "NFKD", .normalize = normalize_nfkd },
    { .type = "Lowercase", .normalize = normalize_lowercase },
    { .type = "StripAccents", .normalize = normalize_strip_accents },
    { .type = "BertNormalizer", .keys = KEYS("clean_text", "handle_chinese_chars", "strip_accents", "lowercase"),
      .load = load_bert, .normalize = normalize_bert },
    { .type = "Replace", .keys = KEYS("pattern", "content"), .load = load_replace, .normalize = run_replace },
    { .type = "Prepend", .keys = KEYS("prepend"), .load = load_prepend, .normalize = run_prepend },
    { .type = "Strip", .keys = KEYS("strip_left", "strip_right"), .load = load_strip, .normalize = run_strip },
    { .type = "Precompiled", .keys = KEYS("precompiled_charsmap"), .load = load_precompiled,
      .normalize = normalize_precompiled },
    { .type = "Nmt", .normalize = run_nmt },
    { .type = "ByteLevel", .normalize = run_byte_level },
};

const component_table normalizer_table = { "normalizer", "normalizers", kinds, sizeof kinds / sizeof *kinds };
