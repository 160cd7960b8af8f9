/* Evaluates a template's expressions. Called by exec.c; operators are ops.c's, attributes
 * attr.c's. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

/* ---- errors ---- */

static bool raise_at(tpl_render *r, tern_status status, const char *kind, const char *message)
{
    uint32_t line, column;
    if (r->pool.status) return false;
    tpl_position(r->v, r->node ? r->node->at : 0, &line, &column);
    r->pool.status = tern_fail(r->pool.ctx, status, "%s: line %u, column %u: %s: %s", r->v->label, line, column, kind,
                               message);
    return false;
}

bool tpl_raise(tpl_render *r, const char *kind, const char *format, ...)
{
    char message[600];
    va_list args;
    va_start(args, format);
    tern_show_v(message, sizeof message, format, args);
    va_end(args);
    return raise_at(r, TERN_ERR_ARGUMENT, kind, message);
}

bool tpl_refuse(tpl_render *r, const char *format, ...)
{
    char message[600];
    va_list args;
    va_start(args, format);
    tern_show_v(message, sizeof message, format, args);
    va_end(args);
    return raise_at(r, TERN_ERR_UNSUPPORTED, "not supported", message);
}

bool tpl_no_such(tpl_render *r, const char *kind, const char *name, const char *end)
{
    if (tpl_known_missing(name)) return tpl_refuse(r, "the %s '%s'", kind, name);
    return tpl_raise(r, "TemplateRuntimeError", "No %s named '%s'%s", kind, name, end);
}

bool tpl_raise_value(tpl_render *r, const char *kind, tpl_value text)
{
    return tpl_raise(r, kind, "%.*s", (int)text.n, tpl_data(text));
}

bool tpl_fail_undefined(tpl_render *r, tpl_value v)
{
    const tpl_undefined *u = v.undefined;
    const char *kind = u->security ? "SecurityError" : "UndefinedError", *type = tpl_type_name(u->object);
    tpl_text *name = tpl_text_new(&r->pool, 64);
    if (u->hint) return tpl_raise(r, kind, "%s", u->hint);
    if (!name || !tpl_put_repr(r, name, u->name)) return false;
    if (u->object.kind == TPL_MISSING) return tpl_raise(r, kind, "%.*s is undefined", (int)name->used, name->data);
    const char *object = u->object.kind == TPL_NONE ? "" : " object";
    if (u->object.kind == TPL_NONE) type = "None";
    if (u->object.kind == TPL_NAMESPACE) type = "transformers.utils.chat_template_utils.TemplateNamespace";
    if (u->object.kind == TPL_STR && u->object.sub) type = "markupsafe.Markup";
    if (u->object.kind == TPL_TUPLE && u->object.sub) type = "jinja2.filters._GroupTuple";
    if (u->object.kind == TPL_LOOP) type = "jinja2.runtime.LoopContext";
    if (u->object.kind == TPL_MACRO) type = "jinja2.runtime.Macro";
    if (u->object.kind == TPL_SELF) type = "jinja2.runtime.TemplateReference";
    if (u->object.kind == TPL_BLOCK) type = "jinja2.runtime.BlockReference";
    if (u->name.kind != TPL_STR)
        return tpl_raise(r, kind, "%s%s has no element %.*s", type, object, (int)name->used, name->data);
    return tpl_raise(r, kind, "'%s%s' has no attribute %.*s", type, object, (int)name->used, name->data);
}

/* ---- expressions ---- */

/* super in a block: a chat template has no parent. */
static bool no_parent(tpl_render *r, const char *block, tpl_value *out)
{
    tpl_text *message = tpl_text_new(&r->pool, 64);
    return message && tpl_puts(&r->pool, message, "there is no parent block called '") &&
           tpl_puts(&r->pool, message, block) && tpl_puts(&r->pool, message, "'.") &&
           tpl_put(&r->pool, message, "", 1, true) && tpl_undefined_hint(r, message->data, out);
}

