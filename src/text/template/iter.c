/* Walking values: for loops, list(), join and whatever else asks for items one by one; and the loop
 * variable. Iterators are lazy, as Python's are: a filter such as map looks at an item when it is
 * asked for it. */
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

static int next_item(tpl_render *r, tpl_iter *it, tpl_value *out)
{
    (void)r;
    if (it->at >= it->source.n) return 0;
    *out = tpl_items(it->source)[it->at++];
    return 1;
}

static int next_char(tpl_render *r, tpl_iter *it, tpl_value *out)
{
    size_t at = (size_t)it->at;
    (void)r;
    if (at >= it->source.n) return 0;
    tpl_decode(tpl_data(it->source), it->source.n, &at);
    *out = tpl_cut(it->source, (size_t)it->at, at);
    out->sub = 0;
    it->at = (int64_t)at;
    return 1;
}

static int next_pair(tpl_render *r, tpl_iter *it, tpl_value *out)
{
    const tpl_dict *dict = it->source.dict;
    if (it->at >= dict->n) return 0;
    const tpl_pair *pair = &dict->pairs[it->at++];
    if (it->source.kind == TPL_DICT || it->source.sub == TPL_KEYS) *out = pair->key;
    else if (it->source.sub == TPL_VALUES) *out = pair->value;
    else return tpl_pair_of(&r->pool, pair->key, pair->value, out) ? 1 : -1;
    return 1;
}

static int next_number(tpl_render *r, tpl_iter *it, tpl_value *out)
{
    const tpl_range *range = it->source.range;
    (void)r;
    if (it->at >= range->n) return 0;
    *out = tpl_int(range->start + it->at++ * range->step);
    return 1;
}

static int next_nothing(tpl_render *r, tpl_iter *it, tpl_value *out)
{
    (void)r;
    (void)it;
    (void)out;
    return 0;
}

/* A loop variable walks on over what its loop has left. */
static int next_of_loop(tpl_render *r, tpl_iter *it, tpl_value *out)
{
    bool more;
    if (!tpl_loop_next(r, it->source.loop, &more)) return -1;
    if (!more) return 0;
    return tpl_pair_of(&r->pool, it->source.loop->current, it->source, out) ? 1 : -1;
}

tpl_iter *tpl_iterate(tpl_render *r, tpl_value v)
{
    tpl_iter *it = v.kind == TPL_ITER ? v.iter : tpl_get(&r->pool, 1, sizeof *it);
    if (!it || v.kind == TPL_ITER) return it;
    it->source = v;
    switch ((tpl_kind)v.kind) {
    case TPL_LIST:
    case TPL_TUPLE: it->next = next_item; break;
    case TPL_STR: it->next = next_char; break;
    case TPL_DICT:
    case TPL_VIEW: it->next = next_pair; break;
    case TPL_RANGE: it->next = next_number; break;
    case TPL_UNDEFINED: it->next = next_nothing; break;
    case TPL_LOOP: it->next = next_of_loop; break;
    case TPL_SELF: return tpl_raise(r, "KeyError", "0"), NULL;      /* walked by numbers, which no block is called */
    default: return tpl_raise(r, "TypeError", "'%s' object is not iterable", tpl_type_name(v)), NULL;
    }
    it->type = "generator";
    return it;
}

int tpl_next(tpl_render *r, tpl_iter *it, tpl_value *out)
{
    if (!tpl_enter(r)) return -1;
    int got = it->next(r, it, out);
    tpl_leave(r);
    return got;
}

bool tpl_iter_value(tpl_render *r, tpl_iter *it, tpl_value *out)
{
    (void)r;
    *out = (tpl_value){ .kind = TPL_ITER, .iter = it };
    return true;
}

bool tpl_to_array(tpl_render *r, tpl_value v, tpl_array **out)
{
    tpl_iter *it = tpl_iterate(r, v);
    tpl_value item;
    tpl_array *array = NULL;
    if (it) array = tpl_array_new(&r->pool, v.kind == TPL_LIST || v.kind == TPL_TUPLE ? v.n : 0);
    if (!array) return false;
    for (;;) {
        int got = tpl_next(r, it, &item);
        if (got < 0) return false;
        if (!got) break;
        if (!tpl_append(&r->pool, array, item)) return false;
    }
    *out = array;
    return true;
}

