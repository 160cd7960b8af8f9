/* Field tables in action: see fields.h. Called by config.c, moe_config.c, engine_config.c and by
 * the generic run of ops. */
#include "ops/fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/nearest.h"

const field *fields_find(const field *fields, const char *name)
{
    for (const field *f = fields; f->name; f++)
        if (!strcmp(f->name, name) || (f->alias && !strcmp(f->alias, name))) return f;
    return NULL;
}

const char *field_name_of(const field_name *names, int value)
{
    for (; names->name; names++)
        if (names->value == value) return names->name;
    return "?";
}

static tern_status wrong_kind(tern_ctx *ctx, const char *what, const field *f, const json_t *value, const char *wanted)
{
    char shown[64];
    return tern_fail(ctx, TERN_ERR_FORMAT, "%s: %s is %s (%s), not %s", what, f->name, tern_json_kind(value),
                     tern_json_show(value, shown, sizeof shown), wanted);
}

/* "GELU, ReLU or SILU", cut where it gets long. */
static void list_names(const field_name *names, char *text, size_t size)
{
    size_t n = 0;
    text[0] = 0;
    for (const field_name *p = names; p->name && n + 4 < size; p++) {
        const char *joint = p[1].name ? ", " : " or ";
        n += tern_show(text + n, size - n, "%s%s", p == names ? "" : joint, p->name);
    }
}

static tern_status read_enum(tern_ctx *ctx, const char *what, const json_t *value, const field *f, int *into)
{
    char list[400], shown[64];
    for (const field_name *p = f->names; p->name; p++) {
        bool hit = json_is_string(value) ? !strcmp(json_string_value(value), p->name)
                                         : json_is_integer(value) && json_integer_value(value) == p->value;
        if (!hit) continue;
        *into = p->value;
        return TERN_OK;
    }
    if (!json_is_string(value) && !json_is_integer(value)) return wrong_kind(ctx, what, f, value, "a name");
    list_names(f->names, list, sizeof list);
    return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: %s is %s; it may be %s", what, f->name,
                     tern_json_show(value, shown, sizeof shown), list);
}

static tern_status check_range(tern_ctx *ctx, const char *what, const field *f, double v)
{
    if (!isfinite(v)) return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: %s is %g, not a finite number", what, f->name, v);
    if (f->min == 0 && f->max == 0) return TERN_OK;
    if (v >= f->min && v <= f->max) return TERN_OK;
    return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: %s is %.17g, not from %.17g to %.17g", what, f->name, v, f->min,
                     f->max);
}

static tern_status read_text(tern_ctx *ctx, const char *what, const json_t *value, const field *f, char *into)
{
    if (json_is_null(value)) {
        into[0] = 0;
        return TERN_OK;
    }
    if (!json_is_string(value)) return wrong_kind(ctx, what, f, value, "a string");
    if (json_string_length(value) >= TERN_TEXT_BYTES)
        return tern_fail(ctx, TERN_ERR_LIMIT, "%s: %s has %zu bytes, more than %d", what, f->name,
                         json_string_length(value), TERN_TEXT_BYTES - 1);
    memcpy(into, json_string_value(value), json_string_length(value) + 1);
    return TERN_OK;
}

static tern_status read_ints(tern_ctx *ctx, const char *what, const json_t *value, const field *f, tern_int_list *into)
{
    if (!json_is_array(value)) return wrong_kind(ctx, what, f, value, "a list of integers");
    if (json_array_size(value) > TERN_MOST_INTS)
        return tern_fail(ctx, TERN_ERR_LIMIT, "%s: %s has %zu numbers, more than %d", what, f->name,
                         json_array_size(value), TERN_MOST_INTS);
    into->n = (int64_t)json_array_size(value);
    for (int64_t i = 0; i < into->n; i++) {
        const json_t *item = json_array_get(value, (size_t)i);
        if (!json_is_integer(item)) return wrong_kind(ctx, what, f, value, "a list of integers");
        into->value[i] = json_integer_value(item);
        tern_status st = check_range(ctx, what, f, (double)into->value[i]);
        if (st) return st;
    }
    return TERN_OK;
}

static tern_status read_json(tern_ctx *ctx, const char *what, const json_t *value, const field *f, char *into)
{
    if (json_is_null(value) || json_is_string(value)) return read_text(ctx, what, value, f, into);
    if (!json_is_object(value) && !json_is_array(value))
        return wrong_kind(ctx, what, f, value, "a string, an object or null");
    size_t n = json_dumpb(value, into, TERN_TEXT_BYTES - 1, JSON_COMPACT);
    if (!n) return tern_fail(ctx, TERN_ERR_MEMORY, "%s: no memory for %s", what, f->name);
    if (n >= TERN_TEXT_BYTES)
        return tern_fail(ctx, TERN_ERR_LIMIT, "%s: %s has %zu bytes, more than %d", what, f->name, n,
                         TERN_TEXT_BYTES - 1);
    into[n] = 0;
    return TERN_OK;
}

