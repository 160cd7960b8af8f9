/* Opening a tokenizer from a checkpoint directory or from text: see tern/tokenizer.h. Calls the loaders. */
#include <string.h>

#include "base/ctx.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/model_folder.h"
#include "text/tokenizer/tok.h"

static const size_t max_json_bytes = (size_t)512 << 20, max_config_bytes = (size_t)16 << 20;

static tern_status open_json(tern_tokenizer *tok, const char *dir)
{
    tern_status st = TERN_OK;
    json_t *json = NULL;
    TERN_TRY(tern_json_read(tok->ctx, dir, "tokenizer.json", max_json_bytes, &json));
    st = tokenizer_load_json(tok, json);
    if (st) tern_fail_in(tok->ctx, st, "%s/tokenizer.json: ", dir);
done:
    json_decref(json);
    return st;
}

static tern_status open_sentencepiece(tern_tokenizer *tok, const char *dir, const json_t *config)
{
    tern_map map = { 0 };
    tern_status st = tern_map_file(tok->ctx, dir, "tokenizer.model", &map);
    if (st) return st;
    st = tokenizer_load_sentencepiece(tok, map.data, map.n_bytes, config);
    if (st) tern_fail_in(tok->ctx, st, "%s/tokenizer.model: ", dir);
    tern_map_close(&map);
    return st;
}

static tern_status open_model(tern_tokenizer *tok, const char *dir, const json_t *config)
{
    if (tern_file_exists(dir, "tokenizer.json")) return open_json(tok, dir);
    if (tern_file_exists(dir, "tokenizer.model")) return open_sentencepiece(tok, dir, config);
    if (tern_file_exists(dir, "vocab.json")) return tokenizer_load_bpe_files(tok, dir, config);
    if (tern_file_exists(dir, "vocab.txt")) return tokenizer_load_wordpiece_files(tok, dir, config);
    return tern_fail(tok->ctx, TERN_ERR_IO, "%s: has none of tokenizer.json, tokenizer.model, vocab.json and vocab.txt", dir);
}

static tern_status read_config(tern_ctx *ctx, const char *dir, const char *name, json_t **out)
{
    return tern_file_exists(dir, name) ? tern_json_read(ctx, dir, name, max_config_bytes, out) : TERN_OK;
}

tern_status tern_tokenizer_open(tern_ctx *ctx, const char *dir, tern_tokenizer **out)
{
    tern_status st = TERN_OK;
    tern_tokenizer *tok = NULL;
    json_t *config = NULL, *map = NULL;
    char *folder = NULL;
    if (!dir || !out) return tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_tokenizer_open: no directory, or no place for the tokenizer");
    TERN_TRY(tern_model_folder(ctx, dir, &folder));
    dir = folder;
    TERN_TRY(read_config(ctx, dir, "tokenizer_config.json", &config));
    TERN_TRY(read_config(ctx, dir, "special_tokens_map.json", &map));
    TERN_TRY(tokenizer_new(ctx, &tok));
    if (!config) config = json_object();
    json_object_update_missing(config, map);
    TERN_TRY(open_model(tok, dir, config));
    TERN_TRY(tokenizer_finish(tok));
    TERN_TRY(tokenizer_load_roles(tok, config));
    *out = tok;
    tok = NULL;
done:
    json_decref(config);
    json_decref(map);
    tern_free(folder);
    tern_tokenizer_free(tok);
    return st;
}

tern_status tern_tokenizer_from_json(tern_ctx *ctx, const char *json, size_t n_bytes, const char *config, size_t n_config_bytes, tern_tokenizer **out)
{
    tern_status st = TERN_OK;
    tern_tokenizer *tok = NULL;
    json_t *parsed = NULL, *parsed_config = NULL;
    if (!json || !out) return tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_tokenizer_from_json: no text, or no place for the tokenizer");
    TERN_TRY(tern_json_parse(ctx, "tokenizer.json", json, n_bytes, &parsed));
    if (config) TERN_TRY(tern_json_parse(ctx, "tokenizer_config.json", config, n_config_bytes, &parsed_config));
    TERN_TRY(tokenizer_new(ctx, &tok));
    st = tokenizer_load_json(tok, parsed);
    if (!st) st = tokenizer_finish(tok);
    if (st) {
        tern_fail_in(ctx, st, "tokenizer.json: ");
        goto done;
    }
    TERN_TRY(tokenizer_load_roles(tok, parsed_config));
    *out = tok;
    tok = NULL;
done:
    json_decref(parsed);
    json_decref(parsed_config);
    tern_tokenizer_free(tok);
    return st;
}
