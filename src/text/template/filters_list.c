/* The filters that take a sequence apart, order it or sum it up. Called by eval.c and by map.
 * Source: Jinja 3.1, "List of Builtin Filters". */
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

enum { FEW_ITEMS = 64 };

#define FILTER(name) static bool name(tpl_render *r, tpl_value v, const tpl_args *args, tpl_value *out)

static bool make_iter(tpl_render *r, tpl_iter made, tpl_value *out)
{
    tpl_iter *it = tpl_get(&r->pool, 1, sizeof *it);
    if (!it) return false;
    *it = made;
    return tpl_iter_value(r, it, out);
}

FILTER(length)
{
    int64_t n;
    if (args->n || args->n_keys)
        return tpl_raise(r, "TypeError", "len() takes exactly one argument (%u given)", args->n + 1);
    if (!tpl_length(r, v, &n)) return false;
    *out = tpl_int(n);
    return true;
}

FILTER(default_)
{
    tpl_value slots[2];
    if (!tpl_bind(r, "do_default", args, "default_value boolean", 0, slots)) return false;
    bool replaced = v.kind == TPL_UNDEFINED || (tpl_truth(slots[1]) && !tpl_truth(v));
    *out = v;
    if (!replaced) return true;
    *out = slots[0];
    return slots[0].kind != TPL_MISSING || tpl_str(&r->pool, "", out);
}

FILTER(list)
{
    tpl_array *array;
    if (!tpl_bind(r, "do_list", args, "", 0, NULL) || !tpl_to_array(r, v, &array)) return false;
    *out = tpl_list_of(array, TPL_LIST);
    return true;
}

FILTER(first)
{
    tpl_iter *it = tpl_bind(r, "do_first", args, "", 0, NULL) ? tpl_iterate(r, v) : NULL;
    int got = it ? tpl_next(r, it, out) : -1;
    if (got < 0) return false;
    return got || tpl_undefined_hint(r, "No first item, sequence was empty.", out);
}

/* The items backwards, as an array. */
static bool backwards(tpl_render *r, tpl_value v, tpl_array **out)
{
    if (!tpl_to_array(r, v, out)) return false;
    for (uint32_t i = 0, n = (*out)->used; i < n / 2; i++) {
        tpl_value swap = (*out)->items[i];
        (*out)->items[i] = (*out)->items[n - 1 - i];
        (*out)->items[n - 1 - i] = swap;
    }
    return true;
}

FILTER(last)
{
    tpl_array *array;
    if (!tpl_bind(r, "do_last", args, "", 0, NULL)) return false;
    if (v.kind == TPL_ITER || v.kind == TPL_LOOP)
        return tpl_raise(r, "TypeError", "'%s' object is not reversible", tpl_type_name(v));
    if (tpl_is_number(v) || v.kind == TPL_NONE)
        return tpl_raise(r, "TypeError", "'%s' object is not reversible", tpl_type_name(v));
    if ((v.kind == TPL_LIST || v.kind == TPL_TUPLE) && v.n) return *out = tpl_items(v)[v.n - 1], true;
    if (!tpl_to_array(r, v, &array)) return false;
    if (!array->used) return tpl_undefined_hint(r, "No last item, sequence was empty.", out);
    *out = array->items[array->used - 1];
    return true;
}

static int next_reversed(tpl_render *r, tpl_iter *it, tpl_value *out)
{
    (void)r;
    if (it->at >= it->source.n) return 0;
    *out = tpl_items(it->source)[it->at++];
    return 1;
}

FILTER(reverse)
{
    tpl_array *array;
    if (!tpl_bind(r, "do_reverse", args, "", 0, NULL)) return false;
    if (v.kind == TPL_STR) return tpl_slice(r, v, tpl_none(), tpl_none(), tpl_int(-1), out);
    if (tpl_is_number(v) || v.kind == TPL_NONE) return tpl_raise(r, "FilterArgumentError", "argument must be iterable");
    if (!backwards(r, v, &array)) return false;
    tpl_value items = tpl_list_of(array, TPL_LIST);
    if (v.kind == TPL_ITER) return *out = items, true;
    const char *type = "reversed";
    if (v.kind == TPL_LIST) type = "list_reverseiterator";
    else if (v.kind == TPL_DICT) type = "dict_reversekeyiterator";
    return make_iter(r, (tpl_iter){ .next = next_reversed, .type = type, .source = items }, out);
}

