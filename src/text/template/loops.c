/* Runs a template's for loops, recursive ones too. Called by exec.c, and by eval.c where a template
 * calls its loop; the loop variable's attributes are iter.c's. */
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

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

static bool open_loop(tpl_render *r, tpl_loop *loop, tpl_value iterable)
{
    const tpl_node *node = loop->node;
    tpl_frame *frame = loop->frame;
    loop->iterable = iterable;
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

/* Round after round; *any: one of them came to its end. */
static tpl_flow run_rounds(tpl_render *r, tpl_loop *loop, bool *any)
{
    const tpl_node *node = loop->node;
    tpl_frame *round = NULL;
    uint32_t slot;
    bool more, has_loop = find_slot(r->v, "loop", &slot);
    for (*any = false;;) {
        if (!tpl_loop_next(r, loop, &more)) return FLOW_ERROR;
        if (!more) return FLOW_ON;
        if (!tpl_work(&r->pool, 1)) return FLOW_ERROR;
        if (!round || round->captured) round = tpl_frame_new(r, loop->frame);
        if (!round) return FLOW_ERROR;
        round->n = 0;
        if (!tpl_assign(r, node->a, round, loop->current)) return FLOW_ERROR;
        if (has_loop && !tpl_frame_set(r, round, slot, (tpl_value){ .kind = TPL_LOOP, .loop = loop }))
            return FLOW_ERROR;
        tpl_flow flow = tpl_exec(r, &node->list, round);
        if (flow == FLOW_ERROR) return flow;
        if (flow == FLOW_BREAK) return FLOW_ON;
        *any = *any || flow == FLOW_ON;      /* as in Jinja, else runs where no round came to its end */
    }
}

static tpl_flow run_loop(tpl_render *r, const tpl_node *node, tpl_frame *frame, tpl_value iterable, uint32_t depth0)
{
    bool any;
    tpl_loop *loop = tpl_get(&r->pool, 1, sizeof *loop);
    if (!loop) return FLOW_ERROR;
    *loop = (tpl_loop){ .index0 = -1, .length = -1, .node = node, .frame = frame, .depth0 = depth0 };
    if (!open_loop(r, loop, iterable) || run_rounds(r, loop, &any) == FLOW_ERROR) return FLOW_ERROR;
    if (any || !node->orelse.n) return FLOW_ON;
    tpl_frame *inner = tpl_frame_new(r, frame);
    return inner ? tpl_exec(r, &node->orelse, inner) : FLOW_ERROR;
}

tpl_flow tpl_run_for(tpl_render *r, const tpl_node *node, tpl_frame *frame)
{
    tpl_value iterable;
    return tpl_eval(r, node->b, frame, &iterable) ? run_loop(r, node, frame, iterable, 0) : FLOW_ERROR;
}

bool tpl_call_loop(tpl_render *r, tpl_loop *loop, const tpl_args *args, tpl_value *out)
{
    tpl_value iterable;
    if (!tpl_bind(r, "LoopContext.__call__", args, "iterable", 1, &iterable)) return false;
    if (!loop->node->recursive)
        return tpl_raise(r, "TypeError", "The loop must have the 'recursive' marker to be called recursively.");
    tpl_text *around = r->out, *text = tpl_text_new(&r->pool, 64);
    if (!text) return false;
    r->out = text;
    tpl_flow flow = run_loop(r, loop->node, loop->frame, iterable, loop->depth0 + 1);
    r->out = around;
    *out = tpl_text_value(text);
    return flow == FLOW_ON;
}
