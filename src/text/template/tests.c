/* What may stand behind "is". Called by eval.c, select, reject and their kin. Source: Jinja 3.1,
 * "List of Builtin Tests". */
#include <math.h>
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

#define TEST(name) static bool is_##name(tpl_render *r, tpl_value v, const tpl_args *args, tpl_value *out)

static bool no_args(tpl_render *r, const char *name, const tpl_args *args)
{
    return tpl_bind(r, name, args, "", 0, NULL);
}

static bool answer(tpl_value *out, bool yes)
{
    *out = tpl_bool(yes);
    return true;
}

static bool modulo(tpl_render *r, tpl_value v, tpl_value by, int64_t want, tpl_value *out)
{
    tpl_value rest;
    if (!tpl_binary(r, '%', v, by, &rest)) return false;
    return answer(out, tpl_equal(&r->pool, rest, tpl_int(want)));
}

TEST(odd) { return no_args(r, "test_odd", args) && modulo(r, v, tpl_int(2), 1, out); }
TEST(even) { return no_args(r, "test_even", args) && modulo(r, v, tpl_int(2), 0, out); }
TEST(divisibleby)
{
    tpl_value by;
    return tpl_bind(r, "test_divisibleby", args, "num", 1, &by) && modulo(r, v, by, 0, out);
}

TEST(defined) { return no_args(r, "test_defined", args) && answer(out, v.kind != TPL_UNDEFINED); }
TEST(undefined) { return no_args(r, "test_undefined", args) && answer(out, v.kind == TPL_UNDEFINED); }
TEST(none) { return no_args(r, "test_none", args) && answer(out, v.kind == TPL_NONE); }
TEST(boolean) { return no_args(r, "test_boolean", args) && answer(out, v.kind == TPL_BOOL); }
TEST(true) { return no_args(r, "test_true", args) && answer(out, v.kind == TPL_BOOL && v.b); }
TEST(false) { return no_args(r, "test_false", args) && answer(out, v.kind == TPL_BOOL && !v.b); }
TEST(integer) { return no_args(r, "test_integer", args) && answer(out, v.kind == TPL_INT); }
TEST(float) { return no_args(r, "test_float", args) && answer(out, v.kind == TPL_FLOAT); }
TEST(number) { return no_args(r, "test_number", args) && answer(out, tpl_is_number(v)); }
TEST(string) { return no_args(r, "test_string", args) && answer(out, v.kind == TPL_STR); }
TEST(mapping) { return no_args(r, "test_mapping", args) && answer(out, v.kind == TPL_DICT); }
TEST(escaped) { return no_args(r, "test_escaped", args) && answer(out, v.kind == TPL_STR && v.sub); }

TEST(sequence)
{
    bool yes = v.kind == TPL_STR || v.kind == TPL_LIST || v.kind == TPL_TUPLE || v.kind == TPL_DICT ||
               v.kind == TPL_RANGE || v.kind == TPL_UNDEFINED;
    return no_args(r, "test_sequence", args) && answer(out, yes);
}

TEST(iterable)
{
    bool yes = v.kind == TPL_UNDEFINED || (v.kind >= TPL_STR && v.kind <= TPL_ITER) || v.kind == TPL_LOOP;
    return no_args(r, "test_iterable", args) && answer(out, yes);
}

TEST(callable)
{
    bool yes = v.kind == TPL_UNDEFINED || v.kind == TPL_LOOP || v.kind == TPL_MACRO || v.kind == TPL_FUNCTION ||
               v.kind == TPL_METHOD || v.kind == TPL_JOINER || v.kind == TPL_BLOCK;
    return no_args(r, "callable", args) && answer(out, yes);
}

