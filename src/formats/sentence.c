/* modules.json and config_sentence_transformers.json: see sentence.h. Called by the embedder, and
 * by whoever opens a checkpoint; calls the readers of the modules' own files. */
#include "formats/sentence.h"

#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/model_folder.h"
#include "formats/sentence_inside.h"

/* ---- Settings ---- */

tern_status settings_open(tern_ctx *ctx, const char *dir, const char *folder, const char *name, settings *out)
{
    char file[SENTENCE_PATH];
    *out = (settings){ .ctx = ctx };
    if (snprintf(file, sizeof file, "%s%s%s", folder, *folder ? "/" : "", name) >= (int)sizeof file ||
        snprintf(out->where, sizeof out->where, "%s/%s", dir, file) >= (int)sizeof out->where)
        return tern_fail(ctx, TERN_ERR_LIMIT, "%s: the path is too long", dir);
    tern_status st = tern_json_read(ctx, dir, file, SENTENCE_JSON_BYTES, &out->json);
    if (!st && !json_is_object(out->json))
        st = tern_fail(ctx, TERN_ERR_FORMAT, "%s: %s, not an object", out->where, tern_json_kind(out->json));
    if (st) settings_close(out);
    return st;
}

void settings_close(settings *s)
{
    json_decref(s->json);
    s->json = NULL;
}

static tern_status wrong_kind(const settings *s, const char *key, const json_t *value, const char *wanted)
{
    char shown[64];
    return tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: \"%s\" is %s, not %s", s->where, key,
                     tern_json_show(value, shown, sizeof shown), wanted);
}

/* The value of a key; null where it is absent or null. */
static const json_t *value_of(const settings *s, const char *key)
{
    const json_t *value = json_object_get(s->json, key);
    return json_is_null(value) ? NULL : value;
}

tern_status settings_bool(const settings *s, const char *key, bool *out)
{
    const json_t *value = value_of(s, key);
    if (!value) return TERN_OK;
    if (!json_is_boolean(value)) return wrong_kind(s, key, value, "true or false");
    *out = json_is_true(value);
    return TERN_OK;
}

tern_status settings_count(const settings *s, const char *key, int64_t *out)
{
    const json_t *value = value_of(s, key);
    if (!value) return TERN_OK;
    if (!json_is_integer(value) || json_integer_value(value) < 1)
        return wrong_kind(s, key, value, "a positive integer");
    *out = json_integer_value(value);
    return TERN_OK;
}

tern_status settings_text(const settings *s, const char *key, const char **out)
{
    const json_t *value = value_of(s, key);
    if (!value) return TERN_OK;
    if (!json_is_string(value)) return wrong_kind(s, key, value, "a string");
    *out = json_string_value(value);
    return TERN_OK;
}

static bool among(const char *word, const char *const *names)
{
    while (*names && strcmp(word, *names)) names++;
    return *names;
}

tern_status settings_known(const settings *s, const char *const *known, bool warn)
{
    for (void *at = json_object_iter(s->json); at; at = json_object_iter_next(s->json, at)) {
        const char *key = json_object_iter_key(at);
        if (among(key, known)) continue;
        if (!warn) return tern_fail(s->ctx, TERN_ERR_UNSUPPORTED, "%s: there is no setting \"%s\"", s->where, key);
        tern_log(s->ctx, TERN_LOG_WARNING, "%s: \"%s\" is no setting of this module, and is ignored", s->where, key);
    }
    return TERN_OK;
}

/* ---- modules.json ---- */

/* The class of a module's type, "sentence_transformers.models.Dense" or a path of later versions;
 * null: no class of sentence-transformers. */
static const char *class_of(const char *type)
{
    static const char package[] = "sentence_transformers.";
    return strncmp(type, package, sizeof package - 1) ? NULL : strrchr(type, '.') + 1;
}

