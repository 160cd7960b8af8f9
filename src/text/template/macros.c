/* Defines and calls a template's macros and call blocks. Called by exec.c and, for calls within
 * expressions, by eval.c. */
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

bool tpl_define_macro(tpl_render *r, const tpl_macro_def *def, tpl_frame *frame, tpl_value *out)
{
    tpl_macro *macro = tpl_get(&r->pool, 1, sizeof *macro);
    if (!macro) return false;
    *macro = (tpl_macro){ def, frame };
    for (tpl_frame *f = frame; f && !f->captured; f = f->outer) f->captured = true;
    *out = (tpl_value){ .kind = TPL_MACRO, .macro = macro };
    return true;
}

bool tpl_run_call_block(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_value callee, caller, result;
    tpl_args args;
    if (!tpl_define_macro(r, node->macro, frame, &caller) || !tpl_eval(r, node->a->a, frame, &callee) ||
        !tpl_eval_args(r, node->a->args, frame, &args))
        return false;
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
static bool leftover_keys(tpl_render *r, const tpl_macro_def *def, const tpl_args *args, const bool *used,
                          tpl_frame *frame)
{
    tpl_dict *rest = def->takes_kwargs ? tpl_dict_new(&r->pool) : NULL;
    const char *name = def->name ? def->name : "None";
    const char *quote = def->name ? "'" : "";
    if (def->takes_kwargs && !rest) return false;
    for (uint32_t i = 0; i < args->n_keys; i++) {
        tpl_value key;
        if (used[i]) continue;
        if (!rest && strcmp(args->keys[i], "caller") == 0)
            return tpl_raise(r, "TypeError", "macro %s%s%s was invoked with two values for the special caller "
                             "argument. This is most likely a bug.", quote, name, quote);
        if (!rest)
            return tpl_raise(r, "TypeError", "macro %s%s%s takes no keyword argument '%s'", quote, name, quote,
                             args->keys[i]);
        if (!tpl_str(&r->pool, args->keys[i], &key) || !tpl_dict_set(&r->pool, rest, key, args->keyword[i]))
            return false;
    }
    return !rest || tpl_frame_set(r, frame, def->kwargs_slot, (tpl_value){ .kind = TPL_DICT, .dict = rest });
}

static bool leftover_positional(tpl_render *r, const tpl_macro_def *def, const tpl_args *args, tpl_frame *frame)
{
    uint32_t taken = args->n < def->params.n ? args->n : def->params.n;
    if (!def->takes_varargs) {
        if (args->n <= def->params.n) return true;
        if (!def->name)
            return tpl_raise(r, "TypeError", "macro None takes not more than %u argument(s)", def->params.n);
        return tpl_raise(r, "TypeError", "macro '%s' takes not more than %u argument(s)", def->name, def->params.n);
    }
    tpl_array *rest = tpl_array_new(&r->pool, args->n - taken);
    for (uint32_t i = taken; rest && i < args->n; i++)
        if (!tpl_append(&r->pool, rest, args->positional[i])) return false;
    return rest && tpl_frame_set(r, frame, def->varargs_slot, tpl_list_of(rest, TPL_TUPLE));
}

/* Gives every parameter its value; defaults are evaluated in order, once all that was passed is
 * known. */
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
                tpl_text *message = tpl_text_new(&r->pool, 64);
                if (!message || !tpl_puts(&r->pool, message, "parameter '") ||
                    !tpl_puts(&r->pool, message, param->name) || !tpl_puts(&r->pool, message, "' was not provided") ||
                    !tpl_put(&r->pool, message, "", 1, true) || !tpl_undefined_hint(r, message->data, &value))
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
    return tpl_capture(r, &def->body, frame, out) == FLOW_ON;
}
