/* Typed look-ups in a parsed config.json that keep what was asked for and what was wrong: see
 * hf_config.h. What was not looked up is found in hf_finish.c. */
#include "formats/hf_config.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "formats/hf_inside.h"

enum { MAX_CONFIG_BYTES = 8 << 20 };

static tern_status wrap(tern_ctx *ctx, const char *what, json_t *root, tern_hf_config **out)
{
    tern_status st = TERN_OK;
    tern_hf_config *c = tern_alloc(ctx, 1, sizeof *c, "a config");
    if (!c) return TERN_ERR_MEMORY;
    c->ctx = ctx;
    c->path = tern_strdup(ctx, what);
    c->asked = json_object();
    c->fallbacks = json_object();
    c->ignored = json_array();
    if (!c->path || !c->asked || !c->fallbacks || !c->ignored) {
        st = tern_fail(ctx, TERN_ERR_MEMORY, "%s: no memory to read it", what);
        goto done;
    }
    if (!json_is_object(root)) {
        st = tern_fail(ctx, TERN_ERR_FORMAT, "%s: %s, not an object", what, tern_json_kind(root));
        goto done;
    }
    c->root = json_incref(root);
    c->inner = json_object_get(root, TERN_HF_INNER);
    if (!json_is_object(c->inner)) c->inner = NULL;
    *out = c;
    c = NULL;
done:
    tern_hf_config_free(c);
    return st;
}

tern_status tern_hf_config_open(tern_ctx *ctx, const char *dir, const char *name, tern_hf_config **out)
{
    json_t *root;
    char path[800];
    tern_status st = tern_json_read(ctx, dir, name, MAX_CONFIG_BYTES, &root);
    if (st) return st;
    tern_show(path, sizeof path, "%s%s%s", dir ? dir : "", dir ? "/" : "", name);
    st = wrap(ctx, path, root, out);
    json_decref(root);
    return st;
}

tern_status tern_hf_config_parse(tern_ctx *ctx, const char *what, const char *text, size_t n_bytes,
                                 tern_hf_config **out)
{
    json_t *root;
    tern_status st = tern_json_parse(ctx, what, text, n_bytes, &root);
    if (st) return st;
    st = wrap(ctx, what, root, out);
    json_decref(root);
    return st;
}

void tern_hf_config_free(tern_hf_config *c)
{
    if (!c) return;
    tern_faults_free(&c->faults);
    json_decref(c->asked);
    json_decref(c->fallbacks);
    json_decref(c->ignored);
    json_decref(c->root);
    tern_free(c->path);
    tern_free(c);
}

void tern_hf_set_class(tern_hf_config *c, tern_hf_class the_class, bool strict)
{
    c->class = the_class;
    c->strict = strict;
}

/* The value at a dotted path below root, null where it is absent or null. With c, every object on
 * the way is noted as looked into, and the value as asked for. */
static json_t *walk(tern_hf_config *c, const char *prefix, json_t *root, const char *key)
{
    char path[TERN_HF_KEY_BYTES];
    size_t from = (size_t)snprintf(path, sizeof path, "%s", prefix), start = from;
    if (from + strlen(key) >= sizeof path) return NULL;
    strcpy(path + from, key);
    json_t *value = root;
    for (char *dot; (dot = strchr(path + start, '.')); start = (size_t)(dot - path) + 1) {
        *dot = 0;
        value = json_object_get(value, path + start);
        if (value && c && !json_object_get(c->asked, path) && json_object_set_new(c->asked, path, json_false()))
            c->faults.out_of_memory = true;
        *dot = '.';
    }
    value = json_object_get(value, path + start);
    if (value && c && json_object_set_new(c->asked, path, json_true())) c->faults.out_of_memory = true;
    return json_is_null(value) ? NULL : value;
}

/* Inner before outer; an outer value that says the same is explained by the inner one. */
static json_t *look(tern_hf_config *c, const char *key)
{
    json_t *inner = c->inner ? walk(c, TERN_HF_INNER ".", c->inner, key) : NULL;
    if (!inner) return walk(c, "", c->root, key);
    json_t *outer = walk(NULL, "", c->root, key);
    if (outer && json_equal(inner, outer)) walk(c, "", c->root, key);
    return inner;
}

bool tern_hf_has(const tern_hf_config *c, const char *key)
{
    return (c->inner && walk(NULL, "", c->inner, key)) || walk(NULL, "", c->root, key);
}

static bool null_in(const json_t *root, const char *key)
{
    for (const char *dot; (dot = strchr(key, '.')); key = dot + 1)
        root = json_object_getn(root, key, (size_t)(dot - key));
    return json_is_null(json_object_get(root, key));
}

bool tern_hf_is_null(const tern_hf_config *c, const char *key)
{
    return !tern_hf_has(c, key) && ((c->inner && null_in(c->inner, key)) || null_in(c->root, key));
}

/* The class's default of a key that is absent; null where it has none. Kept with the config, so
 * that it lives as long. */