/* A row of modules.json: its class and folder. */
static tern_status read_row(tern_ctx *ctx, const char *dir, const json_t *row, const char **class, const char **folder)
{
    const char *type = json_string_value(json_object_get(row, "type"));
    *folder = json_string_value(json_object_get(row, "path"));
    if (!type || !*folder)
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s/modules.json: a module without \"type\" or \"path\"", dir);
    *class = class_of(type);
    if (!*class)
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED,
                         "%s/modules.json: the module \"%s\" is code of its own, which is never executed", dir, type);
    if (tern_folder_leads_out(*folder))
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s/modules.json: the path \"%s\" leads out of the directory", dir,
                         *folder);
    return TERN_OK;
}

static tern_status read_modules_json(tern_ctx *ctx, const char *dir, json_t **out)
{
    tern_status st = tern_json_read(ctx, dir, "modules.json", SENTENCE_JSON_BYTES, out);
    if (!st && !json_array_size(*out))
        st = tern_fail(ctx, TERN_ERR_FORMAT, "%s/modules.json: %s, not a list of modules", dir,
                       json_is_array(*out) ? "an empty list" : tern_json_kind(*out));
    return st;
}

/* Modules are known by name, and one that comes twice would take the other's place. */
static tern_status check_name(tern_ctx *ctx, const char *dir, const json_t *modules, size_t i)
{
    const char *name = json_string_value(json_object_get(json_array_get(modules, i), "name"));
    if (!name) return tern_fail(ctx, TERN_ERR_FORMAT, "%s/modules.json: a module without \"name\"", dir);
    for (size_t k = 0; k < i; k++)
        if (!strcmp(name, json_string_value(json_object_get(json_array_get(modules, k), "name"))))
            return tern_fail(ctx, TERN_ERR_FORMAT, "%s/modules.json: two modules have the name \"%s\"", dir, name);
    return TERN_OK;
}

static tern_status read_modules(tern_ctx *ctx, const char *dir, const json_t *modules, tern_sentence *s)
{
    tern_status st = TERN_OK;
    size_t n = json_array_size(modules);
    if (n > TERN_MOST_MODULES)
        return tern_fail(ctx, TERN_ERR_LIMIT, "%s/modules.json: %zu modules, more than the %d that are supported", dir,
                         n, TERN_MOST_MODULES);
    s->module = tern_alloc(ctx, n, sizeof *s->module, "modules");
    if (!s->module) return TERN_ERR_MEMORY;
    for (size_t i = 0; i < n; i++) {
        const char *class = "", *folder = "";
        bool computes = true;
        TERN_TRY(read_row(ctx, dir, json_array_get(modules, i), &class, &folder));
        TERN_TRY(check_name(ctx, dir, modules, i));
        if (!strcmp(class, "Transformer") != !i) {
            st = tern_fail(ctx, TERN_ERR_UNSUPPORTED,
                           "%s/modules.json: module %zu is \"%s\"; a list begins with its one Transformer", dir, i,
                           class);
            goto done;
        }
        if (!i) {
            TERN_TRY(sentence_transformer_read(ctx, dir, folder, s));
            continue;
        }
        st = sentence_module_read(ctx, dir, folder, class, &s->module[s->n_module], &computes);
        s->n_module += computes;    /* one that failed is freed with the others */
        if (st) goto done;
    }
done:
    return st;
}

/* ---- config_sentence_transformers.json ---- */

static tern_status read_prompts(const settings *c, tern_sentence *s)
{
    tern_status st = TERN_OK;
    const char *name = NULL, *key;
    json_t *prompts = json_object_get(c->json, "prompts"), *text;
    if (prompts && !json_is_null(prompts) && !json_is_object(prompts))
        return tern_fail(c->ctx, TERN_ERR_FORMAT, "%s: \"prompts\" is %s, not an object", c->where,
                         tern_json_kind(prompts));
    json_object_foreach(prompts, key, text)
    {
        if (!json_is_string(text) && !json_is_null(text))
            return tern_fail(c->ctx, TERN_ERR_FORMAT, "%s: the prompt \"%s\" is %s, not a string", c->where, key,
                             tern_json_kind(text));
        if (json_string_length(text) != strlen(json_is_string(text) ? json_string_value(text) : ""))
            return tern_fail(c->ctx, TERN_ERR_FORMAT, "%s: the prompt \"%s\" contains NUL", c->where, key);
    }
    if (json_is_object(prompts)) s->prompts = json_incref(prompts);
    TERN_TRY(settings_text(c, "default_prompt_name", &name));
    if (!name) return TERN_OK;
    if (!json_object_get(prompts, name) && strcmp(name, "query") && strcmp(name, "document"))
        return tern_fail(c->ctx, TERN_ERR_FORMAT,
                         "%s: \"default_prompt_name\" is \"%s\", and there is no prompt of that name", c->where, name);
    s->default_prompt = tern_strdup(c->ctx, name);
    if (!s->default_prompt) st = TERN_ERR_MEMORY;
done:
    return st;
}

