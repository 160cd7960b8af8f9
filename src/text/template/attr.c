/* a.name and a[key] as the sandbox of chat templates allows them. Called by eval.c and by filters that look into items.
 *
 * a.name asks for the attribute first and for the item then, a["name"] the other way round. What Python's own objects keep behind
 * underscores, and the methods that would change a list or dict, are undefined values that say SecurityError when they are used. */
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

const char *tpl_type_name(tpl_value v)
{
    static const char *const views[] = { "dict_keys", "dict_values", "dict_items" };
    static const char *const names[] = {
        [TPL_UNDEFINED] = "Undefined", [TPL_NONE] = "NoneType", [TPL_BOOL] = "bool", [TPL_INT] = "int", [TPL_FLOAT] = "float", [TPL_STR] = "str",
        [TPL_LIST] = "list", [TPL_TUPLE] = "tuple", [TPL_DICT] = "dict", [TPL_RANGE] = "range", [TPL_NAMESPACE] = "TemplateNamespace",
        [TPL_LOOP] = "LoopContext", [TPL_MACRO] = "Macro", [TPL_FUNCTION] = "function", [TPL_METHOD] = "builtin_function_or_method",
        [TPL_CYCLER] = "Cycler", [TPL_JOINER] = "Joiner"
    };
    if (v.kind == TPL_STR && v.sub) return "Markup";
    if (v.kind == TPL_VIEW) return views[v.sub];
    if (v.kind == TPL_ITER) return v.iter->type;
    if (v.kind == TPL_FUNCTION && tpl_is_class(v.function)) return "type";
    return v.kind == TPL_MISSING ? "object" : names[v.kind];
}

bool tpl_undefined_of(tpl_render *r, tpl_value object, tpl_value name, tpl_value *out)
{
    tpl_undefined *u = tpl_get(&r->pool, 1, sizeof *u);
    if (!u) return false;
    *u = (tpl_undefined){ .object = object, .name = name };
    *out = (tpl_value){ .kind = TPL_UNDEFINED, .undefined = u };
    return true;
}

bool tpl_undefined_hint(tpl_render *r, const char *hint, tpl_value *out)
{
    if (!tpl_undefined_of(r, (tpl_value){ 0 }, (tpl_value){ 0 }, out)) return false;
    out->undefined->hint = hint;
    return true;
}

static bool unsafe(tpl_render *r, tpl_value object, const char *name, tpl_value *out)
{
    tpl_text *words = tpl_text_new(&r->pool, 96);
    if (!words || !tpl_puts(&r->pool, words, "access to attribute '") || !tpl_puts(&r->pool, words, name) || !tpl_puts(&r->pool, words, "' of '") ||
        !tpl_puts(&r->pool, words, tpl_type_name(object)) || !tpl_puts(&r->pool, words, "' object is unsafe.") || !tpl_put(&r->pool, words, "", 1, true) ||
        !tpl_undefined_hint(r, words->data, out))
        return false;
    out->undefined->security = true;
    return true;
}

bool tpl_check_hashable(tpl_render *r, tpl_value key)
{
    const char *type;
    return tpl_hashable(&r->pool, key, &type) || tpl_raise(r, "TypeError", "unhashable type: '%s'", type);
}

/* The attributes that every Python object has. Source: dir(object) of Python 3.11. */
static bool is_object_attribute(const char *name)
{
    static const char *const names[] = { "class", "delattr", "dir", "doc", "eq", "format", "ge", "getattribute", "getstate", "gt", "hash", "init",
                                         "init_subclass", "le", "lt", "ne", "new", "reduce", "reduce_ex", "repr", "setattr", "sizeof", "str", "subclasshook" };
    size_t n = strlen(name);
    if (n < 5 || name[0] != '_' || name[1] != '_' || name[n - 1] != '_' || name[n - 2] != '_') return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == n - 4 && memcmp(names[i], name + 2, n - 4) == 0) return true;
    return false;
}