FILTER(join)
{
    tpl_value slots[2], item;
    tpl_text *text = tpl_text_new(&r->pool, 64);
    if (!text || !tpl_bind(r, "do_join", args, "d attribute", 0, slots)) return false;
    if (slots[0].kind == TPL_MISSING && !tpl_str(&r->pool, "", &slots[0])) return false;
    if (!tpl_to_str(r, slots[0], &slots[0])) return false;
    tpl_iter *it = tpl_iterate(r, v);
    for (bool any = false; it; any = true) {
        int got = tpl_next(r, it, &item);
        if (got < 0) return false;
        if (!got) break;
        if (!tpl_attribute(r, item, slots[1], (tpl_value){ 0 }, &item)) return false;
        if ((any && !tpl_put_str(&r->pool, text, slots[0])) || !tpl_put_value(r, text, item)) return false;
    }
    *out = tpl_text_value(text);
    return it != NULL;
}

static int next_pair(tpl_render *r, tpl_iter *it, tpl_value *out)
{
    if (it->source.kind == TPL_UNDEFINED) return 0;
    if (it->source.kind != TPL_DICT) return tpl_raise(r, "TypeError", "Can only get item pairs from a mapping."), -1;
    if (it->at >= it->source.dict->n) return 0;
    const tpl_pair *pair = &it->source.dict->pairs[it->at++];
    return tpl_pair_of(&r->pool, pair->key, pair->value, out) ? 1 : -1;
}

FILTER(items)
{
    return tpl_bind(r, "do_items", args, "", 0, NULL) &&
           make_iter(r, (tpl_iter){ .next = next_pair, .type = "generator", .source = v }, out);
}

FILTER(sum)
{
    tpl_value slots[2], item;
    if (!tpl_bind(r, "do_sum", args, "attribute start", 0, slots)) return false;
    *out = slots[1].kind == TPL_MISSING ? tpl_int(0) : slots[1];
    if (out->kind == TPL_STR) return tpl_raise(r, "TypeError", "sum() can't sum strings [use ''.join(seq) instead]");
    tpl_iter *it = tpl_iterate(r, v);
    while (it) {
        int got = tpl_next(r, it, &item);
        if (got < 0) return false;
        if (!got) return true;
        if (!tpl_attribute(r, item, slots[0], (tpl_value){ 0 }, &item) || !tpl_binary(r, '+', *out, item, out))
            return false;
    }
    return false;
}

/* ---- order ---- */

/* What an item is ordered by: its attribute, in lower case unless case matters. */
static bool key_of(tpl_render *r, tpl_value item, tpl_value attribute, bool fold, tpl_value fallback, tpl_value *out)
{
    if (!tpl_attribute(r, item, attribute, fallback, out)) return false;
    return !fold || out->kind != TPL_STR || tpl_find_method(TPL_STR, "lower")->run(r, *out, &(tpl_args){ 0 }, out);
}

/* The key of sort: of "a,b" the list of both. */
static bool keys_of(tpl_render *r, tpl_value item, tpl_value attribute, bool fold, tpl_value *out)
{
    tpl_value key;
    tpl_array *array = tpl_array_new(&r->pool, 1);
    bool text = attribute.kind == TPL_STR;
    if (!array) return false;
    for (uint32_t from = 0, to; from <= (text ? attribute.n : 0); from = to + 1) {
        for (to = from; text && to < attribute.n && tpl_data(attribute)[to] != ','; to++) continue;
        if (!key_of(r, item, text ? tpl_cut(attribute, from, to) : attribute, fold, (tpl_value){ 0 }, &key) ||
            !tpl_append(&r->pool, array, key))
            return false;
    }
    *out = tpl_list_of(array, TPL_LIST);
    return true;
}

static bool before(tpl_render *r, const tpl_pair *a, const tpl_pair *b, bool *out)
{
    return tpl_work(&r->pool, 1) && tpl_less(r, a->key, b->key, "<", out);
}

