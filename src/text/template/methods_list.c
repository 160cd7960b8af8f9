/* The methods of Python's lists and dicts that change nothing; those that would are refused by
 * attr.c. */
#include "base/ctx.h"
#include "text/template/template.h"

static bool list_count(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    tpl_value want, item;
    int64_t n = 0;
    tpl_iter *it = tpl_bind(r, "count", args, "value", 1, &want) ? tpl_iterate(r, self) : NULL;
    for (int got; it && (got = tpl_next(r, it, &item)); n += tpl_equal(&r->pool, item, want))
        if (got < 0) return false;
    *out = tpl_int(n);
    return it != NULL;
}

static bool list_index(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    tpl_value slots[3], item, text;
    int64_t n, from, to;
    tpl_text *message = tpl_text_new(&r->pool, 64);
    if (!message || !tpl_bind(r, "index", args, "value start stop", 1, slots) || !tpl_length(r, self, &n)) return false;
    if (!tpl_need_int(r, slots[1], 0, &from) || !tpl_need_int(r, slots[2], n, &to)) return false;
    if (from < 0) from = from + n < 0 ? 0 : from + n;
    if (to < 0) to += n;
    tpl_iter *it = tpl_iterate(r, self);
    for (int64_t i = 0; it; i++) {
        int got = tpl_next(r, it, &item);
        if (got < 0) return false;
        if (!got) break;
        if (i < from || i >= to || !tpl_equal(&r->pool, item, slots[0])) continue;
        *out = tpl_int(i);
        return true;
    }
    if (!it || !tpl_put_repr(r, message, slots[0])) return false;
    text = tpl_text_value(message);
    if (self.kind == TPL_TUPLE) return tpl_raise(r, "ValueError", "tuple.index(x): x not in tuple");
    return tpl_raise(r, "ValueError", "%.*s is not in %s", (int)text.n, tpl_data(text),
                     self.kind == TPL_LIST ? "list" : "range");
}

static bool copy(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    *out = self;      /* nothing can change either of the two */
    return tpl_bind(r, "copy", args, "", 0, NULL);
}

static bool view(tpl_render *r, const char *name, tpl_value self, const tpl_args *args, int what, tpl_value *out)
{
    if (args->n || args->n_keys)
        return tpl_raise(r, "TypeError", "dict.%s() takes no arguments (%u given)", name, args->n + args->n_keys);
    *out = (tpl_value){ .kind = TPL_VIEW, .sub = (uint8_t)what, .dict = self.dict };
    return true;
}

static bool keys(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    return view(r, "keys", self, args, TPL_KEYS, out);
}

static bool values(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    return view(r, "values", self, args, TPL_VALUES, out);
}

static bool items(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    return view(r, "items", self, args, TPL_ITEMS, out);
}

static bool get(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    tpl_value slots[2];
    if (args->n_keys) return tpl_raise(r, "TypeError", "dict.get() takes no keyword arguments");
    if (!args->n) return tpl_raise(r, "TypeError", "get expected at least 1 argument, got 0");
    if (!tpl_bind(r, "get", args, "key default", 1, slots) || !tpl_check_hashable(r, slots[0])) return false;
    tpl_value *found = tpl_dict_find(&r->pool, self.dict, slots[0]);
    if (found) *out = *found;
    else if (slots[1].kind == TPL_MISSING) *out = tpl_none();
    else *out = slots[1];
    return true;
}

const tpl_function tpl_methods_list[] = { { "count", list_count }, { "index", list_index }, { "copy", copy },
                                          { NULL, NULL } };
const tpl_function tpl_methods_dict[] = { { "keys", keys }, { "values", values }, { "items", items }, { "get", get },
                                          { "copy", copy }, { "fromkeys", tpl_dict_fromkeys },
                                            { NULL, NULL } };
