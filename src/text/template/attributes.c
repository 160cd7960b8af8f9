/* Attributes that are values, not methods: of numbers, ranges, dict views, cyclers, joiners, macros
 * and groups; and those that Python has and the sandbox keeps. Called by attr.c. */
#include <string.h>

#include "text/template/template.h"

/* A word of a blank-separated list. */
static bool is_listed(const char *names, const char *name, size_t n)
{
    for (; *names; names += strspn(names, " ")) {
        size_t length = strcspn(names, " ");
        if (length == n && memcmp(names, name, n) == 0) return true;
        names += length;
    }
    return false;
}

/* Names between double underscores. Source: dir() of Python 3.11's types. */
#define OBJECT                                                                                                 \
    "class delattr dir doc eq format ge getattribute getstate gt hash init init_subclass le lt ne new reduce " \
        "reduce_ex repr setattr sizeof str subclasshook"
#define SEQUENCE " contains getitem iter len add mul rmul"
#define NUMBER                                                                                                       \
    " abs add bool divmod float floordiv getnewargs int mod mul neg pos pow radd rdivmod rfloordiv rmod rmul round " \
        "rpow rsub rtruediv sub truediv ceil floor trunc"
#define SET " and contains iter len or rand reversed ror rsub rxor sub xor"

static const char *hidden_names(tpl_value v)
{
    switch ((tpl_kind)v.kind) {
    case TPL_STR:
        return v.sub ? SEQUENCE
                       " getnewargs mod rmod html html_format module radd slots" : SEQUENCE " getnewargs mod rmod";
    case TPL_LIST: return SEQUENCE " class_getitem delitem iadd imul reversed setitem";
    case TPL_TUPLE: return SEQUENCE " class_getitem getnewargs";
    case TPL_DICT: return " contains getitem iter len class_getitem delitem ior or reversed ror setitem";
    case TPL_RANGE: return " bool contains getitem iter len reversed";
    case TPL_BOOL:
    case TPL_INT: return NUMBER " and index invert lshift or rand rlshift ror rrshift rshift rxor xor";
    case TPL_FLOAT: return NUMBER " getformat";
    case TPL_NONE: return " bool";
    case TPL_VIEW: return v.sub == TPL_VALUES ? " iter len reversed" : SET;
    case TPL_ITER: return " del iter name next qualname length_hint";
    default: return "";
    }
}

bool tpl_is_hidden(tpl_value v, const char *name)
{
    size_t n = strlen(name);
    if (v.kind == TPL_LIST && is_listed("append clear pop reverse insert sort extend remove", name, n)) return true;
    if (v.kind == TPL_DICT && is_listed("clear pop popitem setdefault update", name, n)) return true;
    if (v.kind == TPL_NAMESPACE || n < 5 || memcmp(name, "__", 2) || memcmp(name + n - 2, "__", 2)) return false;
    return is_listed(OBJECT, name + 2, n - 4) || is_listed(hidden_names(v), name + 2, n - 4);
}

static bool number_value(tpl_value v, const char *name, tpl_value *out)
{
    bool whole = v.kind != TPL_FLOAT;
    if (strcmp(name, "real") == 0) *out = whole ? tpl_int(tpl_whole(v)) : v;
    if (strcmp(name, "imag") == 0) *out = whole ? tpl_int(0) : tpl_float(0);
    if (whole && strcmp(name, "numerator") == 0) *out = tpl_int(tpl_whole(v));
    if (whole && strcmp(name, "denominator") == 0) *out = tpl_int(1);
    return true;
}

static bool macro_value(tpl_render *r, const tpl_macro_def *def, const char *name, tpl_value *out)
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

static bool cycler_value(tpl_value v, const char *name, tpl_value *out)
{
    if (strcmp(name, "current") == 0) *out = tpl_items(v.cycler->items)[v.cycler->at];
    if (strcmp(name, "pos") == 0) *out = tpl_int(v.cycler->at);
    if (strcmp(name, "items") == 0) *out = v.cycler->items;
    return true;
}

static bool joiner_value(tpl_value v, const char *name, tpl_value *out)
{
    if (strcmp(name, "sep") == 0) *out = v.cycler->items;
    if (strcmp(name, "used") == 0) *out = tpl_bool(v.cycler->at);
    return true;
}

static bool range_value(const tpl_range *range, const char *name, tpl_value *out)
{
    if (strcmp(name, "start") == 0) *out = tpl_int(range->start);
    if (strcmp(name, "stop") == 0) *out = tpl_int(range->stop);
    if (strcmp(name, "step") == 0) *out = tpl_int(range->step);
    return true;
}

bool tpl_plain_attribute(tpl_render *r, tpl_value v, const char *name, tpl_value *out)
{
    switch ((tpl_kind)v.kind) {
    case TPL_BOOL:
    case TPL_INT:
    case TPL_FLOAT: return number_value(v, name, out);
    case TPL_LOOP: return tpl_loop_attr(r, v.loop, name, out);
    case TPL_MACRO: return macro_value(r, v.macro->def, name, out);
    case TPL_CYCLER: return cycler_value(v, name, out);
    case TPL_JOINER: return joiner_value(v, name, out);
    case TPL_RANGE: return range_value(v.range, name, out);
    case TPL_VIEW:
        if (strcmp(name, "mapping") == 0) *out = (tpl_value){ .kind = TPL_DICT, .dict = v.dict };
        return true;
    case TPL_TUPLE:
        if (v.sub == TPL_GROUP && strcmp(name, "grouper") == 0) *out = tpl_items(v)[0];
        if (v.sub == TPL_GROUP && strcmp(name, "list") == 0) *out = tpl_items(v)[1];
        return true;
    default: return true;
    }
}
