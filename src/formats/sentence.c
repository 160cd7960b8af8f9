/* modules.json and its modules: see sentence.h. Called by the embedder. */
#include "formats/sentence.h"

#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/file.h"
#include "base/json.h"

enum { MOST_JSON_BYTES = 1 << 20 };

static bool is_module(const char *type, const char *name)
{
    const char *last = strrchr(type, '.');
    return !strcmp(last ? last + 1 : type, name);
}

static tern_status read_pooling(tern_ctx *ctx, const char *dir, const char *path, tern_sentence *s)
{
    static const struct { const char *key, *name; } modes[] = {
        { "pooling_mode_cls_token", "cls" }, { "pooling_mode_mean_tokens", "mean" }, { "pooling_mode_max_tokens", "max" }, { "pooling_mode_lasttoken", "last" },
        { "pooling_mode_mean_sqrt_len_tokens", NULL }, { "pooling_mode_weightedmean_tokens", NULL },
    };
    tern_status st = TERN_OK;
    char file[512];
    json_t *config = NULL;
    int on = 0;
    snprintf(file, sizeof file, "%s/config.json", path);
    TERN_TRY(tern_json_read(ctx, dir, file, MOST_JSON_BYTES, &config));
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (!json_is_true(json_object_get(config, modes[i].key))) continue;
        if (!modes[i].name || on++) {
            st = tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s/%s: \"%s\" is true%s", dir, file, modes[i].key, modes[i].name ? " beside another pooling mode" : ", which is no pooling that is supported");
            goto done;
        }
        snprintf(s->pooling, sizeof s->pooling, "%s", modes[i].name);
    }
    const char *mode = json_string_value(json_object_get(config, "pooling_mode"));
    if (mode && !on) snprintf(s->pooling, sizeof s->pooling, "%s", !strcmp(mode, "lasttoken") ? "last" : mode);
    if (!s->pooling[0]) st = tern_fail(ctx, TERN_ERR_FORMAT, "%s/%s: no pooling mode is true", dir, file);
done:
    json_decref(config);
    return st;
}

static tern_status read_dense(tern_ctx *ctx, const char *dir, const char *path, tern_sentence *s)
{
    tern_status st = TERN_OK;
    char folder[4096];
    json_t *config = NULL;
    if (s->n_dense == TERN_MOST_DENSE) return tern_fail(ctx, TERN_ERR_LIMIT, "%s/modules.json: more than %d Dense modules", dir, TERN_MOST_DENSE);
    tern_dense_module *d = &s->dense[s->n_dense];
    if (snprintf(folder, sizeof folder, "%s/%s", dir, path) >= (int)sizeof folder) return tern_fail(ctx, TERN_ERR_LIMIT, "%s: the path is too long", dir);
    TERN_TRY(tern_json_read(ctx, folder, "config.json", MOST_JSON_BYTES, &config));
    const char *act = json_string_value(json_object_get(config, "activation_function"));
    d->tanh = act && is_module(act, "Tanh");
    if (act && !d->tanh && !is_module(act, "Identity")) {
        st = tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s/config.json: \"activation_function\" is \"%s\"; Tanh and Identity are supported", folder, act);
        goto done;
    }
    TERN_TRY(tern_checkpoint_open(ctx, folder, &d->file));
    s->n_dense++;
    TERN_TRY(tern_checkpoint_take(ctx, d->file, "linear.weight", &d->weight));
    if (tern_checkpoint_find(d->file, "linear.bias")) TERN_TRY(tern_checkpoint_take(ctx, d->file, "linear.bias", &d->bias));
    if (d->weight.rank != 2 || (d->bias.data && (d->bias.rank != 1 || d->bias.shape[0] != d->weight.shape[0])))
        st = tern_fail(ctx, TERN_ERR_FORMAT, "%s: linear.weight and linear.bias do not fit each other", folder);
done:
    json_decref(config);
    return st;
}

static tern_status read_module(tern_ctx *ctx, const char *dir, const json_t *module, tern_sentence *s)
{
    const char *type = json_string_value(json_object_get(module, "type")), *path = json_string_value(json_object_get(module, "path"));
    if (!type || !path) return tern_fail(ctx, TERN_ERR_FORMAT, "%s/modules.json: a module without \"type\" or \"path\"", dir);
    if (is_module(type, "Transformer")) return *path ? tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s/modules.json: the transformer is in \"%s\"; open that directory", dir, path) : TERN_OK;
    if (is_module(type, "Pooling")) return read_pooling(ctx, dir, path, s);
    if (is_module(type, "Dense")) return read_dense(ctx, dir, path, s);
    if (is_module(type, "Normalize")) {
        s->normalize = true;
        return TERN_OK;
    }
    return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s/modules.json: there is no module \"%s\" here", dir, type);
}

static tern_status read_prompts(tern_ctx *ctx, const char *dir, tern_sentence *s)
{
    json_t *config = NULL;
    if (!tern_file_exists(dir, "config_sentence_transformers.json")) return TERN_OK;
    tern_status st = tern_json_read(ctx, dir, "config_sentence_transformers.json", MOST_JSON_BYTES, &config);
    if (st) return st;
    json_t *prompts = json_object_get(config, "prompts");
    if (json_is_object(prompts)) s->prompts = json_incref(prompts);
    const char *name = json_string_value(json_object_get(config, "default_prompt_name"));
    snprintf(s->default_prompt, sizeof s->default_prompt, "%s", name ? name : "");
    json_decref(config);
    return TERN_OK;
}

tern_status tern_sentence_read(tern_ctx *ctx, const char *dir, tern_sentence *s)
{
    tern_status st = TERN_OK;
    json_t *modules = NULL, *limits = NULL;
    *s = (tern_sentence){ .found = tern_file_exists(dir, "modules.json") };
    if (s->found) {
        TERN_TRY(tern_json_read(ctx, dir, "modules.json", MOST_JSON_BYTES, &modules));
        for (size_t i = 0; i < json_array_size(modules); i++) TERN_TRY(read_module(ctx, dir, json_array_get(modules, i), s));
    }
    TERN_TRY(read_prompts(ctx, dir, s));
    if (tern_file_exists(dir, "sentence_bert_config.json")) {
        TERN_TRY(tern_json_read(ctx, dir, "sentence_bert_config.json", MOST_JSON_BYTES, &limits));
        json_int_t most = json_integer_value(json_object_get(limits, "max_seq_length"));
        s->max_tokens = most > 0 ? most : 0;
    }
done:
    json_decref(modules);
    json_decref(limits);
    if (st) tern_sentence_free(s);
    return st;
}

void tern_sentence_free(tern_sentence *s)
{
    for (size_t i = 0; i < s->n_dense; i++) tern_checkpoint_close(s->dense[i].file);
    json_decref(s->prompts);
    *s = (tern_sentence){ 0 };
}