static bool name_value(tpl_render *r, const tpl_node *node, const tpl_frame *frame, tpl_value *out)
{
    for (; frame; frame = frame->outer) {
        for (uint32_t i = 0; i < frame->n; i++) {
            if (frame->vars[i].slot != node->slot) continue;
            *out = frame->vars[i].value;
            return true;
        }
    }
    if (strcmp(node->name, "self") == 0) return *out = (tpl_value){ .kind = TPL_SELF }, true;
    if (node->field && strcmp(node->name, "super") == 0) return no_parent(r, node->field, out);
    if (node->scoped || r->v->first[node->slot] != FIRST_SET) *out = r->inputs[node->slot];
    else *out = (tpl_value){ 0 };
    if (out->kind != TPL_MISSING) return true;
    tpl_value name;
    return tpl_str(&r->pool, node->name, &name) && tpl_undefined_of(r, (tpl_value){ 0 }, name, out);
}

static bool list_value(tpl_render *r, const tpl_node *node, tpl_frame *frame, tpl_value *out)
{
    tpl_array *array = tpl_array_new(&r->pool, node->list.n);
    if (!array) return false;
    for (uint32_t i = 0; i < node->list.n; i++) {
        tpl_value item;
        if (!tpl_eval(r, node->list.items[i], frame, &item) || !tpl_append(&r->pool, array, item)) return false;
    }
    *out = tpl_list_of(array, node->kind == N_LIST ? TPL_LIST : TPL_TUPLE);
    return true;
}

static bool dict_value(tpl_render *r, const tpl_node *node, tpl_frame *frame, tpl_value *out)
{
    tpl_dict *dict = tpl_dict_new(&r->pool);
    if (!dict) return false;
    for (uint32_t i = 0; i < node->list.n; i += 2) {
        tpl_value key, value;
        if (!tpl_eval(r, node->list.items[i], frame, &key) || !tpl_eval(r, node->list.items[i + 1], frame, &value))
            return false;
        r->node = node;
        if (!tpl_check_hashable(r, key) || !tpl_dict_set(&r->pool, dict, key, value)) return false;
    }
    *out = (tpl_value){ .kind = TPL_DICT, .dict = dict };
    return true;
}

static bool optional(tpl_render *r, const tpl_node *node, tpl_frame *frame, tpl_value *out)
{
    *out = tpl_none();
    return !node || tpl_eval(r, node, frame, out);
}

static bool item_value(tpl_render *r, const tpl_node *node, tpl_frame *frame, tpl_value *out)
{
    tpl_value object, key, stop, step;
    if (!tpl_eval(r, node->a, frame, &object)) return false;
    if (node->b->kind == N_SLICE) {
        if (!optional(r, node->b->a, frame, &key) || !optional(r, node->b->b, frame, &stop) ||
            !optional(r, node->b->c, frame, &step))
            return false;
        r->node = node;
        return tpl_slice(r, object, key, stop, step, out);
    }
    if (!tpl_eval(r, node->b, frame, &key)) return false;
    r->node = node;
    return tpl_getitem(r, object, key, out);
}

static bool add_key(tpl_render *r, tpl_args *out, uint32_t *cap, const char *key, tpl_value value)
{
    if (out->n_keys == *cap) {
        uint32_t more = *cap ? *cap * 2 : 4;
        const char **keys = tpl_get(&r->pool, more, sizeof *keys);
        tpl_value *values = tpl_get(&r->pool, more, sizeof *values);
        if (!keys || !values) return false;
        for (uint32_t i = 0; i < out->n_keys; i++) {
            keys[i] = out->keys[i];
            values[i] = out->keyword[i];
        }
        out->keys = keys;
        out->keyword = values;
        *cap = more;
    }
    for (uint32_t i = 0; i < out->n_keys; i++)
        if (strcmp(out->keys[i], key) == 0)
            return tpl_raise(r, "TypeError", "got multiple values for keyword argument '%s'", key);
    out->keys[out->n_keys] = key;
    out->keyword[out->n_keys++] = value;
    return true;
}

static bool spread_dict(tpl_render *r, tpl_args *out, uint32_t *cap, tpl_value v)
{
    if (v.kind == TPL_UNDEFINED) return tpl_fail_undefined(r, v);
    if (v.kind != TPL_DICT)
        return tpl_raise(r, "TypeError", "argument after ** must be a mapping, not %s", tpl_type_name(v));
    for (uint32_t i = 0; i < v.dict->n; i++) {
        tpl_value key = v.dict->pairs[i].key;
        if (key.kind != TPL_STR) return tpl_raise(r, "TypeError", "keywords must be strings");
        char *copy = tpl_get(&r->pool, key.n + 1, 1);
        if (!copy) return false;
        memcpy(copy, tpl_data(key), key.n);
        if (!add_key(r, out, cap, copy, v.dict->pairs[i].value)) return false;
    }
    return true;
}