/* Methods that change what they are called on, and dunder methods of containers: there, and refused. */
static bool is_refused(tpl_value v, const char *name)
{
    static const char *const list[] = { "append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove", NULL };
    static const char *const dict[] = { "clear", "pop", "popitem", "setdefault", "update", NULL };
    static const char *const container[] = { "__len__", "__getitem__", "__contains__", "__iter__", "__add__", "__mul__", "__rmul__", "__setitem__", NULL };
    const char *const *names = v.kind == TPL_LIST ? list : v.kind == TPL_DICT ? dict : NULL;
    if (is_object_attribute(name)) return v.kind != TPL_NAMESPACE;
    for (size_t i = 0; names && names[i]; i++)
        if (strcmp(names[i], name) == 0) return true;
    for (size_t i = 0; (v.kind == TPL_STR || v.kind == TPL_LIST || v.kind == TPL_DICT || v.kind == TPL_TUPLE) && container[i]; i++)
        if (strcmp(container[i], name) == 0) return strcmp(name, "__setitem__") || v.kind == TPL_LIST || v.kind == TPL_DICT;
    return false;
}

static bool method_value(tpl_render *r, tpl_value self, const tpl_function *function, tpl_value *out)
{
    tpl_method *method = tpl_get(&r->pool, 1, sizeof *method);
    if (!method) return false;
    *method = (tpl_method){ self, function };
    *out = (tpl_value){ .kind = TPL_METHOD, .method = method };
    return true;
}

static bool macro_attribute(tpl_render *r, const tpl_macro_def *def, const char *name, tpl_value *out)
{
    if (strcmp(name, "name") == 0) return def->name ? tpl_str(&r->pool, def->name, out) : (*out = tpl_none(), true);
    if (strcmp(name, "catch_kwargs") == 0) *out = tpl_bool(def->takes_kwargs);
    if (strcmp(name, "catch_varargs") == 0) *out = tpl_bool(def->takes_varargs);
    if (strcmp(name, "caller") == 0) *out = tpl_bool(def->takes_caller);
    if (strcmp(name, "arguments") != 0) return true;
    tpl_array *array = tpl_array_new(&r->pool, def->params.n);
    for (uint32_t i = 0; array && i < def->params.n; i++) {
        tpl_value param;
        if (!tpl_str(&r->pool, def->params.items[i]->name, &param) || !tpl_append(&r->pool, array, param)) return false;
    }
    if (array) *out = tpl_list_of(array, TPL_TUPLE);
    return array != NULL;
}

/* The attribute, MISSING where the object has none of this name. */
static bool attribute(tpl_render *r, tpl_value object, const char *name, tpl_value *out)
{
    *out = (tpl_value){ 0 };
    if (object.kind == TPL_NAMESPACE) {
        tpl_value *field = tpl_dict_get(object.dict, name);
        if (field) *out = *field;
        return true;
    }
    if (is_refused(object, name)) return unsafe(r, object, name, out);
    if (object.kind == TPL_LOOP && !tpl_loop_attr(r, object.loop, name, out)) return false;
    if (object.kind == TPL_MACRO && !macro_attribute(r, object.macro->def, name, out)) return false;
    if (object.kind == TPL_CYCLER && strcmp(name, "current") == 0) *out = tpl_items(object.cycler->items)[object.cycler->at];
    if (object.kind == TPL_CYCLER && strcmp(name, "pos") == 0) *out = tpl_int(object.cycler->at);
    if (object.kind == TPL_TUPLE && object.sub == TPL_GROUP && strcmp(name, "grouper") == 0) *out = tpl_items(object)[0];
    if (object.kind == TPL_TUPLE && object.sub == TPL_GROUP && strcmp(name, "list") == 0) *out = tpl_items(object)[1];
    if (tpl_is_whole(object) && strcmp(name, "real") == 0) *out = tpl_int(tpl_whole(object));
    if (out->kind != TPL_MISSING) return true;
    const tpl_function *method = tpl_find_method((tpl_kind)object.kind, name);
    return !method || method_value(r, object, method, out);
}