static const json_t *fallback_of(tern_hf_config *c, const char *key)
{
    const char *text = NULL;
    if (!c->class.reads || tern_hf_is_null(c, key)) return NULL;
    json_t *known = json_object_get(c->fallbacks, key);
    if (!known) {
        c->class.reads(c->class.user, key, &text);
        if (!text) return NULL;
        if (tern_json_parse(c->ctx, "a class's default", text, strlen(text), &known) ||
            json_object_set_new(c->fallbacks, key, known)) {
            c->faults.out_of_memory = true;
            return NULL;
        }
    }
    return json_is_null(known) ? NULL : known;
}

/* The value of the file, or else the class's default. */
static const json_t *look_or_fallback(tern_hf_config *c, const char *key)
{
    const json_t *value = look(c, key);
    return value ? value : fallback_of(c, key);
}

/* A key may be asked for more than once: the same sentence is kept once. */
void tern_hf_refuse(tern_hf_config *c, tern_status status, const char *format, ...)
{
    char sentence[900];
    va_list args;
    va_start(args, format);
    tern_show_v(sentence, sizeof sentence, format, args);
    va_end(args);
    tern_clean_message(sentence);
    for (size_t i = 0; i < c->faults.count; i++)
        if (!strcmp(c->faults.sentences[i], sentence)) return;
    tern_faults_add(&c->faults, status, "%s", sentence);
}

/* "key" is 12, and must be an integer from 1 to 8 */
static bool wrong(tern_hf_config *c, tern_status status, const char *key, const json_t *value, const char *format,
                  ...) TERN_PRINTF(5, 6);

static bool wrong(tern_hf_config *c, tern_status status, const char *key, const json_t *value, const char *format, ...)
{
    char shown[120], wanted[512];
    va_list args;
    va_start(args, format);
    tern_show_v(wanted, sizeof wanted, format, args);
    va_end(args);
    if (!value) tern_hf_refuse(c, status, "\"%s\" is missing, and must be %s", key, wanted);
    else
        tern_hf_refuse(c, status, "\"%s\" is %s, and must be %s", key, tern_json_show(value, shown, sizeof shown),
                       wanted);
    return false;
}

static bool int_within(const json_t *value, int64_t lowest, int64_t highest)
{
    return json_is_integer(value) && json_integer_value(value) >= lowest && json_integer_value(value) <= highest;
}

static bool number_within(const json_t *value, double lowest, double highest)
{
    double number = tern_json_number(value);
    return json_is_number(value) && isfinite(number) && number >= lowest && number <= highest;
}

static bool get_int(tern_hf_config *c, const char *key, bool needed, int64_t lowest, int64_t highest, int64_t *out)
{
    const json_t *value = look_or_fallback(c, key);
    if (!value && !needed) return false;
    if (!int_within(value, lowest, highest))
        return wrong(c, TERN_ERR_FORMAT, key, value, "an integer from %lld to %lld", (long long)lowest,
                     (long long)highest);
    *out = json_integer_value(value);
    return true;
}

static bool get_number(tern_hf_config *c, const char *key, bool needed, double lowest, double highest, double *out)
{
    const json_t *value = look_or_fallback(c, key);
    if (!value && !needed) return false;
    if (!number_within(value, lowest, highest))
        return wrong(c, TERN_ERR_FORMAT, key, value, "a number from %g to %g", lowest, highest);
    *out = tern_json_number(value);
    return true;
}

bool tern_hf_int(tern_hf_config *c, const char *key, int64_t lowest, int64_t highest, int64_t *value)
{
    return get_int(c, key, false, lowest, highest, value);
}

bool tern_hf_need_int(tern_hf_config *c, const char *key, int64_t lowest, int64_t highest, int64_t *value)
{
    return get_int(c, key, true, lowest, highest, value);
}

bool tern_hf_number(tern_hf_config *c, const char *key, double lowest, double highest, double *value)
{
    return get_number(c, key, false, lowest, highest, value);
}

bool tern_hf_need_number(tern_hf_config *c, const char *key, double lowest, double highest, double *value)
{
    return get_number(c, key, true, lowest, highest, value);
}

bool tern_hf_bool(tern_hf_config *c, const char *key, bool *out)
{
    const json_t *value = look_or_fallback(c, key);
    if (!value) return false;
    if (!json_is_boolean(value)) return wrong(c, TERN_ERR_FORMAT, key, value, "true or false");
    *out = json_is_true(value);
    return true;
}

static int index_of(const json_t *value, const char *const *names, int n_names)
{
    for (int i = 0; i < n_names; i++) {
        if (json_is_string(value) && json_string_length(value) == strlen(names[i]) &&
            !strcmp(json_string_value(value), names[i]))
            return i;
    }
    return -1;
}

/* "a", "b" or "c" */
static const char *list_names(const char *const *names, int n_names, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < n_names && used + 4 < size; i++) {
        const char *between = i + 1 < n_names ? ", " : " or ";
        used += tern_show(text + used, size - used, "%s\"%s\"", i ? between : "", names[i]);
    }
    return text;
}