static void reverse_pairs(tpl_pair *a, uint32_t n)
{
    for (uint32_t i = 0; i < n / 2; i++) {
        tpl_pair swap = a[i];
        a[i] = a[n - 1 - i];
        a[n - 1 - i] = swap;
    }
}

/* A few items as CPython's list.sort takes them: the run that they begin with, then each of the
 * others by halving; where two of them cannot be compared, the same two are named. */
static bool insertion_sort(tpl_render *r, tpl_pair *a, uint32_t n)
{
    uint32_t run = 1;
    bool down = false, less = false;
    if (n < 2) return true;
    if (!before(r, &a[1], &a[0], &down)) return false;
    for (run = 2; run < n; run++) {
        if (!before(r, &a[run], &a[run - 1], &less)) return false;
        if (less != down) break;
    }
    if (down) reverse_pairs(a, run);
    for (; run < n; run++) {
        tpl_pair pivot = a[run];
        uint32_t lo = 0, hi = run;
        while (lo < hi) {
            uint32_t middle = lo + (hi - lo) / 2;
            if (!before(r, &pivot, &a[middle], &less)) return false;
            if (less) hi = middle;
            else lo = middle + 1;
        }
        memmove(a + lo + 1, a + lo, (run - lo) * sizeof *a);
        a[lo] = pivot;
    }
    return true;
}

static bool merge_sort(tpl_render *r, tpl_pair *a, tpl_pair *scratch, uint32_t n)
{
    uint32_t half = n / 2, i = 0, j = half, k = 0;
    if (n < FEW_ITEMS) return insertion_sort(r, a, n);
    if (!merge_sort(r, a, scratch, half) || !merge_sort(r, a + half, scratch, n - half)) return false;
    memcpy(scratch, a, n * sizeof *a);
    while (i < half && j < n) {
        bool right_first;
        if (!before(r, &scratch[j], &scratch[i], &right_first)) return false;
        a[k++] = right_first ? scratch[j++] : scratch[i++];
    }
    while (i < half) a[k++] = scratch[i++];
    while (j < n) a[k++] = scratch[j++];
    return true;
}

/* sorted(items), each by the key that stands beside it. Equal ones keep their order, backwards
 * too. */
static bool sort_pairs(tpl_render *r, tpl_pair *pairs, uint32_t n, bool reverse, tpl_value *out)
{
    tpl_pair *scratch = tpl_get(&r->pool, n, sizeof *scratch);
    tpl_array *array = tpl_array_new(&r->pool, n);
    if (!scratch || !array) return false;
    if (reverse) reverse_pairs(pairs, n);
    if (!merge_sort(r, pairs, scratch, n)) return false;
    if (reverse) reverse_pairs(pairs, n);
    for (uint32_t i = 0; i < n; i++)
        if (!tpl_append(&r->pool, array, pairs[i].value)) return false;
    *out = tpl_list_of(array, TPL_LIST);
    return true;
}

FILTER(sort)
{
    tpl_value slots[3];
    tpl_array *items;
    if (!tpl_bind(r, "do_sort", args, "reverse case_sensitive attribute", 0, slots) || !tpl_to_array(r, v, &items))
        return false;
    tpl_pair *pairs = tpl_get(&r->pool, items->used, sizeof *pairs);
    for (uint32_t i = 0; pairs && i < items->used; i++) {
        pairs[i].value = items->items[i];
        if (!keys_of(r, items->items[i], slots[2], !tpl_truth(slots[1]), &pairs[i].key)) return false;
    }
    return pairs && sort_pairs(r, pairs, items->used, tpl_truth(slots[0]), out);
}