/* The item, MISSING where there is none or the object has no items. */
static bool item(tpl_render *r, tpl_value object, tpl_value key, tpl_value *out)
{
    const char *type;
    tpl_value *found;
    int64_t i = tpl_is_whole(key) ? tpl_whole(key) : 0, n;
    *out = (tpl_value){ 0 };
    if (object.kind == TPL_DICT) {
        if (tpl_hashable(&r->pool, key, &type) && (found = tpl_dict_find(&r->pool, object.dict, key))) *out = *found;
        return true;
    }
    if (!tpl_is_whole(key) || (object.kind != TPL_STR && object.kind != TPL_LIST && object.kind != TPL_TUPLE && object.kind != TPL_RANGE)) return true;
    if (!tpl_length(r, object, &n)) return false;
    if (i < 0) i += n;
    if (i < 0 || i >= n) return true;
    if (object.kind == TPL_RANGE) *out = tpl_int(object.range->start + i * object.range->step);
    else if (object.kind != TPL_STR) *out = tpl_items(object)[i];
    else return tpl_slice(r, object, tpl_int(i), tpl_int(i + 1), tpl_none(), out);
    return true;
}

bool tpl_getattr(tpl_render *r, tpl_value object, const char *name, tpl_value *out)
{
    tpl_value key;
    if (object.kind == TPL_UNDEFINED) return tpl_fail_undefined(r, object);
    if (!attribute(r, object, name, out)) return false;
    if (out->kind != TPL_MISSING) return true;
    if (object.kind == TPL_DICT) {
        tpl_value *found = tpl_dict_get(object.dict, name);
        if (found) return *out = *found, true;
    }
    return tpl_str(&r->pool, name, &key) && tpl_undefined_of(r, object, key, out);
}

bool tpl_getitem(tpl_render *r, tpl_value object, tpl_value key, tpl_value *out)
{
    if (object.kind == TPL_UNDEFINED) return tpl_fail_undefined(r, object);
    if (!item(r, object, key, out)) return false;
    if (out->kind != TPL_MISSING) return true;
    if (key.kind == TPL_STR && !memchr(tpl_data(key), 0, key.n)) {
        char *name = tpl_get(&r->pool, key.n + 1, 1);
        if (!name) return false;
        memcpy(name, tpl_data(key), key.n);
        if (!attribute(r, object, name, out)) return false;
        if (out->kind != TPL_MISSING) return true;
    }
    return tpl_undefined_of(r, object, key, out);
}

/* "a.b.0" of an item, as the attribute arguments of filters mean it: by getitem, whole numbers as such. */
bool tpl_attribute(tpl_render *r, tpl_value object, tpl_value path, tpl_value fallback, tpl_value *out)
{
    *out = object;
    if (path.kind == TPL_NONE || path.kind == TPL_MISSING) return true;
    if (path.kind != TPL_STR) {
        if (!tpl_getitem(r, object, path, out)) return false;
        if (out->kind == TPL_UNDEFINED && fallback.kind > TPL_NONE) *out = fallback;
        return true;
    }
    for (uint32_t from = 0, to; from <= path.n; from = to + 1) {
        bool digits = true;
        int64_t number = 0;
        for (to = from; to < path.n && tpl_data(path)[to] != '.'; to++) {
            char c = tpl_data(path)[to];
            digits = digits && c >= '0' && c <= '9' && to - from < 18;
            number = digits ? number * 10 + (c - '0') : 0;
        }
        tpl_value part = digits && to > from ? tpl_int(number) : tpl_cut(path, from, to);
        if (!tpl_getitem(r, *out, part, out)) return false;
        if (out->kind == TPL_UNDEFINED && fallback.kind > TPL_NONE) *out = fallback;
    }
    return true;
}