static bool get_choice(tern_hf_config *c, const char *key, bool needed, const char *const *names, int n_names, int *out)
{
    char allowed[400];
    const json_t *value = look_or_fallback(c, key);
    if (!value && !needed) return false;
    int i = index_of(value, names, n_names);
    if (i < 0) {
        tern_status status = json_is_string(value) ? TERN_ERR_UNSUPPORTED : TERN_ERR_FORMAT;
        return wrong(c, status, key, value, "%s", list_names(names, n_names, allowed, sizeof allowed));
    }
    *out = i;
    return true;
}

bool tern_hf_choice(tern_hf_config *c, const char *key, const char *const *names, int n_names, int *index)
{
    return get_choice(c, key, false, names, n_names, index);
}

bool tern_hf_need_choice(tern_hf_config *c, const char *key, const char *const *names, int n_names, int *index)
{
    return get_choice(c, key, true, names, n_names, index);
}

static bool is_plain_string(const json_t *value)
{
    return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value);
}

bool tern_hf_string(tern_hf_config *c, const char *key, const char **out)
{
    const json_t *value = look_or_fallback(c, key);
    if (!value) return false;
    if (!is_plain_string(value)) return wrong(c, TERN_ERR_FORMAT, key, value, "a string");
    *out = json_string_value(value);
    return true;
}

/* The list of a key, null where there is none or (a fault) none that fits. */
static const json_t *get_list(tern_hf_config *c, const char *key, size_t capacity, const char *what)
{
    const json_t *value = look(c, key);
    if (json_is_array(value) && json_array_size(value) <= capacity) return value;
    if (value) wrong(c, TERN_ERR_FORMAT, key, value, "%s of at most %zu elements", what, capacity);
    return NULL;
}

bool tern_hf_ints(tern_hf_config *c, const char *key, int64_t lowest, int64_t highest, int64_t *values, size_t capacity,
                  size_t *count)
{
    int64_t one = 0;
    size_t i;
    const json_t *element;
    if (json_is_integer(look(c, key))) {
        if (!capacity || !tern_hf_int(c, key, lowest, highest, &one)) return false;
        values[0] = one;
        *count = 1;
        return true;
    }
    const json_t *list = get_list(c, key, capacity, "an integer, or a list");
    if (!list) return false;
    json_array_foreach(list, i, element) {
        if (!int_within(element, lowest, highest)) {
            return wrong(c, TERN_ERR_FORMAT, key, list, "an integer, or a list of integers, from %lld to %lld",
                         (long long)lowest, (long long)highest);
        }
    }
    json_array_foreach(list, i, element) values[i] = json_integer_value(element);
    *count = json_array_size(list);
    return true;
}

bool tern_hf_numbers(tern_hf_config *c, const char *key, double lowest, double highest, double *values, size_t capacity,
                     size_t *count)
{
    size_t i;
    const json_t *element, *list = get_list(c, key, capacity, "a list");
    if (!list) return false;
    json_array_foreach(list, i, element) {
        if (!number_within(element, lowest, highest))
            return wrong(c, TERN_ERR_FORMAT, key, list, "a list of numbers from %g to %g", lowest, highest);
    }
    json_array_foreach(list, i, element) values[i] = tern_json_number(element);
    *count = json_array_size(list);
    return true;
}

bool tern_hf_choices(tern_hf_config *c, const char *key, const char *const *names, int n_names, int *indices,
                     size_t capacity, size_t *count)
{
    char allowed[400];
    size_t i;
    const json_t *element, *list = get_list(c, key, capacity, "a list");
    if (!list) return false;
    json_array_foreach(list, i, element) {
        if (index_of(element, names, n_names) < 0) {
            return wrong(c, TERN_ERR_UNSUPPORTED, key, list, "a list of %s",
                         list_names(names, n_names, allowed, sizeof allowed));
        }
    }
    json_array_foreach(list, i, element) indices[i] = index_of(element, names, n_names);
    *count = json_array_size(list);
    return true;
}

const char *tern_hf_architecture(tern_hf_config *c, size_t i)
{
    const json_t *list = walk(c, "", c->root, "architectures"), *name = json_array_get(list, i);
    if (list && (!json_is_array(list) || (name && !is_plain_string(name)))) {
        wrong(c, TERN_ERR_FORMAT, "architectures", list, "a list of class names");
        return NULL;
    }
    return json_string_value(name);
}

const json_t *tern_hf_value(tern_hf_config *c, const char *key)
{
    return look(c, key);
}

const char *tern_hf_ignored(const tern_hf_config *c, size_t i)
{
    return json_string_value(json_array_get(c->ignored, i));
}

const tern_faults *tern_hf_faults(const tern_hf_config *c)
{
    return &c->faults;
}

const char *tern_hf_path(const tern_hf_config *c)
{
    return c->path;
}

tern_ctx *tern_hf_ctx(const tern_hf_config *c)
{
    return c->ctx;
}