FILTER(dictsort)
{
    tpl_value slots[3], item;
    if (!tpl_bind(r, "do_dictsort", args, "case_sensitive by reverse", 0, slots)) return false;
    bool by_key = slots[1].kind == TPL_MISSING || tpl_is(slots[1], "key");
    if (!by_key && !tpl_is(slots[1], "value"))
        return tpl_raise(r, "FilterArgumentError", "You can only sort by either \"key\" or \"value\"");
    if (v.kind == TPL_UNDEFINED) return tpl_fail_undefined(r, v);
    if (v.kind != TPL_DICT)
        return tpl_raise(r, "AttributeError", "'%s' object has no attribute 'items'", tpl_type_name(v));
    tpl_pair *pairs = tpl_get(&r->pool, v.dict->n, sizeof *pairs);
    for (uint32_t i = 0; pairs && i < v.dict->n; i++) {
        const tpl_pair *pair = &v.dict->pairs[i];
        if (!tpl_pair_of(&r->pool, pair->key, pair->value, &item)) return false;
        pairs[i].value = item;
        if (!key_of(r, by_key ? pair->key : pair->value, tpl_none(), !tpl_truth(slots[0]), (tpl_value){ 0 },
                    &pairs[i].key))
            return false;
    }
    return pairs && sort_pairs(r, pairs, v.dict->n, tpl_truth(slots[2]), out);
}

static bool extreme(tpl_render *r, const char *name, const char *op, tpl_value v, const tpl_args *args, tpl_value *out)
{
    tpl_value slots[2], item, key, best = { 0 };
    tpl_iter *it = tpl_bind(r, name, args, "case_sensitive attribute", 0, slots) ? tpl_iterate(r, v) : NULL;
    while (it) {
        bool better = best.kind == TPL_MISSING;
        int got = tpl_next(r, it, &item);
        if (got < 0) return false;
        if (!got) break;
        if (!key_of(r, item, slots[1], !tpl_truth(slots[0]), (tpl_value){ 0 }, &key)) return false;
        if (!better && !tpl_less(r, key, best, op, &better)) return false;
        if (!better) continue;
        best = key;
        *out = item;
    }
    if (it && best.kind == TPL_MISSING) return tpl_undefined_hint(r, "No aggregated item, sequence was empty.", out);
    return it != NULL;
}

FILTER(min) { return extreme(r, "do_min", "<", v, args, out); }
FILTER(max) { return extreme(r, "do_max", ">", v, args, out); }

static int next_unique(tpl_render *r, tpl_iter *it, tpl_value *out)
{
    for (;;) {
        tpl_value key;
        if (!it->inner && !(it->inner = tpl_iterate(r, it->source))) return -1;
        int got = tpl_next(r, it->inner, out);
        if (got <= 0) return got;
        if (!key_of(r, *out, it->state[0], it->negate, (tpl_value){ 0 }, &key) || !tpl_check_hashable(r, key))
            return -1;
        if (tpl_dict_find(&r->pool, it->state[1].dict, key)) continue;
        return tpl_dict_set(&r->pool, it->state[1].dict, key, tpl_none()) ? 1 : -1;
    }
}

FILTER(unique)
{
    tpl_value slots[2];
    if (!tpl_bind(r, "do_unique", args, "case_sensitive attribute", 0, slots)) return false;
    tpl_value seen = { .kind = TPL_DICT, .dict = tpl_dict_new(&r->pool) };
    if (!seen.dict) return false;
    return make_iter(r, (tpl_iter){ .next = next_unique, .type = "generator", .source = v, .state = { slots[1], seen },
                                    .negate = !tpl_truth(slots[0]) }, out);
}

FILTER(groupby)
{
    tpl_value slots[3], sorted, key, last = { 0 }, group;
    tpl_array *items, *groups = tpl_array_new(&r->pool, 4), *members = NULL;
    if (!groups || !tpl_bind(r, "do_groupby", args, "attribute default case_sensitive", 1, slots) ||
        !tpl_to_array(r, v, &items))
        return false;
    bool fold = !tpl_truth(slots[2]);
    tpl_pair *pairs = tpl_get(&r->pool, items->used, sizeof *pairs);
    for (uint32_t i = 0; pairs && i < items->used; i++) {
        pairs[i].value = items->items[i];
        if (!key_of(r, items->items[i], slots[0], fold, slots[1], &pairs[i].key)) return false;
    }
    if (!pairs || !sort_pairs(r, pairs, items->used, false, &sorted)) return false;
    for (uint32_t i = 0; i < items->used; i++) {
        if (!members || !tpl_equal(&r->pool, last, pairs[i].key)) {
            if (!(members = tpl_array_new(&r->pool, 4))) return false;
            last = pairs[i].key;
            for (uint32_t k = i; k < items->used && tpl_equal(&r->pool, last, pairs[k].key); k++)
                if (!tpl_append(&r->pool, members, pairs[k].value)) return false;
            /* as the first of them has it */
            if (!tpl_attribute(r, pairs[i].value, slots[0], slots[1], &key)) return false;
            if (!tpl_pair_of(&r->pool, key, tpl_list_of(members, TPL_LIST), &group)) return false;
            group.sub = TPL_GROUP;
            if (!tpl_append(&r->pool, groups, group)) return false;
        }
    }
    *out = tpl_list_of(groups, TPL_LIST);
    return true;
}

