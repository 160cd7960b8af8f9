/* Tokenizers of older checkpoints: vocab.txt (WordPiece), and vocab.json with merges.txt
 * (byte-level BPE). Called by open.c; each is put down as a tokenizer.json that has the model
 * alone, and a tokenizer class (classes.h) makes the rest. */
#include <string.h>

#include "base/ctx.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/stand_in.h"
#include "text/tokenizer/classes.h"
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
    char path[800];
    tern_status st = tern_read_file(ctx, dir, name, max_file_bytes, text, n);
    if (st) return st;
    size_t valid = utf8_valid_prefix(*text, *n);
    tern_show(path, sizeof path, "%s/%s", dir, name);
    st = tern_check_not_page(ctx, path, *text, *n);
    if (!st && valid < *n) st = tern_fail(ctx, TERN_ERR_FORMAT, "%s: byte %zu is not UTF-8", path, valid);
    if (!st) return TERN_OK;
    tern_free(*text);
    *text = NULL;
    return st;
}

/* A tokenizer.json of a model alone: the class makes the rest. Takes model's reference. */
static tern_status give(tern_ctx *ctx, const char *dir, const char *name, json_t *model, json_t **json)
{
    *json = model ? json_pack("{s:o, s:[]}", "model", model, "added_tokens") : NULL;
    return *json ? TERN_OK : tern_fail(ctx, TERN_ERR_MEMORY, "%s/%s: no memory for the vocabulary", dir, name);
}

/* ---- vocab.txt ---- */

tern_status tokenizer_read_wordpiece_files(tern_ctx *ctx, const char *dir, const char **class_name, json_t **json)
{
    tern_status st = TERN_OK;
    char *text = NULL;
    const char *line;
    size_t n = 0, at = 0, length;
    json_t *ids = json_object();
    TERN_TRY(read_text(ctx, dir, "vocab.txt", &text, &n));
    for (int64_t id = 0; next_line(text, n, &at, &line, &length); id++)
        if (json_object_setn_new(ids, line, length, json_integer(id)))
            TERN_TRY(tern_fail(ctx, TERN_ERR_MEMORY, "%s/vocab.txt: no memory for the vocabulary", dir));
    TERN_TRY(give(ctx, dir, "vocab.txt", json_pack("{s:s, s:O}", "type", "WordPiece", "vocab", ids), json));
    *class_name = "BertTokenizer";
done:
    json_decref(ids);
    tern_free(text);
    return st;
}

/* ---- vocab.json and merges.txt ---- */

/* The class of a checkpoint whose configuration names none. */
static tern_status guess_class(tern_ctx *ctx, const char *dir, const json_t *config, const json_t *ids,
                               const char **class_name)
{
    const char *name = json_string_value(json_object_get(config, "tokenizer_class"));
    bool roberta = json_object_get(ids, "<s>") && json_object_get(ids, "</s>") && json_object_get(ids, "<mask>");
    *class_name = roberta ? "RobertaTokenizer" : "GPT2Tokenizer";
    if (!name || class_by_name(name) || !strncmp(name, "PreTrainedTokenizer", 19)) return TERN_OK;
    return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s/tokenizer_config.json: the tokenizer_class \"%s\" is unknown "
                     "without a tokenizer.json", dir, TERN_SHOWN(name));
}

/* Null: no memory. */
static json_t *bpe_merges_of(const char *text, size_t n)
{
    const char *line;
    size_t at = 0, length;
    json_t *merges = json_array();
    while (next_line(text, n, &at, &line, &length)) {
        if (!length || (length >= 8 && !memcmp(line, "#version", 8))) continue;
        if (json_array_append_new(merges, json_stringn(line, length))) goto no_memory;
    }
    return merges;
no_memory:
    json_decref(merges);
    return NULL;
}

tern_status tokenizer_read_bpe_files(tern_ctx *ctx, const char *dir, const json_t *config, const char **class_name,
                                     json_t **json)
{
    tern_status st = TERN_OK;
    char *text = NULL;
    size_t n = 0;
    json_t *ids = NULL;
    TERN_TRY(tern_json_read_repeats(ctx, dir, "vocab.json", max_file_bytes, &ids));
    TERN_TRY(guess_class(ctx, dir, config, ids, class_name));
    TERN_TRY(read_text(ctx, dir, "merges.txt", &text, &n));
    TERN_TRY(give(ctx, dir, "vocab.json",
                  json_pack("{s:s, s:O, s:o}", "type", "BPE", "vocab", ids, "merges", bpe_merges_of(text, n)), json));
done:
    json_decref(ids);
    tern_free(text);
    return st;
}
