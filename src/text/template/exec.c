/* Runs a template's statements: output, branches, assignments, blocks; loops are loops.c's, macros
 * are macros.c's. Called by chat.c; expressions are eval.c's.
 *
 * Scopes are Jinja's: a loop's round, a macro, a call, filter or set block and a with block each
 * have names of their own over those around them; if has none. What a scope assigns is gone behind
 * it, which is what namespaces are for. */
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

bool tpl_enter(tpl_render *r)
{
    if (!tpl_work(&r->pool, 1)) return false;
    if (r->depth >= r->max_depth) {
        if (!r->pool.status)
            r->pool.status = tern_fail(r->pool.ctx, TERN_ERR_LIMIT, "the template nests calls and blocks more than its "
                                       "limit of %u deep", r->max_depth);
        return false;
    }
    r->depth++;
    return true;
}

/* ---- scopes ---- */

tpl_frame *tpl_frame_new(tpl_render *r, tpl_frame *outer)
{
    tpl_frame *frame = tpl_get(&r->pool, 1, sizeof *frame);
    if (frame) frame->outer = outer;
    return frame;
}

bool tpl_frame_set(tpl_render *r, tpl_frame *frame, uint32_t slot, tpl_value value)
{
    for (uint32_t i = 0; i < frame->n; i++) {
        if (frame->vars[i].slot != slot) continue;
        frame->vars[i].value = value;
        return true;
    }
    if (frame->n == frame->cap) {
        uint32_t cap = frame->cap ? frame->cap * 2 : 4;
        tpl_var *vars = tpl_get(&r->pool, cap, sizeof *vars);
        if (!vars) return false;
        if (frame->n) memcpy(vars, frame->vars, frame->n * sizeof *vars);
        frame->vars = vars;
        frame->cap = cap;
    }
    frame->vars[frame->n++] = (tpl_var){ slot, value };
    return true;
}

/* ---- assignment ---- */

static bool unpack(tpl_render *r, const tpl_node *target, tpl_frame *frame, tpl_value value)
{
    tpl_array *items;
    uint32_t want = target->list.n;
    if (tpl_is_number(value) || value.kind == TPL_NONE)
        return tpl_raise(r, "TypeError", "cannot unpack non-iterable %s object", tpl_type_name(value));
    if (!tpl_to_array(r, value, &items)) return false;
    r->node = target;
    if (items->used < want)
        return tpl_raise(r, "ValueError", "not enough values to unpack (expected %u, got %u)", want, items->used);
    if (items->used > want) return tpl_raise(r, "ValueError", "too many values to unpack (expected %u)", want);
    for (uint32_t i = 0; i < want; i++)
        if (!tpl_assign(r, target->list.items[i], frame, items->items[i])) return false;
    return true;
}

static bool set_field(tpl_render *r, const tpl_node *target, tpl_frame *frame, tpl_value value)
{
    tpl_value space, key;
    if (!tpl_eval(r, target, frame, &space)) return false;
    r->node = target;
    if (space.kind != TPL_NAMESPACE)
        return tpl_raise(r, "TemplateRuntimeError", "cannot assign attribute on non-namespace object");
    if (target->field[0] == '_')
        return tpl_raise(r, "SecurityError", "Chat templates cannot store underscore-prefixed attributes on a "
                         "namespace, but got '%s'. Please rename the attribute.", target->field);
    return tpl_str(&r->pool, target->field, &key) && tpl_dict_set(&r->pool, space.dict, key, value);
}

bool tpl_assign(tpl_render *r, const tpl_node *target, tpl_frame *frame, tpl_value value)
{
    r->node = target;
    if (target->kind == N_NAME) return tpl_frame_set(r, frame, target->slot, value);
    return target->kind == N_TUPLE ? unpack(r, target, frame, value) : set_field(r, target, frame, value);
}

/* ns.a = ... asks whether ns is a namespace before it looks at what is assigned. */
static bool check_spaces(tpl_render *r, const tpl_node *target, tpl_frame *frame)
{
    tpl_value space;
    for (uint32_t i = 0; target->kind == N_TUPLE && i < target->list.n; i++)
        if (!check_spaces(r, target->list.items[i], frame)) return false;
    if (target->kind != N_NSREF) return true;
    if (!tpl_eval(r, target, frame, &space)) return false;
    r->node = target;
    return space.kind == TPL_NAMESPACE ||
           tpl_raise(r, "TemplateRuntimeError", "cannot assign attribute on non-namespace object");
}

static bool run_set(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_value value;
    return check_spaces(r, node->a, frame) && tpl_eval(r, node->b, frame, &value) &&
           tpl_assign(r, node->a, frame, value);
}

tpl_flow tpl_capture(tpl_render *r, const tpl_nodes *body, tpl_frame *frame, tpl_value *out)
{
    tpl_text *around = r->out, *text = tpl_text_new(&r->pool, 64);
    if (!text) return FLOW_ERROR;
    r->out = text;
    tpl_flow flow = tpl_exec(r, body, frame);
    r->out = around;
    *out = tpl_text_value(text);
    return flow;
}

