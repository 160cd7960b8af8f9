/* Opening a tokenizer from a checkpoint directory or from text: see tern/tokenizer.h. Reads the
 * files, lets classes.c and settings.c say what they mean, and gives the result to load_json.c. */
#include <string.h>

#include "base/ctx.h"
#include "base/directory.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/model_folder.h"
#include "base/stand_in.h"
#include "text/tokenizer/sentencepiece.h"
#include "text/tokenizer/settings.h"
#include "text/tokenizer/special.h"
#include "text/tokenizer/tok.h"

static const size_t max_json_bytes = (size_t)512 << 20, max_config_bytes = (size_t)16 << 20;

/* SentencePiece's file under the names that families give it. */
static const char *const sentencepiece_names[] = { "tokenizer.model", "spiece.model", "sentencepiece.bpe.model" };

static tern_status read_sentencepiece(tern_ctx *ctx, const char *dir, const char *name, settings *s, json_t **json)
{
    bool prefix = false;
    char path[800];
    tern_map map = { 0 };
    tern_status st = tern_map_file(ctx, dir, name, &map);
    if (st) return st;
    tern_show(path, sizeof path, "%s/%s", dir, name);
    TERN_TRY(tern_check_not_page(ctx, path, map.data, map.n_bytes));
    st = tokenizer_read_sentencepiece(ctx, map.data, map.n_bytes, s->class, s->config, &prefix, json);
    s->raw_decoder = prefix && !s->class;
    if (st) tern_fail_in(ctx, st, "%s: ", path);
done:
    tern_map_close(&map);
    return st;
}

/* A tokenizer.json out of the vocabulary's own files. */
static tern_status read_vocabulary(tern_ctx *ctx, const char *dir, settings *s, json_t **json)
{
    tern_status st = TERN_OK;
    const char *name = NULL;
    s->from_vocabulary = true;
    for (size_t i = 0; i < sizeof sentencepiece_names / sizeof *sentencepiece_names; i++)
        if (tern_file_exists(dir, sentencepiece_names[i]))
            return read_sentencepiece(ctx, dir, sentencepiece_names[i], s, json);
    if (tern_file_exists(dir, "vocab.json")) TERN_TRY(tokenizer_read_bpe_files(ctx, dir, s->config, &name, json));
    else if (tern_file_exists(dir, "vocab.txt")) TERN_TRY(tokenizer_read_wordpiece_files(ctx, dir, &name, json));
    else return tern_directory_lacks(ctx, dir, TERN_LACKS_TOKENIZER);
    if (name && !s->class) s->class = class_by_name(name);
done:
    return st;
}

static tern_status read_config(tern_ctx *ctx, const char *dir, const char *name, json_t **out)
{
    tern_status st = TERN_OK;
    if (!tern_file_exists(dir, name)) return st;
    TERN_TRY(tern_json_read_repeats(ctx, dir, name, max_config_bytes, out));
    if (!json_is_object(*out))
        st = tern_fail(ctx, TERN_ERR_FORMAT, "%s/%s: %s, not an object", dir, name, tern_json_kind(*out));
done:
    return st;
}

/* The class's parts into json. Sections of a tokenizer.json that the class has otherwise are noted:
 * they do not count. */
static tern_status rebuild(tern_tokenizer *tok, const settings *s, json_t *json)
{
    static const char *const sections[] = { "normalizer", "pre_tokenizer", "decoder" };
    tern_status st = TERN_OK;
    json_t *old = json_copy(json);
    if (!old || !class_rebuild(s->class, json, s->config))
        TERN_TRY(tern_fail(tok->ctx, TERN_ERR_MEMORY, "no memory for a tokenizer of the class %s", s->class->name));
    for (size_t i = 0; !s->from_vocabulary && i < sizeof sections / sizeof *sections; i++)
        if (!json_equal(json_object_get(old, sections[i]), json_object_get(json, sections[i])))
            TERN_TRY(ignored_add(tok->ctx, &tok->ignored, s->class->name, sections[i]));
done:
    json_decref(old);
    return st;
}

/* What json has beside the vocabulary. A class whose model is another one does not count. */
static void take_sections(settings *s, const json_t *json)
{
    s->listed = json_incref(json_object_get(json, "added_tokens"));
    s->padding = json_incref(json_object_get(json, "padding"));
    if (s->class && !class_fits(s->class, json)) s->class = NULL;
}

