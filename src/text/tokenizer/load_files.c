/* Tokenizers of older checkpoints: vocab.txt (WordPiece), and vocab.json with merges.txt (byte-level BPE). Called by open.c; each is put down as the
 * tokenizer.json that transformers would write for it. */
#include <string.h>

#include "base/ctx.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer/assemble.h"
#include "text/tokenizer/tok.h"
#include "text/utf8.h"

static const size_t max_file_bytes = (size_t)512 << 20;

/* The next line of text[*at, n), without its end; false: no more. */
static bool next_line(const char *text, size_t n, size_t *at, const char **line, size_t *length)
{
    if (*at >= n) return false;
    const char *begin = text + *at, *end = memchr(begin, '\n', n - *at);
    *line = begin;
    *length = end ? (size_t)(end - begin) : n - *at;
    *at += *length + 1;
    if (*length && begin[*length - 1] == '\r') --*length;
    return true;
}

static tern_status read_text(tern_ctx *ctx, const char *dir, const char *name, char **text, size_t *n)
{
    tern_status st = tern_read_file(ctx, dir, name, max_file_bytes, text, n);
    if (st || utf8_valid_prefix(*text, *n) == *n) return st;
    size_t at = utf8_valid_prefix(*text, *n);
    tern_free(*text);
    *text = NULL;
    return tern_fail(ctx, TERN_ERR_FORMAT, "%s/%s: byte %zu is not UTF-8", dir, name, at);
}

static tern_status finish(tern_tokenizer *tok, const char *dir, const char *name, json_t *json)
{
    if (!json) return tern_fail(tok->ctx, TERN_ERR_MEMORY, "%s/%s: no memory for the vocabulary, or text with a NUL in it", dir, name);
    tern_status st = tokenizer_load_json(tok, json);
    json_decref(json);
    return st ? tern_fail_in(tok->ctx, st, "%s/%s: ", dir, name) : st;
}

/* ---- vocab.txt ---- */

static json_t *wordpiece_json(json_t *ids, const json_t *config)
{
    static const char *const usual[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]" };
    const char *unk = assemble_role(config, "unk_token", "[UNK]"), *cls = assemble_role(config, "cls_token", "[CLS]"), *sep = assemble_role(config, "sep_token", "[SEP]");
    const json_t *cls_id = json_object_get(ids, cls), *sep_id = json_object_get(ids, sep), *accents = json_object_get(config, "strip_accents");
    json_t *added = json_array();
    assemble_configured(added, ids, config);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        const json_t *id = json_object_get(ids, usual[i]);
        bool there = false;
        for (size_t k = 0; k < json_array_size(added); k++)
            there |= !strcmp(json_string_value(json_object_get(json_array_get(added, k), "content")), usual[i]);
        if (id && !there) json_array_append_new(added, assemble_added(usual[i], json_integer_value(id), true));
    }
    json_t *post = cls_id && sep_id ? assemble_template(cls, json_integer_value(cls_id), sep, json_integer_value(sep_id), 1, false) : json_null();
    return json_pack("{s:o, s:{s:s, s:b, s:b, s:o, s:b}, s:{s:s}, s:o, s:{s:s, s:s, s:b}, s:{s:s, s:s, s:s, s:i, s:O}}", "added_tokens", added, "normalizer", "type",
                     "BertNormalizer", "clean_text", 1, "handle_chinese_chars", (int)assemble_flag(config, "tokenize_chinese_chars", true), "strip_accents",
                     json_is_boolean(accents) ? json_boolean(json_is_true(accents)) : json_null(), "lowercase", (int)assemble_flag(config, "do_lower_case", true),
                     "pre_tokenizer", "type", "BertPreTokenizer", "post_processor", post, "decoder", "type", "WordPiece", "prefix", "##", "cleanup", 1, "model", "type",
                     "WordPiece", "unk_token", unk, "continuing_subword_prefix", "##", "max_input_chars_per_word", 100, "vocab", ids);
}

tern_status tokenizer_load_wordpiece_files(tern_tokenizer *tok, const char *dir, const json_t *config)
{
    tern_status st = TERN_OK;
    char *text = NULL;
    const char *line;
    size_t n = 0, at = 0, length;
    json_t *ids = json_object();
    TERN_TRY(read_text(tok->ctx, dir, "vocab.txt", &text, &n));
    for (int64_t id = 0; next_line(text, n, &at, &line, &length); id++) json_object_setn_new(ids, line, length, json_integer(id));
    TERN_TRY(finish(tok, dir, "vocab.txt", wordpiece_json(ids, config)));
done:
    json_decref(ids);
    tern_free(text);
    return st;
}

/* ---- vocab.json and merges.txt ---- */

typedef enum bpe_style { STYLE_GPT2, STYLE_ROBERTA, STYLE_QWEN2 } bpe_style;

