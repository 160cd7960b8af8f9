/* Runs a template's statements: output, branches, loops, assignments, macros. Called by chat.c; expressions are eval.c's.
 *
 * Scopes are Jinja's: a loop's round, a macro, a call, filter or set block and a with block each have names of their own over those
 * around them; if has none. What a scope assigns is gone behind it, which is what namespaces are for. */
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

bool tpl_enter(tpl_render *r)
{
    if (!tpl_work(&r->pool, 1)) return false;
    if (r->depth >= r->max_depth) {
        if (!r->pool.status)
            r->pool.status = tern_fail(r->pool.ctx, TERN_ERR_LIMIT, "the template nests calls and blocks more than its limit of %u deep", r->max_depth);
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
    if (tpl_is_number(value) || value.kind == TPL_NONE) return tpl_raise(r, "TypeError", "cannot unpack non-iterable %s object", tpl_type_name(value));
    if (!tpl_to_array(r, value, &items)) return false;
    r->node = target;
    if (items->used < want) return tpl_raise(r, "ValueError", "not enough values to unpack (expected %u, got %u)", want, items->used);
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
    if (space.kind != TPL_NAMESPACE) return tpl_raise(r, "TemplateRuntimeError", "cannot assign attribute on non-namespace object");
    if (target->field[0] == '_')
        return tpl_raise(r, "SecurityError",
                         "Chat templates cannot store underscore-prefixed attributes on a namespace, but got '%s'. Please rename the attribute.",
                         target->field);
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
    return space.kind == TPL_NAMESPACE || tpl_raise(r, "TemplateRuntimeError", "cannot assign attribute on non-namespace object");
}

static bool run_set(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_value value;
    return check_spaces(r, node->a, frame) && tpl_eval(r, node->b, frame, &value) && tpl_assign(r, node->a, frame, value);
}

/* Runs a body into a text of its own. */
static tpl_flow capture(tpl_render *r, const tpl_nodes *body, tpl_frame *frame, tpl_value *out)
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
    tpl_flow flow = inner ? capture(r, &node->list, inner, &value) : FLOW_ERROR;
    if (flow != FLOW_ON) return flow;
    if (node->b && !tpl_apply_filter(r, node->b, value, inner, &value)) return FLOW_ERROR;
    return tpl_assign(r, node->a, frame, value) ? FLOW_ON : FLOW_ERROR;
}

static tpl_flow run_filter_block(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_value value;
    tpl_frame *inner = tpl_frame_new(r, frame);
    tpl_flow flow = inner ? capture(r, &node->list, inner, &value) : FLOW_ERROR;
    if (flow != FLOW_ON) return flow;
    return tpl_apply_filter(r, node->a, value, inner, &value) && tpl_put_value(r, r->out, value) ? FLOW_ON : FLOW_ERROR;
}

static tpl_flow run_with(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_frame *inner = tpl_frame_new(r, frame);
    tpl_value value;
    for (uint32_t i = 0; inner && i < node->pairs.n; i += 2)
        if (!tpl_eval(r, node->pairs.items[i + 1], frame, &value) || !tpl_assign(r, node->pairs.items[i], inner, value)) return FLOW_ERROR;
    return inner ? tpl_exec(r, &node->list, inner) : FLOW_ERROR;
}

/* ---- loops ---- */

/* for ... if condition: the items that pass, each asked when the loop gets there. */
static int next_passing(tpl_render *r, tpl_iter *it, tpl_value *out)
{
    for (;;) {
        int got = tpl_next(r, it->inner, out);
        if (got <= 0) return got;
        tpl_value pass;
        it->frame->n = 0;
        if (!tpl_enter(r)) return -1;
        bool ok = tpl_assign(r, it->node->a, it->frame, *out) && tpl_eval(r, it->node->c, it->frame, &pass);
        tpl_leave(r);
        if (!ok) return -1;
        if (tpl_truth(pass)) return 1;
    }
}

static bool open_loop(tpl_render *r, const tpl_node *node, tpl_frame *frame, tpl_loop *loop)
{
    *loop = (tpl_loop){ .index0 = -1, .length = -1 };
    if (!tpl_eval(r, node->b, frame, &loop->iterable)) return false;
    r->node = node;
    if (!(loop->it = tpl_iterate(r, loop->iterable))) return false;
    if (!node->c) return true;
    tpl_iter *passing = tpl_get(&r->pool, 1, sizeof *passing);
    tpl_frame *inner = tpl_frame_new(r, frame);
    if (!passing || !inner) return false;
    *passing = (tpl_iter){ .next = next_passing, .type = "generator", .inner = loop->it, .node = node, .frame = inner };
    loop->it = passing;
    return tpl_iter_value(r, passing, &loop->iterable);
}