static tpl_flow run_set_block(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_value value;
    tpl_frame *inner = tpl_frame_new(r, frame);
    tpl_flow flow = inner ? tpl_capture(r, &node->list, inner, &value) : FLOW_ERROR;
    if (flow != FLOW_ON) return flow;
    if (node->b && !tpl_apply_filter(r, node->b, value, inner, &value)) return FLOW_ERROR;
    return tpl_assign(r, node->a, frame, value) ? FLOW_ON : FLOW_ERROR;
}

static tpl_flow run_filter_block(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_value value;
    tpl_frame *inner = tpl_frame_new(r, frame);
    tpl_flow flow = inner ? tpl_capture(r, &node->list, inner, &value) : FLOW_ERROR;
    if (flow != FLOW_ON) return flow;
    return tpl_apply_filter(r, node->a, value, inner, &value) && tpl_put_value(r, r->out, value) ? FLOW_ON : FLOW_ERROR;
}

static tpl_flow run_with(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_frame *inner = tpl_frame_new(r, frame);
    tpl_value value;
    for (uint32_t i = 0; inner && i < node->pairs.n; i += 2)
        if (!tpl_eval(r, node->pairs.items[i + 1], frame, &value) || !tpl_assign(r, node->pairs.items[i], inner, value))
            return FLOW_ERROR;
    return inner ? tpl_exec(r, &node->list, inner) : FLOW_ERROR;
}

/* ---- statements ---- */

static tpl_flow run_if(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_value test;
    if (!tpl_eval(r, node->a, frame, &test)) return FLOW_ERROR;
    return tpl_exec(r, tpl_truth(test) ? &node->list : &node->orelse, frame);
}

static tpl_flow run_scope(tpl_render *r, const tpl_nodes *body, tpl_frame *around)
{
    tpl_frame *inner = tpl_frame_new(r, around);
    return inner ? tpl_exec(r, body, inner) : FLOW_ERROR;
}

static tpl_flow run_autoescape(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_value escapes;
    if (!tpl_eval(r, node->a, frame, &escapes)) return FLOW_ERROR;
    r->node = node;
    if (tpl_truth(escapes)) return tpl_refuse(r, "autoescape that escapes"), FLOW_ERROR;
    return run_scope(r, &node->list, frame);
}

/* include, import, from, extends: the environment of chat templates has no loader. */
static bool run_load(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_value name;
    if (!tpl_eval(r, node->a, frame, &name)) return false;
    r->node = node;
    return tpl_raise(r, "TypeError", "no loader for this environment specified");
}

/* ---- blocks ---- */

/* A block sees the inputs and the top level's names only, unless it is scoped. */
static tpl_flow run_block(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    if (node->required)
        return tpl_raise(r, "TemplateRuntimeError", "Required block '%s' not found", node->name), FLOW_ERROR;
    return run_scope(r, &node->list, node->scoped ? frame : r->root);
}

const tpl_node *tpl_find_block(const tpl_variant *v, const char *name, size_t n_bytes)
{
    for (uint32_t i = 0; i < v->blocks.n; i++) {
        const char *has = v->blocks.items[i]->name;
        if (strlen(has) == n_bytes && memcmp(has, name, n_bytes) == 0) return v->blocks.items[i];
    }
    return NULL;
}

bool tpl_call_block(tpl_render *r, const tpl_node *block, tpl_value *out)
{
    tpl_frame *inner = tpl_frame_new(r, r->root);
    return inner && tpl_capture(r, &block->list, inner, out) == FLOW_ON;
}

static tpl_flow run(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_value value;
    bool ok = true;
    switch ((tpl_node_kind)node->kind) {
    case N_DATA: ok = tpl_put_str(&r->pool, r->out, node->value); break;
    case N_PRINT:
        ok = tpl_eval(r, node->a, frame, &value) && (r->node = node->a, tpl_put_value(r, r->out, value));
        break;
    case N_IF: return run_if(r, node, frame);
    case N_FOR: return tpl_run_for(r, node, frame);
    case N_SET: ok = run_set(r, node, frame); break;
    case N_SET_BLOCK: return run_set_block(r, node, frame);
    case N_MACRO:
        ok = tpl_define_macro(r, node->macro, frame, &value) && tpl_frame_set(r, frame, node->a->slot, value);
        break;
    case N_CALL_BLOCK: ok = tpl_run_call_block(r, node, frame); break;
    case N_FILTER_BLOCK: return run_filter_block(r, node, frame);
    case N_WITH: return run_with(r, node, frame);
    case N_SCOPE: return run_scope(r, &node->list, frame);
    case N_BLOCK: return run_block(r, node, frame);
    case N_AUTOESCAPE: return run_autoescape(r, node, frame);
    case N_LOAD: ok = run_load(r, node, frame); break;
    case N_BREAK: return FLOW_BREAK;
    case N_CONTINUE: return FLOW_CONTINUE;
    default: break;
    }
    return ok ? FLOW_ON : FLOW_ERROR;
}

tpl_flow tpl_exec(tpl_render *r, const tpl_nodes *body, tpl_frame *frame)
{
    tpl_flow flow = FLOW_ON;
    for (uint32_t i = 0; i < body->n && flow == FLOW_ON; i++) {
        r->node = body->items[i];
        if (!tpl_enter(r)) return FLOW_ERROR;
        flow = run(r, body->items[i], frame);
        tpl_leave(r);
    }
    return flow;
}
