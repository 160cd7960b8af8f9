/* How arguments meet parameters, the functions that every template has, and the look-up of filters,
 * tests and methods by name. */
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

/* what Python calls the place of transformers' functions */
#define LOCALS "_cached_compile_jinja_template.<locals>."

enum { MAX_RANGE = 100000 };      /* items of a range: the sandbox's limit */

/* The i-th of the blank-separated names; its length, 0 past the last. */
static size_t param(const char *names, uint32_t i, const char **name)
{
    for (; *names; names += strspn(names, " ")) {
        size_t n = strcspn(names, " ");
        *name = names;
        if (!i--) return n;
        names += n;
    }
    return 0;
}

bool tpl_bind(tpl_render *r, const char *who, const tpl_args *args, const char *names, int n_required, tpl_value *slots)
{
    const char *name = NULL;
    uint32_t n_names = 0;
    size_t n;
    while (param(names, n_names, &name)) slots[n_names++] = (tpl_value){ 0 };
    if (args->n > n_names)
        return tpl_raise(r, "TypeError", "%s() takes at most %u arguments (%u given)", who, n_names, args->n);
    for (uint32_t i = 0; i < args->n; i++) slots[i] = args->positional[i];
    for (uint32_t k = 0; k < args->n_keys; k++) {
        uint32_t i = 0;
        while ((n = param(names, i, &name)) && (strlen(args->keys[k]) != n || memcmp(args->keys[k], name, n))) i++;
        if (!n) return tpl_raise(r, "TypeError", "%s() got an unexpected keyword argument '%s'", who, args->keys[k]);
        if (slots[i].kind != TPL_MISSING)
            return tpl_raise(r, "TypeError", "%s() got multiple values for argument '%s'", who, args->keys[k]);
        slots[i] = args->keyword[k];
    }
    for (int i = 0; i < n_required; i++) {
        if (slots[i].kind != TPL_MISSING) continue;
        n = param(names, (uint32_t)i, &name);
        return tpl_raise(r, "TypeError", "%s() missing 1 required positional argument: '%.*s'", who, (int)n, name);
    }
    return true;
}

bool tpl_need_int(tpl_render *r, tpl_value v, int64_t fallback, int64_t *out)
{
    *out = fallback;
    if (v.kind == TPL_MISSING || v.kind == TPL_NONE) return true;
    if (!tpl_is_whole(v))
        return tpl_raise(r, "TypeError", "'%s' object cannot be interpreted as an integer", tpl_type_name(v));
    *out = tpl_whole(v);
    return true;
}

/* ---- functions ---- */

static bool raise_exception(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    tpl_value message;
    (void)self;
    (void)out;
    return tpl_bind(r, LOCALS "raise_exception", args, "message", 1, &message) && tpl_to_str(r, message, &message) &&
           tpl_raise_value(r, "TemplateError", message);
}

static bool strftime_now(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    tpl_value format;
    (void)self;
    if (!tpl_bind(r, LOCALS "strftime_now", args, "format", 1, &format)) return false;
    if (format.kind != TPL_STR)
        return tpl_raise(r, "TypeError", "strftime() argument 1 must be str, not %s", tpl_type_name(format));
    return tpl_strftime(r, format, out);
}

static bool range(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    int64_t bound[3] = { 0, 0, 1 };
    (void)self;
    if (args->n_keys) return tpl_raise(r, "TypeError", "range() takes no keyword arguments");
    if (!args->n) return tpl_raise(r, "TypeError", "range expected at least 1 argument, got 0");
    if (args->n > 3) return tpl_raise(r, "TypeError", "range expected at most 3 arguments, got %u", args->n);
    for (uint32_t i = 0; i < args->n; i++) {
        tpl_value v = args->positional[i];
        if (!tpl_is_whole(v))
            return tpl_raise(r, "TypeError", "'%s' object cannot be interpreted as an integer", tpl_type_name(v));
        bound[args->n == 1 ? 1 : i] = tpl_whole(v);
    }
    if (bound[2] == 0) return tpl_raise(r, "ValueError", "range() arg 3 must not be zero");
    tpl_range *made = tpl_get(&r->pool, 1, sizeof *made);
    if (!made) return false;
    bool up = bound[2] > 0, any = up ? bound[0] < bound[1] : bound[0] > bound[1];
    uint64_t span = up ? (uint64_t)bound[1] - (uint64_t)bound[0] : (uint64_t)bound[0] - (uint64_t)bound[1];
    uint64_t step = up ? (uint64_t)bound[2] : -(uint64_t)bound[2], n = any ? (span - 1) / step + 1 : 0;
    if (n > MAX_RANGE)
        return tpl_raise(r, "OverflowError", "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).",
                         MAX_RANGE);
    *made = (tpl_range){ bound[0], bound[1], bound[2], (int64_t)n };
    *out = (tpl_value){ .kind = TPL_RANGE, .range = made };
    return true;
}

