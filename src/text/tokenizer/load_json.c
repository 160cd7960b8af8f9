/* tokenizer.json into a tokenizer: each section to the part that reads it. Called by open.c. */
#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer/normalize.h"
#include "text/tokenizer/postprocess.h"
#include "text/tokenizer/pretokenize.h"
#include "text/tokenizer/tok.h"

/* Ids may have gaps, but no more than this many for each token: memory stays in proportion to the
 * file. */
enum { GAPS_PER_TOKEN = 8, GAPS_ALWAYS = 1 << 16 };

/* Keys of tok's own sections that mean nothing. */
static tern_status note_keys(tern_tokenizer *tok, const char *owner, const json_t *json, const char *const *known)
{
    tern_status st = TERN_OK;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value) {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key)) i++;
        if (!known[i]) TERN_TRY(ignored_add(tok->ctx, &tok->ignored, owner, key));
    }
done:
    return st;
}

static tern_status check_keys(tern_ctx *ctx, const char *subject, const json_t *json, const char *const *known)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value) {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key)) i++;
        if (!known[i])
            return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s: the key \"%s\" is unknown", subject, TERN_SHOWN(key));
    }
    return TERN_OK;
}

/* {"token": id, ...} or, for Unigram, [["token", score], ...]. */
static tern_status load_vocab(tern_ctx *ctx, const json_t *json, vocab *v)
{
    tern_status st = TERN_OK;
    const char *key;
    json_t *value;
    size_t n_key, n = json_is_array(json) ? json_array_size(json) : json_object_size(json);
    int64_t max_id = (int64_t)n * (1 + GAPS_PER_TOKEN) + GAPS_ALWAYS;
    if (json_is_array(json)) {
        for (size_t i = 0; i < n; i++) {
            const json_t *text = json_array_get(json_array_get(json, i), 0);
            if (!json_is_string(text))
                return tern_fail(ctx, TERN_ERR_FORMAT, "vocabulary: entry %zu is not a token and its score", i);
            TERN_TRY(vocab_add(ctx, v, json_string_value(text), json_string_length(text), (int64_t)i, max_id));
        }
        return st;
    }
    if (!json_is_object(json))
        return tern_fail(ctx, TERN_ERR_FORMAT, "vocabulary: %s, not an object or a list", tern_json_kind(json));
    json_object_keylen_foreach((json_t *)json, key, n_key, value) {
        if (!json_is_integer(value))
            return tern_fail(ctx, TERN_ERR_FORMAT, "vocabulary: the id of \"%s\" is %s", TERN_SHOWN(key),
                             tern_json_kind(value));
        TERN_TRY(vocab_add(ctx, v, key, n_key, json_integer_value(value), max_id));
    }
done:
    return st;
}

/* Files from before models had a "type": the fields say which it is. */
static const char *guess_type(const json_t *json)
{
    if (json_object_get(json, "merges")) return "BPE";
    if (json_object_get(json, "unk_id")) return "Unigram";
    if (json_object_get(json, "max_input_chars_per_word")) return "WordPiece";
    return "WordLevel";
}

static tern_status load_model(tern_tokenizer *tok, const json_t *json)
{
    tern_status st = TERN_OK;
    tern_ctx *ctx = tok->ctx;
    text_model *m = &tok->model;
    const json_t *type = json_object_get(json, "type");
    const char *known[16] = { "type", "vocab" }, *name = type ? json_string_value(type) : guess_type(json);
    const model_kind *kind = name ? model_find(name) : NULL;
    if (!json_is_object(json))
        return tern_fail(ctx, TERN_ERR_FORMAT, "\"model\" is %s, not an object", tern_json_kind(json));
    if (!kind)
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "the model \"%s\" is unknown",
                         TERN_SHOWN(name ? name : tern_json_kind(type)));
    for (size_t i = 0; kind->keys[i]; i++) known[2 + i] = kind->keys[i];
    TERN_TRY(note_keys(tok, kind->type, json, known));
    TERN_TRY(load_vocab(ctx, json_object_get(json, "vocab"), &m->vocab));
    m->kind = kind;
    TERN_TRY(kind->load(ctx, json, m));
done:
    return st;
}

static tern_status load_added_token(tern_tokenizer *tok, const json_t *json)
{
    static const char *const keys[] = { "id", "content", "single_word", "lstrip", "rstrip", "normalized", "special",
                                        NULL };
    tern_status st = TERN_OK;
    tern_ctx *ctx = tok->ctx;
    const json_t *content = json_object_get(json, "content"), *id = json_object_get(json, "id");
    if (!json_is_string(content) || !json_is_integer(id))
        return tern_fail(ctx, TERN_ERR_FORMAT, "added_tokens: an entry without \"content\" or \"id\"");
    added_token token = { .text = (char *)json_string_value(content), .n_bytes = json_string_length(content) };
    token.normalized = !json_is_true(json_object_get(json, "special"));
    TERN_TRY(note_keys(tok, "added_tokens", json, keys));
    TERN_TRY(component_bool(ctx, json, "single_word", &token.single_word));
    TERN_TRY(component_bool(ctx, json, "lstrip", &token.lstrip));
    TERN_TRY(component_bool(ctx, json, "rstrip", &token.rstrip));
    TERN_TRY(component_bool(ctx, json, "normalized", &token.normalized));
    TERN_TRY(component_bool(ctx, json, "special", &token.special));
    TERN_TRY(tokenizer_add_token(tok, &token));
done:
    return st;
}