/* A name that the reference does not have is passed over there, too. */
static tern_status read_similarity(const settings *c, tern_sentence *s)
{
    static const char *const names[] = { "cosine", "dot", "euclidean", "manhattan", NULL };
    const char *name = NULL;
    tern_status st = settings_text(c, "similarity_fn_name", &name);
    for (size_t i = 0; name && names[i]; i++)
        if (!strcmp(name, names[i])) s->similarity = names[i];
    if (!st && name && !among(name, names))
        tern_log(c->ctx, TERN_LOG_WARNING,
                 "%s: there is no similarity function \"%s\"; vectors are compared by the cosine", c->where, name);
    return st;
}

static tern_status read_type(const settings *c, tern_sentence *s)
{
    const char *type = NULL;
    tern_status st = settings_text(c, "model_type", &type);
    if (st || !type || !strcmp(type, "SentenceTransformer")) return st;
    s->cross_encoder = !strcmp(type, "CrossEncoder");
    return s->cross_encoder
               ? TERN_OK
               : tern_fail(
                     c->ctx, TERN_ERR_UNSUPPORTED,
                     "%s: \"model_type\" is \"%s\", which is not supported; SentenceTransformer and CrossEncoder are",
                     c->where, type);
}

static tern_status read_config(tern_ctx *ctx, const char *dir, tern_sentence *s)
{
    tern_status st = TERN_OK;
    const char *activation = NULL;
    settings c;
    if (!tern_file_exists(dir, "config_sentence_transformers.json")) return TERN_OK;
    TERN_TRY(settings_open(ctx, dir, "", "config_sentence_transformers.json", &c));
    st = read_type(&c, s);
    if (!st) st = read_prompts(&c, s);
    if (!st) st = read_similarity(&c, s);
    if (!st) st = settings_count(&c, "truncate_dim", &s->truncate_dim);
    if (!st && s->cross_encoder) st = settings_text(&c, "activation_fn", &activation);
    if (!st && activation && !(s->activation = tern_strdup(ctx, activation))) st = TERN_ERR_MEMORY;
    settings_close(&c);
done:
    return st;
}

/* The reference reads these only beside modules.json: a directory that lacks it alone is seldom
 * meant so. */
static void tell_unread(tern_ctx *ctx, const char *dir)
{
    static const char *const files[] = { "config_sentence_transformers.json", "sentence_bert_config.json",
                                         "1_Pooling/config.json" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (tern_file_exists(dir, files[i]))
            tern_log(ctx, TERN_LOG_INFO, "%s/%s: not read, as there is no modules.json", dir, files[i]);
}

tern_status tern_sentence_read(tern_ctx *ctx, const char *dir, tern_sentence *s)
{
    tern_status st = TERN_OK;
    json_t *modules = NULL;
    *s = (tern_sentence){ .found = tern_file_exists(dir, "modules.json"), .similarity = "cosine" };
    if (!s->found) {
        tell_unread(ctx, dir);
        return TERN_OK;
    }
    TERN_TRY(read_config(ctx, dir, s));
    TERN_TRY(read_modules_json(ctx, dir, &modules));
    TERN_TRY(read_modules(ctx, dir, modules, s));
done:
    json_decref(modules);
    if (st) tern_sentence_free(s);
    return st;
}

void tern_sentence_free(tern_sentence *s)
{
    for (size_t i = 0; i < s->n_module; i++) tern_checkpoint_close(s->module[i].file);
    tern_free(s->module);
    tern_free(s->default_prompt);
    tern_free(s->activation);
    json_decref(s->prompts);
    *s = (tern_sentence){ 0 };
}
