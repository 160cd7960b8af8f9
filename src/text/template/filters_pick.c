/* map, select, reject, selectattr, rejectattr, and attr: filters that apply another filter, a test
 * or an attribute to every item. Their results are lazy, as Jinja's are. */
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

/* A filter or test named by a string of the template. */
static bool name_of(tpl_render *r, tpl_value v, const char *kind, char **name)
{
    if (v.kind != TPL_STR) return tpl_raise(r, "TemplateRuntimeError", "No %s named by a %s", kind, tpl_type_name(v));
    if (!(*name = tpl_get(&r->pool, v.n + 1, 1))) return false;
    memcpy(*name, tpl_data(v), v.n);
    return true;
}

static int next_source(tpl_render *r, tpl_iter *it, tpl_value *item)
{
    if (!it->inner) {
        if (!tpl_truth(it->source)) return 0;
        if (!(it->inner = tpl_iterate(r, it->source))) return -1;
    }
    int got = tpl_next(r, it->inner, item);
    return got;
}

static int next_mapped(tpl_render *r, tpl_iter *it, tpl_value *out)
{
    tpl_value item;
    int got = next_source(r, it, &item);
    if (got <= 0) return got;
    const tpl_filter *filter = it->function;
    if (!filter && it->name) return tpl_no_such(r, "filter", it->name, "."), -1;
    if (!tpl_enter(r)) return -1;
    bool ok = filter ? filter->run(r, item, &it->args, out) : tpl_attribute(r, item, it->state[0], it->state[1], out);
    tpl_leave(r);
    return ok ? 1 : -1;
}

static bool lazy(tpl_render *r, tpl_iter made, tpl_value *out)
{
    tpl_iter *it = tpl_get(&r->pool, 1, sizeof *it);
    if (!it) return false;
    *it = made;
    it->type = "generator";
    return tpl_iter_value(r, it, out);
}

static bool map(tpl_render *r, tpl_value v, const tpl_args *args, tpl_value *out)
{
    char *name = NULL;
    tpl_value slots[2];
    tpl_iter made = { .next = next_mapped, .source = v };
    if (!args->n && args->n_keys) {
        bool has_attribute = false;
        for (uint32_t i = 0; i < args->n_keys; i++) has_attribute |= strcmp(args->keys[i], "attribute") == 0;
        if (has_attribute) {
            for (uint32_t i = 0; i < args->n_keys; i++)
                if (strcmp(args->keys[i], "attribute") && strcmp(args->keys[i], "default"))
                    return tpl_raise(r, "FilterArgumentError", "Unexpected keyword argument '%s'", args->keys[i]);
            if (!tpl_bind(r, "do_map", args, "attribute default", 1, slots)) return false;
            made.state[0] = slots[0];
            made.state[1] = slots[1];
            return lazy(r, made, out);
        }
    }
    if (!args->n) return tpl_raise(r, "FilterArgumentError", "map requires a filter argument");
    if (!name_of(r, args->positional[0], "filter", &name)) return false;
    made.function = tpl_find_filter(name);
    made.name = name;
    made.args = (tpl_args){ args->positional + 1, args->n - 1, args->keys, args->keyword, args->n_keys };
    return lazy(r, made, out);
}

static int next_picked(tpl_render *r, tpl_iter *it, tpl_value *out)
{
    for (;;) {
        tpl_value subject, verdict;
        int got = next_source(r, it, out);
        if (got <= 0) return got;
        if (!tpl_attribute(r, *out, it->state[0], (tpl_value){ 0 }, &subject)) return -1;
        const tpl_test *test = it->function;
        if (!test && it->name) return tpl_no_such(r, "test", it->name, "."), -1;
        verdict = subject;
        if (test && !test->run(r, subject, &it->args, &verdict)) return -1;
        if (tpl_truth(verdict) != it->negate) return 1;
    }
}

static bool pick(tpl_render *r, tpl_value v, const tpl_args *args, bool negate, bool by_attribute, tpl_value *out)
{
    char *name = NULL;
    uint32_t skip = by_attribute;
    tpl_iter made = { .next = next_picked, .source = v, .negate = negate };
    if (by_attribute) {
        if (!args->n) return tpl_raise(r, "FilterArgumentError", "Missing parameter for attribute name");
        made.state[0] = args->positional[0];
    }
    if (args->n > skip) {
        if (!name_of(r, args->positional[skip], "test", &name)) return false;
        made.function = tpl_find_test(name);
        made.name = name;
        made.args = (tpl_args){ args->positional + skip + 1, args->n - skip - 1, args->keys, args->keyword,
                                args->n_keys };
    }
    return lazy(r, made, out);
}

static bool select(tpl_render *r, tpl_value v, const tpl_args *args, tpl_value *out)
{
    return pick(r, v, args, false, false, out);
}

static bool reject(tpl_render *r, tpl_value v, const tpl_args *args, tpl_value *out)
{
    return pick(r, v, args, true, false, out);
}

static bool selectattr(tpl_render *r, tpl_value v, const tpl_args *args, tpl_value *out)
{
    return pick(r, v, args, false, true, out);
}

static bool rejectattr(tpl_render *r, tpl_value v, const tpl_args *args, tpl_value *out)
{
    return pick(r, v, args, true, true, out);
}

/* The attribute and never the item of that name. */
static bool attr(tpl_render *r, tpl_value v, const tpl_args *args, tpl_value *out)
{
    tpl_value slot;
    char *name;
    if (!tpl_bind(r, "do_attr", args, "name", 1, &slot)) return false;
    if (slot.kind != TPL_STR)
        return tpl_raise(r, "TypeError", "attribute name must be string, not '%s'", tpl_type_name(slot));
    if (!name_of(r, slot, "attribute", &name)) return false;
    if (v.kind != TPL_DICT) return tpl_getattr(r, v, name, out);
    if (!tpl_find_method(TPL_DICT, name)) return tpl_undefined_of(r, v, slot, out);
    return tpl_getattr(r, v, name, out);
}

const tpl_filter tpl_filters_pick[] = {
    { "map", map },   { "select", select }, { "reject", reject }, { "selectattr", selectattr },
    { "rejectattr", rejectattr }, { "attr", attr }, { NULL, NULL },
};