/* Which tokenizer the configuration's class is, "Fast" or not. */
static tern_status read_style(tern_ctx *ctx, const char *dir, const json_t *config, const json_t *ids, bpe_style *style)
{
    static const struct { const char *name; bpe_style style; } classes[] = {
        { "GPT2Tokenizer", STYLE_GPT2 }, { "CodeGenTokenizer", STYLE_GPT2 }, { "GPTNeoXTokenizer", STYLE_GPT2 }, { "PreTrainedTokenizer", STYLE_GPT2 },
        { "RobertaTokenizer", STYLE_ROBERTA }, { "BartTokenizer", STYLE_ROBERTA }, { "LongformerTokenizer", STYLE_ROBERTA }, { "Qwen2Tokenizer", STYLE_QWEN2 },
    };
    const char *name = json_string_value(json_object_get(config, "tokenizer_class"));
    *style = json_object_get(ids, "<s>") && json_object_get(ids, "</s>") && json_object_get(ids, "<mask>") ? STYLE_ROBERTA : STYLE_GPT2;
    for (size_t i = 0; name && i < sizeof classes / sizeof *classes; i++) {
        size_t n = strlen(classes[i].name);
        if (strncmp(name, classes[i].name, n) || (name[n] && strcmp(name + n, "Fast"))) continue;
        *style = classes[i].style;
        return TERN_OK;
    }
    return name ? tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s/tokenizer_config.json: the tokenizer_class \"%.80s\" is unknown without a tokenizer.json", dir, name) : TERN_OK;
}

static json_t *bpe_merges_of(const char *text, size_t n)
{
    const char *line;
    size_t at = 0, length;
    json_t *merges = json_array();
    while (next_line(text, n, &at, &line, &length)) {
        if (!length || (length >= 8 && !memcmp(line, "#version", 8))) continue;
        json_array_append_new(merges, json_stringn(line, length));
    }
    return merges;
}

static json_t *bpe_pre_tokenizer(bpe_style style, bool prefix)
{
    static const char qwen2[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    if (style != STYLE_QWEN2) return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", (int)prefix, "trim_offsets", 1, "use_regex", 1);
    return json_pack("{s:s, s:[{s:s, s:{s:s}, s:s, s:b}, {s:s, s:b, s:b, s:b}]}", "type", "Sequence", "pretokenizers", "type", "Split", "pattern", "Regex", qwen2, "behavior",
                     "Isolated", "invert", 0, "type", "ByteLevel", "add_prefix_space", (int)prefix, "trim_offsets", 1, "use_regex", 0);
}

static json_t *bpe_post_processor(bpe_style style, const json_t *ids, bool prefix)
{
    const json_t *cls = json_object_get(ids, "<s>"), *sep = json_object_get(ids, "</s>");
    if (style != STYLE_ROBERTA || !cls || !sep) return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 1, "trim_offsets", 0, "use_regex", 1);
    return json_pack("{s:s, s:[s, I], s:[s, I], s:b, s:b}", "type", "RobertaProcessing", "sep", "</s>", json_integer_value(sep), "cls", "<s>", json_integer_value(cls),
                     "trim_offsets", 1, "add_prefix_space", (int)prefix);
}

static json_t *bpe_json(bpe_style style, json_t *ids, json_t *merges, const json_t *config)
{
    static const char *const usual[] = { "<|endoftext|>", "<s>", "<pad>", "</s>", "<unk>", "<mask>" };
    bool prefix = assemble_flag(config, "add_prefix_space", false);
    json_t *added = json_array();
    assemble_configured(added, ids, config);
    if (!json_array_size(added))
        for (size_t i = style == STYLE_ROBERTA; i < (style == STYLE_ROBERTA ? 6u : 1u); i++)
            if (json_object_get(ids, usual[i])) json_array_append_new(added, assemble_added(usual[i], json_integer_value(json_object_get(ids, usual[i])), true));
    return json_pack("{s:o, s:o, s:o, s:o, s:{s:s, s:b, s:b, s:b}, s:{s:s, s:O, s:o}}", "added_tokens", added, "normalizer",
                     style == STYLE_QWEN2 ? json_pack("{s:s}", "type", "NFC") : json_null(), "pre_tokenizer", bpe_pre_tokenizer(style, prefix), "post_processor",
                     bpe_post_processor(style, ids, prefix), "decoder", "type", "ByteLevel", "add_prefix_space", 1, "trim_offsets", 1, "use_regex", 1, "model", "type", "BPE",
                     "vocab", ids, "merges", merges);
}

tern_status tokenizer_load_bpe_files(tern_tokenizer *tok, const char *dir, const json_t *config)
{
    tern_status st = TERN_OK;
    char *text = NULL;
    size_t n = 0;
    bpe_style style;
    json_t *ids = NULL;
    TERN_TRY(tern_json_read(tok->ctx, dir, "vocab.json", max_file_bytes, &ids));
    TERN_TRY(read_style(tok->ctx, dir, config, ids, &style));
    TERN_TRY(read_text(tok->ctx, dir, "merges.txt", &text, &n));
    TERN_TRY(finish(tok, dir, "vocab.json", bpe_json(style, ids, bpe_merges_of(text, n), config)));
done:
    json_decref(ids);
    tern_free(text);
    return st;
}