bool tpl_eval_args(tpl_render *r, const tpl_arguments *written, tpl_frame *frame, tpl_args *out)
{
    tpl_value v;
    uint32_t cap = 0;
    *out = (tpl_args){ 0 };
    if (!written) return true;
    tpl_array *list = tpl_array_new(&r->pool, written->positional.n);
    if (!list) return false;
    for (uint32_t i = 0; i < written->positional.n; i++)
        if (!tpl_eval(r, written->positional.items[i], frame, &v) || !tpl_append(&r->pool, list, v)) return false;
    if (written->star) {
        tpl_array *more;
        if (!tpl_eval(r, written->star, frame, &v) || !tpl_to_array(r, v, &more)) return false;
        for (uint32_t i = 0; i < more->used; i++)
            if (!tpl_append(&r->pool, list, more->items[i])) return false;
    }
    for (uint32_t i = 0; i < written->keyword.n; i++)
        if (!tpl_eval(r, written->keyword.items[i], frame, &v) || !add_key(r, out, &cap, written->keys[i], v))
            return false;
    if (written->double_star && (!tpl_eval(r, written->double_star, frame, &v) || !spread_dict(r, out, &cap, v)))
        return false;
    out->positional = list->items;
    out->n = list->used;
    return true;
}

static bool call_value(tpl_render *r, const tpl_node *node, tpl_frame *frame, tpl_value *out)
{
    tpl_value callee;
    tpl_args args;
    if (!tpl_eval(r, node->a, frame, &callee) || !tpl_eval_args(r, node->args, frame, &args)) return false;
    r->node = node->a;
    return tpl_call(r, callee, &args, out);
}

/* A call that runs statements. */
static bool call_body(tpl_render *r, tpl_value callee, const tpl_args *args, tpl_value *out)
{
    if (callee.kind == TPL_LOOP) return tpl_call_loop(r, callee.loop, args, out);
    if (callee.kind == TPL_MACRO) return tpl_call_macro(r, callee.macro, args, out);
    return tpl_bind(r, "BlockReference.__call__", args, "", 0, NULL) && tpl_call_block(r, callee.block, out);
}

bool tpl_call(tpl_render *r, tpl_value callee, const tpl_args *args, tpl_value *out)
{
    switch (callee.kind) {
    case TPL_UNDEFINED: return tpl_fail_undefined(r, callee);
    case TPL_FUNCTION: return callee.function->run(r, (tpl_value){ 0 }, args, out);
    case TPL_METHOD: return callee.method->function->run(r, callee.method->self, args, out);
    case TPL_MACRO:
    case TPL_LOOP:
    case TPL_BLOCK: {
        if (!tpl_enter(r)) return false;
        const tpl_node *here = r->node;
        bool ok = call_body(r, callee, args, out);
        r->node = here;
        tpl_leave(r);
        return ok;
    }
    case TPL_JOINER:
        *out = callee.cycler->items;
        if (!callee.cycler->at++) return tpl_str(&r->pool, "", out);
        return true;
    default: return tpl_raise(r, "TypeError", "'%s' object is not callable", tpl_type_name(callee));
    }
}

static bool run_filter(tpl_render *r, const tpl_node *node, tpl_value subject, const tpl_args *args, tpl_value *out)
{
    r->node = node;
    return node->filter ? node->filter->run(r, subject, args, out) : tpl_no_such(r, "filter", node->name, " found.");
}

bool tpl_apply_filter(tpl_render *r, const tpl_node *node, tpl_value subject, tpl_frame *frame, tpl_value *out)
{
    tpl_args args;
    if (node->a && !tpl_apply_filter(r, node->a, subject, frame, &subject)) return false;
    if (!tpl_eval_args(r, node->args, frame, &args)) return false;
    return run_filter(r, node, subject, &args, out);
}

static bool filter_value(tpl_render *r, const tpl_node *node, tpl_frame *frame, tpl_value *out)
{
    tpl_value subject;
    tpl_args args;
    if (!tpl_eval(r, node->a, frame, &subject) || !tpl_eval_args(r, node->args, frame, &args)) return false;
    return run_filter(r, node, subject, &args, out);
}

