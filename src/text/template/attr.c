/* a.name and a[key] as the sandbox of chat templates allows them. Called by eval.c and by filters
 * that look into items.
 *
 * a.name asks for the attribute first and for the item then, a["name"] the other way round. What
 * Python's own objects keep behind underscores, and the methods that would change a list or dict,
 * are undefined values that say SecurityError when they are used. */
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

const char *tpl_type_name(tpl_value v)
{
    static const char *const views[] = { "dict_keys", "dict_values", "dict_items" };
    static const char *const names[] = {
        [TPL_UNDEFINED] = "Undefined", [TPL_NONE] = "NoneType", [TPL_BOOL] = "bool", [TPL_INT] = "int",
        [TPL_FLOAT] = "float", [TPL_STR] = "str",
        [TPL_LIST] = "list", [TPL_TUPLE] = "tuple", [TPL_DICT] = "dict", [TPL_RANGE] = "range",
        [TPL_NAMESPACE] = "TemplateNamespace",
        [TPL_LOOP] = "LoopContext", [TPL_MACRO] = "Macro", [TPL_FUNCTION] = "function",
        [TPL_METHOD] = "builtin_function_or_method",
        [TPL_CYCLER] = "Cycler", [TPL_JOINER] = "Joiner", [TPL_SELF] = "TemplateReference",
        [TPL_BLOCK] = "BlockReference"
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
    tpl_text *message = tpl_text_new(&r->pool, 96);
    if (!message || !tpl_puts(&r->pool, message, "access to attribute '") || !tpl_puts(&r->pool, message, name) ||
        !tpl_puts(&r->pool, message, "' of '") || !tpl_puts(&r->pool, message, tpl_type_name(object)) ||
        !tpl_puts(&r->pool, message, "' object is unsafe.") || !tpl_put(&r->pool, message, "", 1, true) ||
        !tpl_undefined_hint(r, message->data, out))
        return false;
    out->undefined->security = true;
    return true;
}

bool tpl_check_hashable(tpl_render *r, tpl_value key)
{
    const char *type;
    return tpl_hashable(&r->pool, key, &type) || tpl_raise(r, "TypeError", "unhashable type: '%s'", type);
}

static bool method_value(tpl_render *r, tpl_value self, const tpl_function *function, tpl_value *out)
{
    tpl_method *method = tpl_get(&r->pool, 1, sizeof *method);
    if (!method) return false;
    *method = (tpl_method){ self, function };
    *out = (tpl_value){ .kind = TPL_METHOD, .method = method };
    return true;
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
    if (tpl_is_hidden(object, name)) return unsafe(r, object, name, out);
    if (!tpl_plain_attribute(r, object, name, out)) return false;
    if (out->kind != TPL_MISSING) return true;
    const tpl_function *method = tpl_find_method((tpl_kind)object.kind, name);
    if (object.kind == TPL_FUNCTION && object.function == tpl_find_global("dict") && strcmp(name, "fromkeys") == 0)
        method = tpl_find_method(TPL_DICT, name);
    if (object.kind == TPL_VIEW && object.sub == TPL_VALUES) method = NULL;
    return !method || method_value(r, object, method, out);
}

/* The item, MISSING where there is none or the object has no items. */
static bool item(tpl_render *r, tpl_value object, tpl_value key, tpl_value *out)
{
    const char *type;
    tpl_value *found;
    const tpl_node *block;
    int64_t i = tpl_is_whole(key) ? tpl_whole(key) : 0, n;
    *out = (tpl_value){ 0 };
    if (object.kind == TPL_DICT) {
        if (tpl_hashable(&r->pool, key, &type) && (found = tpl_dict_find(&r->pool, object.dict, key))) *out = *found;
        return true;
    }
    if (object.kind == TPL_SELF && key.kind == TPL_STR && (block = tpl_find_block(r->v, tpl_data(key), key.n)))
        *out = (tpl_value){ .kind = TPL_BLOCK, .block = block };
    if (!tpl_is_whole(key) ||
        (object.kind != TPL_STR && object.kind != TPL_LIST && object.kind != TPL_TUPLE && object.kind != TPL_RANGE))
        return true;
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
    if (object.kind == TPL_UNDEFINED && !tpl_is_hidden(object, name)) return tpl_fail_undefined(r, object);
    if (!attribute(r, object, name, out)) return false;
    if (out->kind != TPL_MISSING) return true;
    if (!tpl_str(&r->pool, name, &key) || !item(r, object, key, out)) return false;
    return out->kind != TPL_MISSING || tpl_undefined_of(r, object, key, out);
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

/* "a.b.0" of an item, as the attribute arguments of filters mean it: by getitem, whole numbers as
 * such. */
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
