/* Makes a template from text or from a checkpoint directory. Called by users (tern/template.h);
 * parsing is parse.c's. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/ctx.h"
#include "base/directory.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/stand_in.h"
#include "text/template/template.h"
#include "text/tokenizer/special.h"

enum { MAX_TEMPLATE_BYTES = 16 << 20, MAX_CONFIG_BYTES = 16 << 20, MAX_VARIANTS = 64, MAX_TREE_BYTES = 1 << 30 };

#define CONFIG "tokenizer_config.json"
#define EXTRA_DIR "additional_chat_templates"
#define LEGACY "chat_template.json"

static tern_status template_new(tern_ctx *ctx, tern_template **out)
{
    tern_template *t = tern_alloc(ctx, 1, sizeof *t, "a chat template");
    if (!t) return TERN_ERR_MEMORY;
    t->ctx = ctx;
    t->pool = (tpl_pool){ .ctx = ctx, .max_bytes = MAX_TREE_BYTES, .max_work = UINT64_MAX,
                          .max_text_bytes = MAX_TEMPLATE_BYTES };
    *out = t;
    tern_template_limit(t, &(tern_template_limits){ 0 });
    t->variants = tpl_get(&t->pool, MAX_VARIANTS, sizeof *t->variants);
    return t->variants ? TERN_OK : t->pool.status;
}

/* Newlines become \n, and the last one goes, as Jinja reads a template. */
static tern_status copy_source(tern_template *t, tpl_variant *v, const char *text, size_t n_bytes)
{
    char *copy = NULL;
    size_t n = 0;
    if (n_bytes > MAX_TEMPLATE_BYTES)
        return tern_fail(t->ctx, TERN_ERR_LIMIT, "%s: %zu bytes, at most %d", v->label, n_bytes, MAX_TEMPLATE_BYTES);
    for (size_t i = 0; i < n_bytes;) {
        utf8proc_int32_t code;
        utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(n_bytes - i),
                                                 &code);
        if (used <= 0) return tern_fail(t->ctx, TERN_ERR_FORMAT, "%s: no UTF-8 at byte %zu", v->label, i);
        i += (size_t)used;
    }
    if (!(copy = tpl_get(&t->pool, n_bytes + 1, 1))) return t->pool.status;
    for (size_t i = 0; i < n_bytes; i++) {
        bool pair = text[i] == '\r' && i + 1 < n_bytes && text[i + 1] == '\n';
        if (!pair) copy[n++] = text[i] == '\r' ? '\n' : text[i];
    }
    if (n && copy[n - 1] == '\n') n--;
    copy[n] = 0;
    v->source = copy;
    v->n_bytes = (uint32_t)n;
    return TERN_OK;
}

static const char *keep(tern_template *t, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = tpl_get(&t->pool, n, 1);
    return copy ? memcpy(copy, text, n) : NULL;
}

static tern_status add_variant(tern_template *t, const char *name, const char *label, const char *text, size_t n_bytes)
{
    size_t i = 0;
    /* of two with one name the last counts, as in Python's dict */
    while (i < t->n_variants && strcmp(t->variants[i].name, name)) i++;
    if (i == MAX_VARIANTS) return tern_fail(t->ctx, TERN_ERR_LIMIT, "%s: more than %d templates", label, MAX_VARIANTS);
    tpl_variant *v = &t->variants[i];
    *v = (tpl_variant){ .name = keep(t, name), .label = keep(t, label) };
    if (!v->name || !v->label) return t->pool.status;
    tern_status st = copy_source(t, v, text, n_bytes);
    if (st == TERN_OK && i == t->n_variants) t->n_variants++;
    return st;
}

/* A template that is broken stays so: its sentence is kept, so that asking again costs nothing. */
tern_status tpl_compile(tern_template *t, tpl_variant *v)
{
    tern_status st = TERN_OK;
    if (v->parsed) return TERN_OK;
    if (v->broken) return tern_fail(t->ctx, v->broken, "%s", v->message);
    if (tpl_parse_variant(t->ctx, &t->pool, v, &st) || st == TERN_ERR_MEMORY) return st;
    if (!(v->message = keep(t, tern_ctx_error(t->ctx)))) return t->pool.status;
    return v->broken = st;
}

tern_status tern_template_parse(tern_ctx *ctx, const char *name, const char *text, size_t n_bytes, tern_template **out)
{
    tern_template *t = NULL;
    tern_status st;
    TERN_TRY(template_new(ctx, &t));
    TERN_TRY(add_variant(t, "default", name, text, n_bytes));
    TERN_TRY(tpl_compile(t, &t->variants[0]));
    *out = t;
    t = NULL;
done:
    tern_template_free(t);
    return st;
}