/* What dict() and namespace() take: another mapping or pairs, then keywords. */
static bool fill_dict(tpl_render *r, const char *who, const tpl_args *args, tpl_dict *dict)
{
    tpl_value key;
    if (args->n > 1) return tpl_raise(r, "TypeError", "%s expected at most 1 argument, got %u", who, args->n);
    /* its .keys is asked for */
    if (args->n && args->positional[0].kind == TPL_UNDEFINED) return tpl_fail_undefined(r, args->positional[0]);
    if (args->n && args->positional[0].kind == TPL_DICT) {
        const tpl_dict *from = args->positional[0].dict;
        for (uint32_t i = 0; i < from->n; i++)
            if (!tpl_dict_set(&r->pool, dict, from->pairs[i].key, from->pairs[i].value)) return false;
    } else if (args->n) {
        tpl_array *pairs, *pair;
        if (!tpl_to_array(r, args->positional[0], &pairs)) return false;
        for (uint32_t i = 0; i < pairs->used; i++) {
            if (tpl_is_number(pairs->items[i]) || pairs->items[i].kind == TPL_NONE)
                return tpl_raise(r, "TypeError", "cannot convert dictionary update sequence element #%u to a sequence",
                                 i);
            if (!tpl_to_array(r, pairs->items[i], &pair)) return false;
            if (pair->used != 2)
                return tpl_raise(r, "ValueError", "dictionary update sequence element #%u has length %u; 2 is required",
                                 i, pair->used);
            if (!tpl_check_hashable(r, pair->items[0]) || !tpl_dict_set(&r->pool, dict, pair->items[0], pair->items[1]))
                return false;
        }
    }
    for (uint32_t i = 0; i < args->n_keys; i++)
        if (!tpl_str(&r->pool, args->keys[i], &key) || !tpl_dict_set(&r->pool, dict, key, args->keyword[i]))
            return false;
    return true;
}

static bool make_dict(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    tpl_dict *dict = tpl_dict_new(&r->pool);
    (void)self;
    *out = (tpl_value){ .kind = TPL_DICT, .dict = dict };
    return dict && fill_dict(r, "dict", args, dict);
}

static bool make_namespace(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    tpl_dict *dict = tpl_dict_new(&r->pool);
    (void)self;
    *out = (tpl_value){ .kind = TPL_NAMESPACE, .dict = dict };
    if (!dict || !fill_dict(r, "dict", args, dict)) return false;
    for (uint32_t i = 0; i < dict->n; i++) {
        tpl_value name = dict->pairs[i].key;
        if (name.kind == TPL_STR && name.n && tpl_data(name)[0] == '_')
            return tpl_raise(r, "SecurityError", "Chat templates cannot store underscore-prefixed attributes on a "
                             "namespace, but got '%.*s'. Please rename the attribute.",
                             (int)(name.n > 200 ? 200 : name.n), tpl_data(name));
    }
    return true;
}

/* Jinja's is random: no two renderings would be the same. */
static bool lipsum(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    (void)self;
    (void)args;
    (void)out;
    return tpl_refuse(r, "the function 'lipsum'");
}