static bool find_slot(const tpl_variant *v, const char *name, uint32_t *slot)
{
    for (*slot = 0; *slot < v->n_names; ++*slot)
        if (strcmp(v->names[*slot], name) == 0) return true;
    return false;
}

static tpl_flow run_for(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_loop *loop = tpl_get(&r->pool, 1, sizeof *loop);
    tpl_frame *round = NULL;
    uint32_t slot;
    bool more, any = false, has_loop = find_slot(r->v, "loop", &slot);
    if (!loop || !open_loop(r, node, frame, loop)) return FLOW_ERROR;
    for (;;) {
        if (!tpl_loop_next(r, loop, &more)) return FLOW_ERROR;
        if (!more) break;
        if (!tpl_work(&r->pool, 1)) return FLOW_ERROR;
        if (!round || round->captured) round = tpl_frame_new(r, frame);
        if (!round) return FLOW_ERROR;
        round->n = 0;
        if (!tpl_assign(r, node->a, round, loop->current)) return FLOW_ERROR;
        if (has_loop && !tpl_frame_set(r, round, slot, (tpl_value){ .kind = TPL_LOOP, .loop = loop })) return FLOW_ERROR;
        tpl_flow flow = tpl_exec(r, &node->list, round);
        if (flow == FLOW_ERROR) return flow;
        if (flow == FLOW_BREAK) break;
        any = any || flow == FLOW_ON;      /* as in Jinja, else runs where no round came to its end */
    }
    if (any || !node->orelse.n) return FLOW_ON;
    tpl_frame *inner = tpl_frame_new(r, frame);
    return inner ? tpl_exec(r, &node->orelse, inner) : FLOW_ERROR;
}

/* ---- macros ---- */

static bool define(tpl_render *r, const tpl_macro_def *def, tpl_frame *frame, tpl_value *out)
{
    tpl_macro *macro = tpl_get(&r->pool, 1, sizeof *macro);
    if (!macro) return false;
    *macro = (tpl_macro){ def, frame };
    for (tpl_frame *f = frame; f && !f->captured; f = f->outer) f->captured = true;
    *out = (tpl_value){ .kind = TPL_MACRO, .macro = macro };
    return true;
}

static bool run_call_block(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_value callee, caller, result;
    tpl_args args;
    if (!define(r, node->macro, frame, &caller) || !tpl_eval(r, node->a->a, frame, &callee) || !tpl_eval_args(r, node->a->args, frame, &args)) return false;
    const char **keys = tpl_get(&r->pool, args.n_keys + 1, sizeof *keys);
    tpl_value *values = tpl_get(&r->pool, args.n_keys + 1, sizeof *values);
    if (!keys || !values) return false;
    for (uint32_t i = 0; i < args.n_keys; i++) {
        keys[i] = args.keys[i];
        values[i] = args.keyword[i];
    }
    keys[args.n_keys] = "caller";
    values[args.n_keys] = caller;
    args.keys = keys;
    args.keyword = values;
    args.n_keys++;
    r->node = node;
    return tpl_call(r, callee, &args, &result) && tpl_put_value(r, r->out, result);
}

/* Where a keyword argument is, n_keys if it was not given. */
static uint32_t key_index(const tpl_args *args, const char *name)
{
    uint32_t i = 0;
    while (i < args->n_keys && strcmp(args->keys[i], name)) i++;
    return i;
}

/* The keywords that no parameter took, as the macro's kwargs or as an error. */
static bool leftover_keys(tpl_render *r, const tpl_macro_def *def, const tpl_args *args, const bool *used, tpl_frame *frame)
{
    tpl_dict *rest = def->takes_kwargs ? tpl_dict_new(&r->pool) : NULL;
    const char *name = def->name ? def->name : "None";
    const char *quote = def->name ? "'" : "";
    if (def->takes_kwargs && !rest) return false;
    for (uint32_t i = 0; i < args->n_keys; i++) {
        tpl_value key;
        if (used[i]) continue;
        if (!rest && strcmp(args->keys[i], "caller") == 0)
            return tpl_raise(r, "TypeError", "macro %s%s%s was invoked with two values for the special caller argument. This is most likely a bug.", quote,
                             name, quote);
        if (!rest) return tpl_raise(r, "TypeError", "macro %s%s%s takes no keyword argument '%s'", quote, name, quote, args->keys[i]);
        if (!tpl_str(&r->pool, args->keys[i], &key) || !tpl_dict_set(&r->pool, rest, key, args->keyword[i])) return false;
    }
    return !rest || tpl_frame_set(r, frame, def->kwargs_slot, (tpl_value){ .kind = TPL_DICT, .dict = rest });
}