/* ---- parts ---- */

static int next_batch(tpl_render *r, tpl_iter *it, tpl_value *out)
{
    tpl_value item;
    tpl_array *array = tpl_array_new(&r->pool, 4);
    int got = 0;
    if (!it->inner && !(it->inner = tpl_iterate(r, it->source))) return -1;
    while (array && array->used < it->state[0].i && (got = tpl_next(r, it->inner, &item)) > 0)
        if (!tpl_append(&r->pool, array, item) || !tpl_work(&r->pool, 1)) return -1;
    if (!array || got < 0) return -1;
    if (!array->used) return 0;
    while (it->state[1].kind > TPL_NONE && array->used < it->state[0].i)
        if (!tpl_append(&r->pool, array, it->state[1]) || !tpl_work(&r->pool, 1)) return -1;
    *out = tpl_list_of(array, TPL_LIST);
    return 1;
}

FILTER(batch)
{
    tpl_value slots[2];
    int64_t count;
    if (!tpl_bind(r, "do_batch", args, "linecount fill_with", 1, slots) || !tpl_need_int(r, slots[0], 1, &count))
        return false;
    if (count < 1) return tpl_refuse(r, "batch of %lld items", (long long)count);
    return make_iter(r, (tpl_iter){ .next = next_batch, .type = "generator", .source = v,
                                    .state = { tpl_int(count), slots[1] } }, out);
}

static int next_slice(tpl_render *r, tpl_iter *it, tpl_value *out)
{
    int64_t slices = it->state[0].i, k = it->at;
    if (!it->started) {
        tpl_array *all;
        if (!tpl_to_array(r, it->source, &all)) return -1;
        it->source = tpl_list_of(all, TPL_LIST);
        it->started = true;
    }
    if (k >= slices || !tpl_work(&r->pool, 1)) return k >= slices ? 0 : -1;
    int64_t each = it->source.n / slices, extra = it->source.n % slices;
    int64_t from = k * each + (k < extra ? k : extra), to = from + each + (k < extra);
    tpl_array *array = tpl_array_new(&r->pool, (size_t)(to - from) + 1);
    for (int64_t i = from; array && i < to; i++)
        if (!tpl_append(&r->pool, array, tpl_items(it->source)[i])) return -1;
    if (array && it->state[1].kind > TPL_NONE && k >= extra && !tpl_append(&r->pool, array, it->state[1])) return -1;
    it->at++;
    if (array) *out = tpl_list_of(array, TPL_LIST);
    return array ? 1 : -1;
}

FILTER(slice)
{
    tpl_value slots[2];
    int64_t count;
    if (!tpl_bind(r, "do_slice", args, "slices fill_with", 1, slots) || !tpl_need_int(r, slots[0], 1, &count))
        return false;
    if (count == 0) return tpl_raise(r, "ZeroDivisionError", "integer division or modulo by zero");
    return make_iter(r, (tpl_iter){ .next = next_slice, .type = "generator", .source = v,
                                    .state = { tpl_int(count), slots[1] } }, out);
}

const tpl_filter tpl_filters_list[] = {
    { "length", length }, { "count", length },   { "default", default_ }, { "d", default_ },       { "list", list },
    { "first", first },
    { "last", last },     { "reverse", reverse }, { "join", join },       { "items", items },      { "sum", sum },
    { "sort", sort },
    { "dictsort", dictsort }, { "min", min },    { "max", max },          { "unique", unique },
    { "groupby", groupby }, { "batch", batch },
    { "slice", slice },   { NULL, NULL },
};