TEST(sameas)
{
    tpl_value other;
    if (!tpl_bind(r, "test_sameas", args, "other", 1, &other)) return false;
    if (v.kind != other.kind) return answer(out, false);
    if (v.kind == TPL_LIST || v.kind == TPL_TUPLE)
        return answer(out, v.array == other.array && v.at == other.at && v.n == other.n);
    if (v.kind == TPL_DICT) return answer(out, v.dict == other.dict);
    if (v.kind == TPL_UNDEFINED) return answer(out, v.undefined == other.undefined);
    return answer(out, tpl_equal(&r->pool, v, other));
}

TEST(in)
{
    tpl_value container;
    bool yes;
    return tpl_bind(r, "test_in", args, "seq", 1, &container) && tpl_contains(r, container, v, &yes) &&
           answer(out, yes);
}

/* Through str.islower and str.isupper. */
static bool by_method(tpl_render *r, tpl_value v, const char *method, tpl_value *out)
{
    tpl_value text;
    return tpl_to_str(r, v, &text) && tpl_find_method(TPL_STR, method)->run(r, text, &(tpl_args){ 0 }, out);
}

TEST(lower) { return no_args(r, "test_lower", args) && by_method(r, v, "islower", out); }
TEST(upper) { return no_args(r, "test_upper", args) && by_method(r, v, "isupper", out); }

static bool in_table(tpl_render *r, tpl_value v, bool filter, tpl_value *out)
{
    if (v.kind != TPL_STR) return tpl_check_hashable(r, v) && answer(out, false);
    char *name = tpl_get(&r->pool, v.n + 1, 1);
    if (!name) return false;
    memcpy(name, tpl_data(v), v.n);
    return answer(out, filter ? tpl_find_filter(name) != NULL : tpl_find_test(name) != NULL);
}

TEST(filter) { return no_args(r, "test_filter", args) && in_table(r, v, true, out); }
TEST(test) { return no_args(r, "test_test", args) && in_table(r, v, false, out); }

static bool compared(tpl_render *r, const char *name, tpl_value v, const tpl_args *args, int op, tpl_value *out)
{
    tpl_value other;
    bool yes;
    return tpl_bind(r, name, args, "b", 1, &other) && tpl_compare(r, op, v, other, &yes) && answer(out, yes);
}

TEST(eq) { return compared(r, "eq", v, args, OP_EQ, out); }
TEST(ne) { return compared(r, "ne", v, args, OP_NE, out); }
TEST(lt) { return compared(r, "lt", v, args, OP_LT, out); }
TEST(le) { return compared(r, "le", v, args, OP_LE, out); }
TEST(gt) { return compared(r, "gt", v, args, OP_GT, out); }
TEST(ge) { return compared(r, "ge", v, args, OP_GE, out); }

static const tpl_test tests[] = {
    { "odd", is_odd },           { "even", is_even },         { "divisibleby", is_divisibleby },
    { "defined", is_defined },   { "undefined", is_undefined },
    { "none", is_none },         { "boolean", is_boolean },   { "true", is_true },               { "false", is_false },
    { "integer", is_integer },
    { "float", is_float },       { "number", is_number },     { "string", is_string },
    { "mapping", is_mapping },   { "escaped", is_escaped },
    { "sequence", is_sequence }, { "iterable", is_iterable }, { "callable", is_callable },
    { "sameas", is_sameas },     { "in", is_in },
    { "lower", is_lower },       { "upper", is_upper },       { "filter", is_filter },           { "test", is_test },
    { "==", is_eq },
    { "eq", is_eq },             { "equalto", is_eq },        { "!=", is_ne },                   { "ne", is_ne },
    { ">", is_gt },
    { "gt", is_gt },             { "greaterthan", is_gt },    { "ge", is_ge },                   { ">=", is_ge },
    { "<", is_lt },
    { "lt", is_lt },             { "lessthan", is_lt },       { "<=", is_le },                   { "le", is_le },
};

const tpl_test *tpl_find_test(const char *name)
{
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (strcmp(tests[i].name, name) == 0) return &tests[i];
    return NULL;
}