tern_status field_read(tern_ctx *ctx, const char *what, const json_t *value, const field *f, void *into)
{
    void *p = (char *)into + f->offset;
    switch (f->kind) {
    case FIELD_BOOL:
    case FIELD_NOT:
    case FIELD_IGNORED:
        if (!json_is_boolean(value)) return wrong_kind(ctx, what, f, value, "true or false");
        if (f->kind != FIELD_IGNORED) *(bool *)p = json_is_true(value) != (f->kind == FIELD_NOT);
        return TERN_OK;
    case FIELD_INT:
        if (!json_is_integer(value)) return wrong_kind(ctx, what, f, value, "an integer");
        *(int64_t *)p = json_integer_value(value);
        return check_range(ctx, what, f, (double)json_integer_value(value));
    case FIELD_NUMBER:
        if (!json_is_number(value)) return wrong_kind(ctx, what, f, value, "a number");
        *(double *)p = tern_json_number(value);
        return check_range(ctx, what, f, tern_json_number(value));
    case FIELD_ENUM: return read_enum(ctx, what, value, f, p);
    case FIELD_TEXT: return read_text(ctx, what, value, f, p);
    case FIELD_STRUCT:
        if (!json_is_object(value)) return wrong_kind(ctx, what, f, value, "an object");
        return fields_read(ctx, f->name, value, f->fields, TERN_CONFIG_STRICT, p);
    case FIELD_INTS: return read_ints(ctx, what, value, f, p);
    case FIELD_JSON: return read_json(ctx, what, value, f, p);
    case FIELD_NONE:
        if (json_is_null(value)) return TERN_OK;
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s: %s is %s; it may only be null, being an object of Python's",
                         what, f->name, tern_json_kind(value));
    }
    return TERN_OK;
}

static tern_status unknown_key(tern_ctx *ctx, const char *what, const char *key, const field *fields,
                               tern_config_mode mode)
{
    tern_nearest near = { .word = key };
    for (const field *f = fields; f->name; f++) {
        tern_nearest_offer(&near, f->name);
        if (f->alias) tern_nearest_offer(&near, f->alias);
    }
    if (mode == TERN_CONFIG_COMPATIBLE) {
        tern_log(ctx, TERN_LOG_WARNING, "%s: the unknown key \"%s\" is left out", what, key);
        return TERN_OK;
    }
    if (near.best)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: there is no \"%s\"; the nearest is \"%s\"", what, key, near.best);
    return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: there is no \"%s\"", what, key);
}

tern_status fields_read(tern_ctx *ctx, const char *what, const json_t *object, const field *fields,
                        tern_config_mode mode, void *into)
{
    const char *key;
    const json_t *value;
    void *at;
    if (!json_is_object(object))
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: is %s, not an object", what, tern_json_kind(object));
    for (at = json_object_iter((json_t *)object); at; at = json_object_iter_next((json_t *)object, at)) {
        key = json_object_iter_key(at);
        value = json_object_iter_value(at);
        const field *f = fields_find(fields, key);
        if (f && f->alias && !strcmp(key, f->alias) && json_object_get(object, f->name) &&
            !json_equal(value, json_object_get(object, f->name)))
            return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: \"%s\" and \"%s\" are the same field, and their values "
                             "differ", what, f->name, f->alias);
        tern_status st = f ? field_read(ctx, what, value, f, into) : unknown_key(ctx, what, key, fields, mode);
        if (st) return st;
    }
    return TERN_OK;
}

static json_t *write_ints(const tern_int_list *list)
{
    json_t *array = json_array();
    for (int64_t i = 0; array && i < list->n; i++) json_array_append_new(array, json_integer(list->value[i]));
    return array;
}

static json_t *write_one(const field *f, const void *from)
{
    const void *p = (const char *)from + f->offset;
    switch (f->kind) {
    case FIELD_BOOL: return json_boolean(*(const bool *)p);
    case FIELD_NOT: return json_boolean(!*(const bool *)p);
    case FIELD_INT: return json_integer(*(const int64_t *)p);
    case FIELD_NUMBER: return json_real(*(const double *)p);
    case FIELD_ENUM: return json_string(field_name_of(f->names, *(const int *)p));
    case FIELD_TEXT: return *(const char *)p ? json_string(p) : json_null();
    case FIELD_STRUCT: return fields_write(f->fields, p);
    case FIELD_INTS: return write_ints(p);
    case FIELD_JSON:
        if (*(const char *)p == '{' || *(const char *)p == '[') return json_loads(p, 0, NULL);
        return *(const char *)p ? json_string(p) : json_null();
    case FIELD_NONE: return json_null();
    case FIELD_IGNORED: break;
    }
    return NULL;
}

json_t *fields_write(const field *fields, const void *from)
{
    json_t *object = json_object();
    for (const field *f = fields; object && f->name; f++) {
        if (f->kind == FIELD_IGNORED) continue;
        if (!json_object_set_new(object, f->name, write_one(f, from))) continue;
        json_decref(object);
        object = NULL;
    }
    return object;
}

tern_status config_from_text(tern_ctx *ctx, const char *what, const char *text, size_t n_bytes, tern_config_mode mode,
                             config_reader *read, void *config)
{
    json_t *object = NULL;
    tern_status st = TERN_OK;
    if (!text || !config) return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: no text, or no config to read it into", what);
    TERN_TRY(tern_json_parse(ctx, what, text, n_bytes, &object));
    TERN_TRY(read(ctx, what, object, mode, config));
done:
    json_decref(object);
    return st;
}

tern_status config_from_path(tern_ctx *ctx, const char *what, const char *path, tern_config_mode mode,
                             config_reader *read, void *config)
{
    json_t *object = NULL;
    tern_status st = TERN_OK;
    if (!path || !config) return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: no path, or no config to read it into", what);
    TERN_TRY(tern_json_read(ctx, NULL, path, CONFIG_MOST_BYTES, &object));
    TERN_TRY(read(ctx, path, object, mode, config));
done:
    json_decref(object);
    return st;
}

tern_status fields_text(tern_ctx *ctx, json_t *object, char **text)
{
    const size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(17);
    size_t n = object ? json_dumpb(object, NULL, 0, flags) : 0;
    *text = n ? tern_alloc(ctx, n + 1, 1, "a config's text") : NULL;
    if (*text && json_dumpb(object, *text, n, flags) != n) {
        tern_free(*text);
        *text = NULL;
    }
    json_decref(object);
    return *text ? TERN_OK : tern_fail(ctx, TERN_ERR_MEMORY, "no memory for a config's text");
}