static bool make_cycler(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    tpl_cycler *cycler = tpl_get(&r->pool, 1, sizeof *cycler);
    tpl_array *items = tpl_array_new(&r->pool, args->n);
    (void)self;
    if (!cycler || !items) return false;
    if (args->n_keys)
        return tpl_raise(r, "TypeError", "Cycler.__init__() got an unexpected keyword argument '%s'", args->keys[0]);
    if (!args->n) return tpl_raise(r, "RuntimeError", "at least one item has to be provided");
    for (uint32_t i = 0; i < args->n; i++)
        if (!tpl_append(&r->pool, items, args->positional[i])) return false;
    cycler->items = tpl_list_of(items, TPL_TUPLE);
    *out = (tpl_value){ .kind = TPL_CYCLER, .cycler = cycler };
    return true;
}

static bool make_joiner(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    tpl_cycler *joiner = tpl_get(&r->pool, 1, sizeof *joiner);
    (void)self;
    if (!joiner || !tpl_bind(r, "Joiner.__init__", args, "sep", 0, &joiner->items)) return false;
    if (joiner->items.kind == TPL_MISSING && !tpl_str(&r->pool, ", ", &joiner->items)) return false;
    *out = (tpl_value){ .kind = TPL_JOINER, .cycler = joiner };
    return true;
}

static bool cycler_next(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    tpl_cycler *cycler = self.cycler;
    (void)r;
    (void)args;
    *out = tpl_items(cycler->items)[cycler->at];
    cycler->at = (cycler->at + 1) % cycler->items.n;
    return true;
}

static bool cycler_reset(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    (void)r;
    (void)args;
    self.cycler->at = 0;
    *out = tpl_none();
    return true;
}

const tpl_function tpl_methods_cycler[] = { { "next", cycler_next }, { "reset", cycler_reset }, { NULL, NULL } };

static const tpl_function globals[] = {
    { "range", range },          { "dict", make_dict },     { "namespace", make_namespace },
    { "cycler", make_cycler },
    { "joiner", make_joiner },   { "raise_exception", raise_exception }, { "strftime_now", strftime_now },
    { "lipsum", lipsum },
    { NULL, NULL },
};

/* ---- look-up ---- */

static const tpl_function *find(const tpl_function *table, const char *name)
{
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0) return table;
    return NULL;
}

const tpl_function *tpl_find_global(const char *name)
{
    return find(globals, name);
}

bool tpl_is_class(const tpl_function *global)
{
    return global->run == make_namespace || global->run == make_cycler || global->run == make_joiner;
}

const tpl_filter *tpl_find_filter(const char *name)
{
    const tpl_filter *const tables[] = { tpl_filters_text, tpl_filters_list, tpl_filters_pick };
    for (size_t i = 0; i < 3; i++)
        for (const tpl_filter *f = tables[i]; f->name; f++)
            if (strcmp(f->name, name) == 0) return f;
    return NULL;
}

static const tpl_function *find_text_method(const char *name)
{
    const tpl_function *const tables[] = { tpl_methods_text, tpl_methods_case, tpl_methods_translate,
                                           tpl_methods_bytes }, *f = NULL;
    for (size_t i = 0; i < sizeof tables / sizeof *tables && !f; i++) f = find(tables[i], name);
    return f;
}

const tpl_function *tpl_find_method(tpl_kind kind, const char *name)
{
    switch (kind) {
    case TPL_STR: return find_text_method(name);
    case TPL_BOOL:
    case TPL_INT: return find(tpl_methods_whole, name);
    case TPL_FLOAT: return find(tpl_methods_real, name);
    case TPL_VIEW: return find(tpl_methods_view, name);
    case TPL_LIST:
    case TPL_TUPLE:
    case TPL_RANGE: return kind == TPL_LIST || strcmp(name, "copy") ? find(tpl_methods_list, name) : NULL;
    case TPL_DICT: return find(tpl_methods_dict, name);
    case TPL_LOOP: return find(tpl_methods_loop, name);
    case TPL_CYCLER: return find(tpl_methods_cycler, name);
    default: return NULL;
    }
}

bool tpl_known_missing(const char *name)
{
    static const char *const names[] = { "random", "pprint" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}