void tern_template_free(tern_template *t)
{
    if (!t) return;
    json_decref(t->special_tokens);
    tpl_pool_free(&t->pool);
    tern_free(t);
}

void tern_template_limit(tern_template *t, const tern_template_limits *limits)
{
    t->limits = *limits;
    if (!t->limits.steps) t->limits.steps = 20000000;
    if (!t->limits.output_bytes) t->limits.output_bytes = (size_t)64 << 20;
    if (!t->limits.memory_bytes) t->limits.memory_bytes = (size_t)512 << 20;
    if (!t->limits.depth) t->limits.depth = 1000;
    if (t->limits.output_bytes > UINT32_MAX / 2) t->limits.output_bytes = UINT32_MAX / 2;
}

/* ---- directories ---- */

static tern_status add_file(tern_template *t, const char *dir, const char *file, const char *name)
{
    char *text = NULL, label[512];
    size_t n_bytes;
    tern_status st;
    if (snprintf(label, sizeof label, "%s/%s", dir, file) >= (int)sizeof label)
        snprintf(label, sizeof label, "%s", file);
    TERN_TRY(tern_read_file(t->ctx, dir, file, MAX_TEMPLATE_BYTES, &text, &n_bytes));
    TERN_TRY(tern_check_not_page(t->ctx, label, text, n_bytes));
    st = add_variant(t, name, label, text, n_bytes);
done:
    tern_free(text);
    return st;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static tern_status add_extra_files(tern_template *t, const char *dir, bool *any)
{
    char path[PATH_MAX], *names[MAX_VARIANTS];
    size_t n = 0;
    tern_status st = TERN_OK;
    if (snprintf(path, sizeof path, "%s/%s", dir, EXTRA_DIR) >= (int)sizeof path)
        return tern_fail(t->ctx, TERN_ERR_IO, "%s: %s", dir, strerror(ENAMETOOLONG));
    DIR *folder = opendir(path);
    if (!folder)
        return errno == ENOENT || errno == ENOTDIR ? TERN_OK
                                                   : tern_fail(t->ctx, TERN_ERR_IO, "%s: %s", path, strerror(errno));
    for (struct dirent *entry; (entry = readdir(folder)) && st == TERN_OK;) {
        size_t length = strlen(entry->d_name);
        if (length <= 6 || strcmp(entry->d_name + length - 6, ".jinja")) continue;
        if (n == MAX_VARIANTS) st = tern_fail(t->ctx, TERN_ERR_LIMIT, "%s: more than %d templates", path, MAX_VARIANTS);
        else if (!(names[n] = tern_strndup(t->ctx, entry->d_name, length - 6))) st = TERN_ERR_MEMORY;
        else n++;
    }
    closedir(folder);
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n && st == TERN_OK; i++) {
        snprintf(path, sizeof path, "%s/%s.jinja", EXTRA_DIR, names[i]);
        st = add_file(t, dir, path, names[i]);
        *any = true;
    }
    for (size_t i = 0; i < n; i++) tern_free(names[i]);
    return st;
}

/* {name: template}, which a list of {name, template} becomes in transformers. */
static tern_status add_by_name(tern_template *t, const char *dir, const json_t *given)
{
    char label[512];
    const char *name;
    json_t *text;
    tern_status st = TERN_OK;
    t->named = true;
    json_object_foreach((json_t *)given, name, text) {
        tern_show(label, sizeof label, "%s/%s: chat_template '%s'", dir, CONFIG, TERN_SHOWN(name));
        if (!json_is_string(text))
            return tern_fail(t->ctx, TERN_ERR_FORMAT, "%s is %s, not a string", label, tern_json_kind(text));
        TERN_TRY(add_variant(t, name, label, json_string_value(text), json_string_length(text)));
    }
done:
    return st;
}