static bool test_value(tpl_render *r, const tpl_node *node, tpl_frame *frame, tpl_value *out)
{
    tpl_value subject;
    tpl_args args;
    if (!tpl_eval(r, node->a, frame, &subject) || !tpl_eval_args(r, node->args, frame, &args)) return false;
    r->node = node;
    if (!node->test) return tpl_no_such(r, "test", node->name, " found.");
    return node->test->run(r, subject, &args, out);
}

static bool compare_value(tpl_render *r, const tpl_node *node, tpl_frame *frame, tpl_value *out)
{
    tpl_value left, right;
    bool holds = true;
    if (!tpl_eval(r, node->a, frame, &left)) return false;
    for (uint32_t i = 0; holds && i < node->list.n; i++) {
        if (!tpl_eval(r, node->list.items[i], frame, &right)) return false;
        r->node = node;
        if (!tpl_compare(r, node->ops[i], left, right, &holds)) return false;
        left = right;
    }
    *out = tpl_bool(holds);
    return true;
}

static bool concat_value(tpl_render *r, const tpl_node *node, tpl_frame *frame, tpl_value *out)
{
    tpl_text *text = tpl_text_new(&r->pool, 64);
    if (!text) return false;
    for (uint32_t i = 0; i < node->list.n; i++) {
        tpl_value item;
        if (!tpl_eval(r, node->list.items[i], frame, &item)) return false;
        r->node = node;
        if (!tpl_put_value(r, text, item)) return false;
    }
    *out = tpl_text_value(text);
    return true;
}

static bool no_else(tpl_render *r, const tpl_node *node, tpl_value *out)
{
    char message[128];
    uint32_t line, column;
    tpl_value text;
    tpl_position(r->v, node->at, &line, &column);
    int n = snprintf(message, sizeof message,
                     "the inline if-expression on line %u evaluated to false and no else section was defined.", line);
    return tpl_strn(&r->pool, message, (size_t)n + 1, true, &text) && tpl_undefined_hint(r, tpl_data(text), out);
}

static bool evaluate(tpl_render *r, const tpl_node *node, tpl_frame *frame, tpl_value *out)
{
    tpl_value a, b;
    switch ((tpl_node_kind)node->kind) {
    case N_CONST: *out = node->value; return true;
    case N_NAME:
    case N_NSREF: return name_value(r, node, frame, out);
    case N_LIST:
    case N_TUPLE: return list_value(r, node, frame, out);
    case N_DICT: return dict_value(r, node, frame, out);
    case N_GETATTR: return tpl_eval(r, node->a, frame, &a) && (r->node = node, tpl_getattr(r, a, node->name, out));
    case N_GETITEM: return item_value(r, node, frame, out);
    case N_CALL: return call_value(r, node, frame, out);
    case N_FILTER: return filter_value(r, node, frame, out);
    case N_TEST: return test_value(r, node, frame, out);
    case N_NOT:
        if (!tpl_eval(r, node->a, frame, &a)) return false;
        *out = tpl_bool(!tpl_truth(a));
        return true;
    case N_NEG:
    case N_POS: return tpl_eval(r, node->a, frame, &a) && (r->node = node, tpl_negate(r, a, node->kind == N_NEG, out));
    case N_BINARY:
        return tpl_eval(r, node->a, frame, &a) && tpl_eval(r, node->b, frame, &b) &&
               (r->node = node, tpl_binary(r, node->op, a, b, out));
    case N_CONCAT: return concat_value(r, node, frame, out);
    case N_COMPARE: return compare_value(r, node, frame, out);
    case N_AND:
    case N_OR:
        return tpl_eval(r, node->a, frame, out) &&
               (tpl_truth(*out) == (node->kind == N_OR) || tpl_eval(r, node->b, frame, out));
    case N_COND:
        if (!tpl_eval(r, node->b, frame, &a)) return false;
        if (tpl_truth(a)) return tpl_eval(r, node->a, frame, out);
        return node->c ? tpl_eval(r, node->c, frame, out) : no_else(r, node, out);
    default: return tpl_refuse(r, "this expression");
    }
}

bool tpl_eval(tpl_render *r, const tpl_node *node, tpl_frame *frame, tpl_value *out)
{
    if (node->kind == N_CONST) {
        *out = node->value;
        return true;
    }
    r->node = node;
    if (!tpl_enter(r)) return false;
    bool ok = evaluate(r, node, frame, out);
    tpl_leave(r);
    return ok;
}