/* json into a new tokenizer, which *out owns. */
static tern_status build(tern_ctx *ctx, settings *s, json_t *json, tern_tokenizer **out)
{
    tern_status st = TERN_OK;
    tern_tokenizer *tok = NULL;
    json_t *post = NULL;
    TERN_TRY(tokenizer_new(ctx, &tok));
    take_sections(s, json);
    if (s->class) TERN_TRY(rebuild(tok, s, json));
    TERN_TRY(tokenizer_load_json(tok, json));
    TERN_TRY(settings_add_tokens(tok, s));
    TERN_TRY(settings_post_processor(tok, s, json, &post));
    TERN_TRY(tokenizer_load_post_processor(tok, post ? post : json_object_get(json, "post_processor")));
    TERN_TRY(tokenizer_finish(tok));
    TERN_TRY(settings_finish(tok, s));
    *out = tok;
    tok = NULL;
done:
    json_decref(post);
    tern_tokenizer_free(tok);
    return st;
}

/* The configuration of dir into s. */
static tern_status read_settings(tern_ctx *ctx, const char *dir, settings *s)
{
    tern_status st = TERN_OK;
    json_t *config = NULL, *map = NULL;
    TERN_TRY(read_config(ctx, dir, "tokenizer_config.json", &config));
    TERN_TRY(read_config(ctx, dir, "special_tokens_map.json", &map));
    TERN_TRY(read_config(ctx, dir, "added_tokens.json", &s->added));
    s->config = settings_merge(config, map);
    config = NULL;
    if (!s->config) TERN_TRY(tern_fail(ctx, TERN_ERR_MEMORY, "no memory for tokenizer_config.json"));
done:
    json_decref(config);
    json_decref(map);
    return st;
}

/* The tokenizer.json of dir, or what its vocabulary's files make of one, and the class. */
static tern_status read_tokenizer(tern_ctx *ctx, const char *dir, settings *s, json_t **json)
{
    tern_status st = TERN_OK;
    json_t *model = NULL;
    TERN_TRY(read_config(ctx, dir, "config.json", &model));
    if (tern_file_exists(dir, "tokenizer.json"))
        TERN_TRY(tern_json_read_repeats(ctx, dir, "tokenizer.json", max_json_bytes, json));
    s->class = class_choose(s->config, model, *json);
    if (!*json) TERN_TRY(read_vocabulary(ctx, dir, s, json));
done:
    json_decref(model);
    return st;
}

tern_status tern_tokenizer_open(tern_ctx *ctx, const char *dir, tern_tokenizer **out)
{
    tern_status st = TERN_OK;
    settings s = { 0 };
    json_t *json = NULL;
    char *folder = NULL;
    if (!dir || !out)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_tokenizer_open: no directory, or no place for the tokenizer");
    TERN_TRY(tern_model_folder(ctx, dir, &folder));
    TERN_TRY(read_settings(ctx, folder, &s));
    TERN_TRY(read_tokenizer(ctx, folder, &s, &json));
    st = build(ctx, &s, json, out);
    if (st) tern_fail_in(ctx, st, "%s%s: ", folder, s.from_vocabulary ? "" : "/tokenizer.json");
done:
    tern_free(folder);
    json_decref(json);
    settings_free(&s);
    return st;
}

tern_status tokenizer_special_tokens(tern_ctx *ctx, const char *dir, bool whole, json_t **out)
{
    tern_status st = TERN_OK;
    settings s = { 0 };
    json_t *json = NULL;
    char *folder = NULL;
    TERN_TRY(tern_model_folder(ctx, dir, &folder));
    TERN_TRY(read_settings(ctx, folder, &s));
    if (whole) {
        TERN_TRY(read_tokenizer(ctx, folder, &s, &json));
        take_sections(&s, json);
    }
    *out = settings_named_tokens(&s);
    if (!*out) st = tern_fail(ctx, TERN_ERR_MEMORY, "no memory for special tokens");
done:
    tern_free(folder);
    json_decref(json);
    settings_free(&s);
    return st;
}

tern_status tern_tokenizer_from_json(tern_ctx *ctx, const char *json, size_t n_bytes, const char *config,
                                     size_t n_config_bytes, tern_tokenizer **out)
{
    tern_status st = TERN_OK;
    settings s = { 0 };
    json_t *parsed = NULL, *parsed_config = NULL;
    if (!json || !out)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_tokenizer_from_json: no text, or no place for the tokenizer");
    TERN_TRY(tern_json_parse_repeats(ctx, "tokenizer.json", json, n_bytes, &parsed));
    if (config) TERN_TRY(tern_json_parse_repeats(ctx, "tokenizer_config.json", config, n_config_bytes, &parsed_config));
    s.config = settings_merge(parsed_config, NULL);
    parsed_config = NULL;
    if (!s.config) TERN_TRY(tern_fail(ctx, TERN_ERR_MEMORY, "no memory for tokenizer_config.json"));
    s.class = class_choose(s.config, NULL, parsed);
    st = build(ctx, &s, parsed, out);
    if (st) tern_fail_in(ctx, st, "tokenizer.json: ");
done:
    json_decref(parsed);
    json_decref(parsed_config);
    settings_free(&s);
    return st;
}
