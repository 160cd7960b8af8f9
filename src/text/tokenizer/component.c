/* Reading the parts of tokenizer.json: see component.h. Called by load.c through the four
 * subjects. */
#include "text/tokenizer/component.h"

#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer/charsmap.h"

enum { COMPONENTS_MOST = 1000, NEST_MOST = 16 };

static const char *type_of(const json_t *json)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    return type ? type : "?";
}

tern_status component_bool(tern_ctx *ctx, const json_t *json, const char *key, bool *out)
{
    const json_t *value = json_object_get(json, key);
    if (!value || json_is_null(value)) return TERN_OK;
    if (!json_is_boolean(value))
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: \"%s\" is %s, not a boolean", type_of(json), key,
                         tern_json_kind(value));
    *out = json_is_true(value);
    return TERN_OK;
}

tern_status component_size(tern_ctx *ctx, const json_t *json, const char *key, size_t *out)
{
    const json_t *value = json_object_get(json, key);
    if (!value || json_is_null(value)) return TERN_OK;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: \"%s\" is not a number of 0 or more", type_of(json), key);
    *out = (size_t)json_integer_value(value);
    return TERN_OK;
}

tern_status component_text(tern_ctx *ctx, const json_t *json, const char *key, char **out, size_t *n_bytes)
{
    const json_t *value = json_object_get(json, key);
    if (!value || json_is_null(value)) return TERN_OK;
    if (!json_is_string(value))
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: \"%s\" is %s, not a string", type_of(json), key,
                         tern_json_kind(value));
    tern_free(*out);
    *out = tern_strndup(ctx, json_string_value(value), json_string_length(value));
    *n_bytes = json_string_length(value);
    return *out ? TERN_OK : TERN_ERR_MEMORY;
}

tern_status component_word(tern_ctx *ctx, const json_t *json, const char *key, const char *const *names, size_t n,
                           int *out)
{
    const json_t *value = json_object_get(json, key);
    char shown[80];
    if (!value || json_is_null(value)) return TERN_OK;
    for (size_t i = 0; i < n; i++)
        if (json_is_string(value) && !strcmp(json_string_value(value), names[i])) {
            *out = (int)i;
            return TERN_OK;
        }
    return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s: \"%s\" is %s, which tern does not know", type_of(json), key,
                     tern_json_show(value, shown, sizeof shown));
}

tern_status ignored_add(tern_ctx *ctx, ignored_keys *ignored, const char *owner, const char *key)
{
    tern_status st = TERN_OK;
    size_t n = strlen(owner) + strlen(key) + 3;
    char *full_name = tern_alloc(ctx, n, 1, "a key's name");
    if (!full_name) return TERN_ERR_MEMORY;
    snprintf(full_name, n, "%s: %s", owner, key);
    for (size_t i = 0; i < ignored->n; i++)
        if (!strcmp(ignored->at[i], full_name)) goto done;
    TERN_TRY(tern_grow(ctx, (void **)&ignored->at, ignored->n + 1, sizeof *ignored->at, "ignored keys"));
    ignored->at[ignored->n++] = full_name;
    full_name = NULL;
done:
    tern_free(full_name);
    return st;
}

void ignored_free(ignored_keys *ignored)
{
    for (size_t i = 0; i < ignored->n; i++) tern_free(ignored->at[i]);
    tern_free(ignored->at);
    *ignored = (ignored_keys){ 0 };
}

static tern_status note_keys(tern_ctx *ctx, const component_kind *kind, const json_t *json, ignored_keys *ignored)
{
    tern_status st = TERN_OK;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value) {
        bool known = !strcmp(key, "type");
        for (size_t i = 0; kind->keys && kind->keys[i]; i++) known |= !strcmp(key, kind->keys[i]);
        if (!known) TERN_TRY(ignored_add(ctx, ignored, kind->type, key));
    }
done:
    return st;
}

static tern_status load_one(tern_ctx *ctx, const component_table *table, const json_t *json, ignored_keys *ignored,
                            components *list, int depth)
{
    tern_status st = TERN_OK;
    const char *type = json_string_value(json_object_get(json, "type"));
    const component_kind *kind = NULL;
    char shown[80];
    if (!type)
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: %s has no \"type\"", table->subject,
                         tern_json_show(json, shown, sizeof shown));
    if (!strcmp(type, "Sequence")) {
        const json_t *parts = json_object_get(json, table->list_key);
        if (!json_is_array(parts))
            return tern_fail(ctx, TERN_ERR_FORMAT, "%s Sequence: \"%s\" is not a list", table->subject,
                             table->list_key);
        if (depth == NEST_MOST)
            return tern_fail(ctx, TERN_ERR_FORMAT, "%s: sequences nested more than %d deep", table->subject, NEST_MOST);
        for (size_t i = 0; i < json_array_size(parts); i++)
            TERN_TRY(load_one(ctx, table, json_array_get(parts, i), ignored, list, depth + 1));
        return st;
    }
    for (size_t i = 0; i < table->n_kinds; i++)
        if (!strcmp(table->kinds[i].type, type)) kind = &table->kinds[i];
    if (!kind)
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "the %s \"%s\" is unknown", table->subject, TERN_SHOWN(type));
    if (list->n == COMPONENTS_MOST)
        return tern_fail(ctx, TERN_ERR_LIMIT, "%s: more than %d parts", table->subject, COMPONENTS_MOST);
    TERN_TRY(note_keys(ctx, kind, json, ignored));
    TERN_TRY(tern_grow(ctx, (void **)&list->at, list->n + 1, sizeof *list->at, "tokenizer components"));
    list->at[list->n] = (component){ .kind = kind };
    list->n++;
    if (kind->load) TERN_TRY(kind->load(ctx, json, &list->at[list->n - 1]));
done:
    return st;
}

tern_status components_load(tern_ctx *ctx, const component_table *table, const json_t *json, ignored_keys *ignored,
                            components *list)
{
    return !json || json_is_null(json) ? TERN_OK : load_one(ctx, table, json, ignored, list, 0);
}

static void free_template(template_part *parts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; parts[i].tokens && k < parts[i].n_ids; k++) tern_free(parts[i].tokens[k]);
        tern_free(parts[i].tokens);
        tern_free(parts[i].ids);
    }
    tern_free(parts);
}

void components_free(components *list)
{
    for (size_t i = 0; i < list->n; i++) {
        component *c = &list->at[i];
        pattern_free(c->match);
        tern_free(c->text);
        tern_free(c->word);
        charsmap_free(c->map);
        free_template(c->single, c->n_single);
        free_template(c->pair, c->n_pair);
    }
    tern_free(list->at);
    *list = (components){ 0 };
}