/* ---- the loop variable ---- */

static bool peek(tpl_render *r, tpl_loop *loop)
{
    if (loop->after.kind != TPL_MISSING || loop->ended) return true;
    int got = tpl_next(r, loop->it, &loop->after);
    if (got < 0) return false;
    if (!got) {
        loop->ended = true;
        loop->after = (tpl_value){ 0 };
    }
    return true;
}

bool tpl_loop_next(tpl_render *r, tpl_loop *loop, bool *more)
{
    if (!peek(r, loop)) return false;
    *more = loop->after.kind != TPL_MISSING;
    if (!*more) return true;
    loop->before = loop->current;
    loop->current = loop->after;
    loop->after = (tpl_value){ 0 };
    loop->index0++;
    return true;
}

/* Of an iterator, whose length is not known, the rest is read into a list first. */
static bool loop_length(tpl_render *r, tpl_loop *loop)
{
    tpl_array *rest;
    tpl_value left;
    if (loop->length >= 0) return true;
    if (loop->iterable.kind != TPL_ITER) return tpl_length(r, loop->iterable, &loop->length);
    if (!tpl_iter_value(r, loop->it, &left) || !tpl_to_array(r, left, &rest)) return false;
    loop->length = rest->used + loop->index0 + 1 + (loop->after.kind != TPL_MISSING);
    return (loop->it = tpl_iterate(r, tpl_list_of(rest, TPL_LIST))) != NULL;
}

bool tpl_loop_attr(tpl_render *r, tpl_loop *loop, const char *name, tpl_value *out)
{
    *out = (tpl_value){ 0 };
    if (strcmp(name, "index") == 0) *out = tpl_int(loop->index0 + 1);
    else if (strcmp(name, "index0") == 0) *out = tpl_int(loop->index0);
    else if (strcmp(name, "first") == 0) *out = tpl_bool(loop->index0 == 0);
    else if (strcmp(name, "depth") == 0) *out = tpl_int(loop->depth0 + 1);
    else if (strcmp(name, "depth0") == 0) *out = tpl_int(loop->depth0);
    else if (strcmp(name, "last") == 0) {
        if (!peek(r, loop)) return false;
        *out = tpl_bool(loop->after.kind == TPL_MISSING);
    } else if (strcmp(name, "length") == 0 || strcmp(name, "revindex") == 0 || strcmp(name, "revindex0") == 0) {
        if (!loop_length(r, loop)) return false;
        *out = tpl_int(name[0] == 'l' ? loop->length : loop->length - loop->index0 - (name[8] == '0'));
    } else if (strcmp(name, "previtem") == 0) {
        if (loop->index0 == 0) return tpl_undefined_hint(r, "there is no previous item", out);
        *out = loop->before;
    } else if (strcmp(name, "nextitem") == 0) {
        if (!peek(r, loop)) return false;
        if (loop->after.kind == TPL_MISSING) return tpl_undefined_hint(r, "there is no next item", out);
        *out = loop->after;
    }
    return true;
}

static bool cycle(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    if (!args->n) return tpl_raise(r, "TypeError", "no items for cycling given");
    *out = args->positional[self.loop->index0 % args->n];
    return true;
}

static bool changed(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    tpl_array *array = tpl_array_new(&r->pool, args->n);
    for (uint32_t i = 0; array && i < args->n; i++)
        if (!tpl_append(&r->pool, array, args->positional[i])) return false;
    if (!array) return false;
    tpl_value now = tpl_list_of(array, TPL_TUPLE);
    *out = tpl_bool(!tpl_equal(&r->pool, self.loop->changed, now));
    self.loop->changed = now;
    return true;
}

const tpl_function tpl_methods_loop[] = { { "cycle", cycle }, { "changed", changed }, { NULL, NULL } };