static tern_status load_added(tern_tokenizer *tok, const json_t *json)
{
    tern_status st = TERN_OK;
    if (!json || json_is_null(json)) return st;
    if (!json_is_array(json))
        return tern_fail(tok->ctx, TERN_ERR_FORMAT, "\"added_tokens\" is %s, not a list", tern_json_kind(json));
    for (size_t i = 0; i < json_array_size(json); i++) TERN_TRY(load_added_token(tok, json_array_get(json, i)));
done:
    return st;
}

static tern_status load_truncation(tern_tokenizer *tok, const json_t *json)
{
    static const char *const keys[] = { "direction", "max_length", "strategy", "stride", NULL };
    static const char *const directions[] = { "Right", "Left" },
        *const strategies[] = { "LongestFirst", "OnlyFirst", "OnlySecond" };
    tern_status st = TERN_OK;
    int direction = 0, strategy = 0;
    size_t stride = 0;
    if (!json || json_is_null(json)) return st;
    TERN_TRY(note_keys(tok, "truncation", json, keys));
    TERN_TRY(component_word(tok->ctx, json, "direction", directions, 2, &direction));
    TERN_TRY(component_word(tok->ctx, json, "strategy", strategies, 3, &strategy));
    tok->truncate = (truncation){ .on = true, .from_left = direction, .strategy = (truncate_strategy)strategy,
                                  .max_tokens = 512 };
    TERN_TRY(component_size(tok->ctx, json, "max_length", &tok->truncate.max_tokens));
    TERN_TRY(component_size(tok->ctx, json, "stride", &stride));
done:
    return st;
}

static tern_status load_padding(tern_tokenizer *tok, const json_t *json)
{
    static const char *const keys[] = { "strategy", "direction", "pad_to_multiple_of", "pad_id", "pad_type_id",
                                        "pad_token", NULL };
    static const char *const directions[] = { "Right", "Left" };
    tern_status st = TERN_OK;
    padding *p = &tok->pad;
    const json_t *strategy = json_object_get(json, "strategy");
    int direction = 0;
    size_t id = 0, type_id = 0, n = 0;
    char shown[80];
    if (!json || json_is_null(json)) return st;
    TERN_TRY(note_keys(tok, "padding", json, keys));
    TERN_TRY(component_word(tok->ctx, json, "direction", directions, 2, &direction));
    TERN_TRY(component_size(tok->ctx, json, "pad_to_multiple_of", &p->multiple));
    TERN_TRY(component_size(tok->ctx, json, "pad_id", &id));
    TERN_TRY(component_size(tok->ctx, json, "pad_type_id", &type_id));
    TERN_TRY(component_text(tok->ctx, json, "pad_token", &p->token, &n));
    if (json_is_object(strategy)) TERN_TRY(component_size(tok->ctx, strategy, "Fixed", &p->fixed_tokens));
    if (!(json_is_object(strategy) && json_object_get(strategy, "Fixed")) &&
        strcmp(json_is_string(strategy) ? json_string_value(strategy) : "", "BatchLongest"))
        return tern_fail(tok->ctx, TERN_ERR_UNSUPPORTED, "padding: the strategy %s is unknown",
                         tern_json_show(strategy, shown, sizeof shown));
    if (id > INT32_MAX || type_id > INT32_MAX || p->fixed_tokens > TERN_MAX_TEXT_BYTES ||
        p->multiple > TERN_MAX_TEXT_BYTES)
        return tern_fail(tok->ctx, TERN_ERR_FORMAT, "padding: a number is out of range");
    if (!p->token && !(p->token = tern_strdup(tok->ctx, "[PAD]"))) return TERN_ERR_MEMORY;
    p->on = true;
    p->to_left = direction;
    p->id = (int32_t)id;
    p->type_id = (int32_t)type_id;
done:
    return st;
}

tern_status tokenizer_load_post_processor(tern_tokenizer *tok, const json_t *json)
{
    return components_load(tok->ctx, &postprocessor_table, json, &tok->ignored, &tok->postprocessors);
}

tern_status tokenizer_load_json(tern_tokenizer *tok, const json_t *json)
{
    static const char *const keys[] = { "version", "truncation", "padding", "added_tokens", "normalizer",
                                        "pre_tokenizer", "post_processor", "decoder", "model", NULL };
    tern_status st = TERN_OK;
    tern_ctx *ctx = tok->ctx;
    if (!json_is_object(json)) return tern_fail(ctx, TERN_ERR_FORMAT, "%s, not an object", tern_json_kind(json));
    TERN_TRY(check_keys(ctx, "the file", json, keys));
    TERN_TRY(load_model(tok, json_object_get(json, "model")));
    TERN_TRY(components_load(ctx, &normalizer_table, json_object_get(json, "normalizer"), &tok->ignored,
                             &tok->normalizers));
    TERN_TRY(components_load(ctx, &pretokenizer_table, json_object_get(json, "pre_tokenizer"), &tok->ignored,
                             &tok->pretokenizers));
    TERN_TRY(components_load(ctx, &decoder_table, json_object_get(json, "decoder"), &tok->ignored, &tok->decoders));
    TERN_TRY(load_added(tok, json_object_get(json, "added_tokens")));
    TERN_TRY(load_truncation(tok, json_object_get(json, "truncation")));
    TERN_TRY(load_padding(tok, json_object_get(json, "padding")));
done:
    return st;
}