static bool leftover_positional(tpl_render *r, const tpl_macro_def *def, const tpl_args *args, tpl_frame *frame)
{
    uint32_t taken = args->n < def->params.n ? args->n : def->params.n;
    if (!def->takes_varargs) {
        if (args->n <= def->params.n) return true;
        if (!def->name) return tpl_raise(r, "TypeError", "macro None takes not more than %u argument(s)", def->params.n);
        return tpl_raise(r, "TypeError", "macro '%s' takes not more than %u argument(s)", def->name, def->params.n);
    }
    tpl_array *rest = tpl_array_new(&r->pool, args->n - taken);
    for (uint32_t i = taken; rest && i < args->n; i++)
        if (!tpl_append(&r->pool, rest, args->positional[i])) return false;
    return rest && tpl_frame_set(r, frame, def->varargs_slot, tpl_list_of(rest, TPL_TUPLE));
}

/* Gives every parameter its value; defaults are evaluated in order, once all that was passed is known. */
static bool bind_params(tpl_render *r, const tpl_macro_def *def, const tpl_args *args, bool *used, tpl_frame *frame)
{
    uint32_t first_default = def->params.n - def->defaults.n;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < def->params.n; i++) {
            const tpl_node *param = def->params.items[i];
            tpl_value value;
            uint32_t k = i < args->n ? args->n_keys : key_index(args, param->name);
            bool given = i < args->n || k < args->n_keys;
            if (given != (pass == 0)) continue;
            if (given) {
                value = i < args->n ? args->positional[i] : args->keyword[k];
                if (i >= args->n) used[k] = true;
            } else if (i >= first_default) {
                if (!tpl_eval(r, def->defaults.items[i - first_default], frame, &value)) return false;
            } else {
                tpl_text *words = tpl_text_new(&r->pool, 64);
                if (!words || !tpl_puts(&r->pool, words, "parameter '") || !tpl_puts(&r->pool, words, param->name) ||
                    !tpl_puts(&r->pool, words, "' was not provided") || !tpl_put(&r->pool, words, "", 1, true) || !tpl_undefined_hint(r, words->data, &value))
                    return false;
            }
            if (!tpl_frame_set(r, frame, param->slot, value)) return false;
        }
    }
    return true;
}

bool tpl_call_macro(tpl_render *r, tpl_macro *macro, const tpl_args *args, tpl_value *out)
{
    const tpl_macro_def *def = macro->def;
    tpl_frame *frame = tpl_frame_new(r, macro->frame);
    bool *used = tpl_get(&r->pool, args->n_keys + 1, sizeof *used);
    const tpl_node *here = r->node;
    if (!frame || !used) return false;
    if (def->takes_caller) {
        uint32_t k = key_index(args, "caller");
        tpl_value caller;
        if (k < args->n_keys) {
            used[k] = true;
            caller = args->keyword[k];
        } else if (!tpl_undefined_hint(r, "No caller defined", &caller)) {
            return false;
        }
        if (!tpl_frame_set(r, frame, def->caller_slot, caller)) return false;
    }
    if (!bind_params(r, def, args, used, frame)) return false;
    r->node = here;
    if (!leftover_keys(r, def, args, used, frame) || !leftover_positional(r, def, args, frame)) return false;
    return capture(r, &def->body, frame, out) == FLOW_ON;
}

/* ---- statements ---- */

static tpl_flow run_if(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_value test;
    if (!tpl_eval(r, node->a, frame, &test)) return FLOW_ERROR;
    return tpl_exec(r, tpl_truth(test) ? &node->list : &node->orelse, frame);
}

static tpl_flow run(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_value value;
    bool ok = true;
    switch ((tpl_node_kind)node->kind) {
    case N_DATA: ok = tpl_put_str(&r->pool, r->out, node->value); break;
    case N_PRINT: ok = tpl_eval(r, node->a, frame, &value) && (r->node = node->a, tpl_put_value(r, r->out, value)); break;
    case N_IF: return run_if(r, node, frame);
    case N_FOR: return run_for(r, node, frame);
    case N_SET: ok = run_set(r, node, frame); break;
    case N_SET_BLOCK: return run_set_block(r, node, frame);
    case N_MACRO: ok = define(r, node->macro, frame, &value) && tpl_frame_set(r, frame, node->a->slot, value); break;
    case N_CALL_BLOCK: ok = run_call_block(r, node, frame); break;
    case N_FILTER_BLOCK: return run_filter_block(r, node, frame);
    case N_WITH: return run_with(r, node, frame);
    case N_SCOPE: {
        tpl_frame *inner = tpl_frame_new(r, node->fresh ? r->root : frame);
        return inner ? tpl_exec(r, &node->list, inner) : FLOW_ERROR;
    }
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