/* tokenizer_config.json's own: a string, a list of {name, template}, or an object. */
static tern_status add_configured(tern_template *t, const char *dir, const json_t *config)
{
    char label[512];
    const json_t *given = json_object_get(config, "chat_template"), *entry;
    size_t i;
    snprintf(label, sizeof label, "%s/%s: chat_template", dir, CONFIG);
    if (!given || json_is_null(given)) return TERN_OK;
    if (json_is_string(given))
        return add_variant(t, "default", label, json_string_value(given), json_string_length(given));
    if (json_is_object(given)) return add_by_name(t, dir, given);
    if (!json_is_array(given))
        return tern_fail(t->ctx, TERN_ERR_FORMAT, "%s is %s, not a string, a list or an object", label,
                         tern_json_kind(given));
    t->named = true;
    json_array_foreach(given, i, entry) {
        const json_t *name = json_object_get(entry, "name"), *text = json_object_get(entry, "template");
        if (!json_is_string(name) || !json_is_string(text))
            return tern_fail(t->ctx, TERN_ERR_FORMAT, "%s[%zu]: \"name\" and \"template\" must be strings", label, i);
        tern_show(label, sizeof label, "%s/%s: chat_template '%s'", dir, CONFIG, TERN_SHOWN(json_string_value(name)));
        tern_status st = add_variant(t, json_string_value(name), label, json_string_value(text),
                                     json_string_length(text));
        if (st) return st;
    }
    return TERN_OK;
}

/* What processors were saved with before chat_template.jinja: {"chat_template": "..."}. */
static tern_status add_legacy_file(tern_template *t, const char *dir)
{
    json_t *file = NULL;
    char label[512];
    tern_status st;
    snprintf(label, sizeof label, "%s/%s", dir, LEGACY);
    TERN_TRY(tern_json_read(t->ctx, dir, LEGACY, MAX_TEMPLATE_BYTES, &file));
    const json_t *given = json_object_get(file, "chat_template");
    if (json_is_string(given))
        st = add_variant(t, "default", label, json_string_value(given), json_string_length(given));
    else
        st = tern_fail(t->ctx, TERN_ERR_FORMAT, "%s: \"chat_template\" is %s, not a string", label,
                       given ? tern_json_kind(given) : "not there");
done:
    json_decref(file);
    return st;
}

/* Whether a template names a special token that is not among tokens. */
static bool lacks_token(const tern_template *t, const json_t *tokens)
{
    static const char *const names[] = { "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
                                         "mask_token" };
    for (size_t v = 0; v < t->n_variants; v++)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (!json_object_get(tokens, names[i]) && strstr(t->variants[v].source, names[i])) return true;
    return false;
}

/* The special tokens of dir. Its tokenizer, which may be large, is read only where a template wants
 * more than the configuration says. */
static tern_status take_tokens(tern_template *t, const char *dir)
{
    json_t *tokens = NULL;
    tern_status st = tokenizer_special_tokens(t->ctx, dir, false, &tokens);
    if (!st && lacks_token(t, tokens) && tern_directory_has_tokenizer(t->ctx, dir)) {
        json_decref(tokens);
        tokens = NULL;
        st = tokenizer_special_tokens(t->ctx, dir, true, &tokens);
    }
    if (st) return st;
    json_decref(t->special_tokens);
    t->special_tokens = tokens;
    return TERN_OK;
}

static tern_status read_config(tern_template *t, const char *dir)
{
    json_t *config = NULL;
    tern_status st = TERN_OK;
    if (!tern_file_exists(dir, CONFIG)) return st;
    st = tern_json_read_repeats(t->ctx, dir, CONFIG, MAX_CONFIG_BYTES, &config);    /* as the tokenizer reads it */
    if (st == TERN_OK) st = add_configured(t, dir, config);
    json_decref(config);
    return st;
}

tern_status tern_template_take_tokens(tern_template *t, const char *dir)
{
    tern_status st = tern_directory_there(t->ctx, dir);
    return st ? st : take_tokens(t, dir);
}

tern_status tern_template_open(tern_ctx *ctx, const char *dir, tern_template **out)
{
    tern_template *t = NULL;
    tern_status st;
    bool extra = false;
    TERN_TRY(tern_directory_there(ctx, dir));
    TERN_TRY(template_new(ctx, &t));
    if (tern_file_exists(dir, "chat_template.jinja")) TERN_TRY(add_file(t, dir, "chat_template.jinja", "default"));
    TERN_TRY(add_extra_files(t, dir, &extra));
    t->named = extra;
    if (!t->n_variants) TERN_TRY(read_config(t, dir));
    if (!t->n_variants && tern_file_exists(dir, LEGACY)) TERN_TRY(add_legacy_file(t, dir));
    TERN_TRY(take_tokens(t, dir));
    if (t->n_variants && !t->named) TERN_TRY(tpl_compile(t, &t->variants[0]));
    *out = t->n_variants ? t : NULL;
    if (t->n_variants) t = NULL;
done:
    tern_template_free(t);
    return st;
}
