/* The methods of Python's strings that cut, search and join; those of case are case.c's, format is
 * format.c's. Slices of a string share its text, so that what came from a message stays known as
 * such. */
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

#define METHOD(name) static bool name(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)

/* Binds what a method of C's in Python takes: by position only, unless the names are known to
 * it. */
static bool bind(tpl_render *r, const char *name, const tpl_args *args, const char *names, int required, bool by_name,
                 tpl_value *slots)
{
    if (!by_name && args->n_keys) return tpl_raise(r, "TypeError", "str.%s() takes no keyword arguments", name);
    return tpl_bind(r, name, args, names, required, slots);
}

static bool need_str(tpl_render *r, tpl_value v, const char *what)
{
    return v.kind == TPL_STR || tpl_raise(r, "TypeError", "%s must be str, not %s", what, tpl_type_name(v));
}

/* The last place of part in data's bytes [from, to), by a rolling sum, so that the time stays
 * linear; -1 if there is none. */
static int64_t find_last(const char *data, size_t from, size_t to, const char *part, size_t n)
{
    uint64_t want = 0, sum = 0, top = 1;
    for (size_t i = n; i-- > 0;) {
        want = want * 257 + (unsigned char)part[i];
        sum = sum * 257 + (unsigned char)data[to - n + i];
        if (i) top *= 257;
    }
    for (size_t at = to - n;; at--) {
        if (sum == want && memcmp(data + at, part, n) == 0) return (int64_t)at;
        if (at == from) return -1;
        sum = n ? (sum - top * (unsigned char)data[at + n - 1]) * 257 + (unsigned char)data[at - 1] : 0;
    }
}

static bool need_part(tpl_render *r, tpl_value v)
{
    return v.kind == TPL_STR || tpl_raise(r, "TypeError", "must be str, not %s", tpl_type_name(v));
}

/* The place of part in [from, to) of text's bytes, or -1; backwards: the last one. */
static int64_t find(tpl_value text, tpl_value part, size_t from, size_t to, bool backwards)
{
    const char *data = tpl_data(text);
    if (from > to || to - from < part.n) return -1;
    if (!backwards) {
        const char *at = memmem(data + from, to - from, tpl_data(part), part.n);
        return at ? at - data : -1;
    }
    return find_last(data, from, to, tpl_data(part), part.n);
}

/* ---- strip ---- */

static bool in_set(tpl_value set, const char *c, size_t n)
{
    if (set.kind != TPL_STR) {
        size_t at = 0;
        return tpl_is_space(tpl_decode(c, n, &at));
    }
    for (size_t i = 0; i < set.n;) {
        size_t from = i;
        tpl_decode(tpl_data(set), set.n, &i);
        if (i - from == n && memcmp(tpl_data(set) + from, c, n) == 0) return true;
    }
    return false;
}

static bool strip_sides(tpl_render *r, const char *name, tpl_value s, const tpl_args *args, bool left, bool right,
                        tpl_value *out)
{
    tpl_value set;
    const char *data = tpl_data(s);
    size_t from = 0, to = s.n;
    if (!bind(r, name, args, "chars", 0, false, &set)) return false;
    if (set.kind != TPL_STR && set.kind != TPL_NONE && set.kind != TPL_MISSING)
        return tpl_raise(r, "TypeError", "%s arg must be None or str", name);
    while (left && from < to) {
        size_t next = from;
        tpl_decode(data, s.n, &next);
        if (!in_set(set, data + from, next - from)) break;
        from = next;
    }
    while (right && to > from) {
        size_t k = to - 1;
        while (k > from && ((unsigned char)data[k] & 0xC0) == 0x80) k--;
        if (!in_set(set, data + k, to - k)) break;
        to = k;
    }
    *out = tpl_cut(s, from, to);
    return tpl_work(&r->pool, (s.n - (to - from)) * (size_t)(1 + (set.kind == TPL_STR ? set.n / 8 : 0)) / 8);
}

METHOD(strip) { return strip_sides(r, "strip", self, args, true, true, out); }
METHOD(lstrip) { return strip_sides(r, "lstrip", self, args, true, false, out); }
METHOD(rstrip) { return strip_sides(r, "rstrip", self, args, false, true, out); }

METHOD(removeprefix)
{
    tpl_value part;
    if (!bind(r, "removeprefix", args, "prefix", 1, false, &part) || !need_str(r, part, "removeprefix() argument"))
        return false;
    *out = part.n <= self.n && memcmp(tpl_data(self), tpl_data(part), part.n) == 0
               ? tpl_cut(self, part.n, self.n) : self;
    return true;
}

METHOD(removesuffix)
{
    tpl_value part;
    if (!bind(r, "removesuffix", args, "suffix", 1, false, &part) || !need_str(r, part, "removesuffix() argument"))
        return false;
    bool has = part.n && part.n <= self.n && memcmp(tpl_data(self) + self.n - part.n, tpl_data(part), part.n) == 0;
    *out = has ? tpl_cut(self, 0, self.n - part.n) : self;
    return true;
}

/* ---- split ---- */

/* Words between whitespace, at most max cuts, from either end. */
static bool split_space(tpl_render *r, tpl_value s, int64_t max, bool backwards, tpl_array *out)
{
    const char *data = tpl_data(s);
    size_t from = 0, to = s.n;
    tpl_value rest = s, none = tpl_none();
    tpl_args no = { .positional = &none, .n = 1 };
    for (;;) {
        if (!strip_sides(r, "split", rest, &no, true, true, &rest)) return false;
        if (!rest.n) return true;
        if (max-- == 0) break;
        data = tpl_data(rest);
        from = 0;
        to = rest.n;
        if (!backwards) {
            size_t end = 0, next = 0;
            while (next < rest.n && !tpl_is_space(tpl_decode(data, rest.n, &next))) end = next;
            to = end;
        } else {
            size_t k = rest.n;
            while (k) {
                size_t i = k - 1;
                while (i && ((unsigned char)data[i] & 0xC0) == 0x80) i--;
                size_t next = i;
                if (tpl_is_space(tpl_decode(data, rest.n, &next))) break;
                k = i;
            }
            from = k;
        }
        if (!tpl_append(&r->pool, out, tpl_cut(rest, from, to)) || !tpl_work(&r->pool, 1 + (to - from) / 8))
            return false;
        rest = backwards ? tpl_cut(rest, 0, from) : tpl_cut(rest, to, rest.n);
    }
    /* what is left keeps the whitespace on its far side */
    if (!backwards) rest = tpl_cut(s, rest.at - s.at, s.n);
    else rest = tpl_cut(s, 0, rest.at - s.at + rest.n);
    return tpl_append(&r->pool, out, rest);
}

static bool split_at(tpl_render *r, tpl_value s, tpl_value separator, int64_t max, bool backwards, tpl_array *out)
{
    size_t from = 0, to = s.n;
    if (!separator.n) return tpl_raise(r, "ValueError", "empty separator");
    if (!tpl_work(&r->pool, s.n / 32)) return false;
    for (; max != 0; max--) {
        int64_t at = find(s, separator, from, to, backwards);
        if (at < 0) break;
        tpl_value part = backwards ? tpl_cut(s, (size_t)at + separator.n, to) : tpl_cut(s, from, (size_t)at);
        if (!tpl_append(&r->pool, out, part) || !tpl_work(&r->pool, 1)) return false;
        if (backwards) to = (size_t)at;
        else from = (size_t)at + separator.n;
    }
    return tpl_append(&r->pool, out, tpl_cut(s, from, to));
}

static bool split_any(tpl_render *r, const char *name, tpl_value s, const tpl_args *args, bool backwards,
                      tpl_value *out)
{
    tpl_value slots[2];
    int64_t max;
    tpl_array *array = tpl_array_new(&r->pool, 0);
    if (!array || !tpl_bind(r, name, args, "sep maxsplit", 0, slots) || !tpl_need_int(r, slots[1], -1, &max))
        return false;
    bool by_space = slots[0].kind == TPL_MISSING || slots[0].kind == TPL_NONE;
    if (!by_space && slots[0].kind != TPL_STR)
        return tpl_raise(r, "TypeError", "must be str or None, not %s", tpl_type_name(slots[0]));
    if (by_space ? !split_space(r, s, max, backwards, array) : !split_at(r, s, slots[0], max, backwards, array))
        return false;
    for (uint32_t i = 0; backwards && i < array->used / 2; i++) {
        tpl_value swap = array->items[i];
        array->items[i] = array->items[array->used - 1 - i];
        array->items[array->used - 1 - i] = swap;
    }
    *out = tpl_list_of(array, TPL_LIST);
    return true;
}

METHOD(split) { return split_any(r, "split", self, args, false, out); }
METHOD(rsplit) { return split_any(r, "rsplit", self, args, true, out); }

static bool ends_line(int32_t c)
{
    return (c >= '\n' && c <= '\r') || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

METHOD(splitlines)
{
    tpl_value keep;
    tpl_array *array = tpl_array_new(&r->pool, 0);
    size_t from = 0;
    int64_t keeps;
    if (!array || !tpl_bind(r, "splitlines", args, "keepends", 0, &keep) || !tpl_need_int(r, keep, 0, &keeps) ||
        !tpl_work(&r->pool, self.n / 8))
        return false;
    for (size_t i = 0; i < self.n;) {
        size_t end = i;
        int32_t c = tpl_decode(tpl_data(self), self.n, &i);
        if (!ends_line(c)) continue;
        if (c == '\r' && i < self.n && tpl_data(self)[i] == '\n') i++;
        if (!tpl_append(&r->pool, array, tpl_cut(self, from, keeps ? i : end))) return false;
        from = i;
    }
    if (from < self.n && !tpl_append(&r->pool, array, tpl_cut(self, from, self.n))) return false;
    *out = tpl_list_of(array, TPL_LIST);
    return true;
}

static bool partition_at(tpl_render *r, const char *name, tpl_value s, const tpl_args *args, bool backwards,
                         tpl_value *out)
{
    tpl_value part;
    if (!bind(r, name, args, "sep", 1, false, &part) || !need_str(r, part, "argument")) return false;
    if (!part.n) return tpl_raise(r, "ValueError", "empty separator");
    int64_t at = find(s, part, 0, s.n, backwards);
    tpl_value empty = tpl_cut(s, 0, 0), pieces[3] = { s, empty, empty };
    if (at >= 0) {
        pieces[0] = tpl_cut(s, 0, (size_t)at);
        pieces[1] = tpl_cut(s, (size_t)at, (size_t)at + part.n);
        pieces[2] = tpl_cut(s, (size_t)at + part.n, s.n);
    } else if (backwards) {
        pieces[0] = empty;
        pieces[2] = s;
    }
    tpl_array *array = tpl_array_new(&r->pool, 3);
    for (int i = 0; array && i < 3; i++)
        if (!tpl_append(&r->pool, array, pieces[i])) return false;
    if (array) *out = tpl_list_of(array, TPL_TUPLE);
    return array && tpl_work(&r->pool, s.n / 32);
}

METHOD(partition) { return partition_at(r, "partition", self, args, false, out); }
METHOD(rpartition) { return partition_at(r, "rpartition", self, args, true, out); }

/* ---- search ---- */

/* The bytes that start and stop, in characters as Python counts them, cut out of s. */
static bool window(tpl_render *r, tpl_value s, tpl_value start, tpl_value stop, size_t *from, size_t *to)
{
    int64_t n = (int64_t)tpl_chars(s), a, b;
    if (!tpl_need_int(r, start, 0, &a) || !tpl_need_int(r, stop, n, &b)) return false;
    if (a < 0) a = a + n < 0 ? 0 : a + n;
    if (b < 0) b = b + n < 0 ? 0 : b + n;
    *from = a > n ? (size_t)s.n + 1 : tpl_byte_of(s, (size_t)a);
    *to = b >= n ? s.n : tpl_byte_of(s, (size_t)b);
    return tpl_work(&r->pool, s.n / 32);
}

static bool found_at(tpl_render *r, const char *name, tpl_value s, const tpl_args *args, bool backwards, bool must,
                     tpl_value *out)
{
    tpl_value slots[3];
    size_t from, to;
    if (!bind(r, name, args, "sub start end", 1, false, slots) || !need_part(r, slots[0])) return false;
    if (!window(r, s, slots[1], slots[2], &from, &to)) return false;
    int64_t at = find(s, slots[0], from, to, backwards);
    if (at < 0 && must) return tpl_raise(r, "ValueError", "substring not found");
    *out = tpl_int(at < 0 ? -1 : (int64_t)tpl_chars(tpl_cut(s, 0, (size_t)at)));
    return true;
}

METHOD(find_) { return found_at(r, "find", self, args, false, false, out); }
METHOD(rfind_) { return found_at(r, "rfind", self, args, true, false, out); }
METHOD(index_) { return found_at(r, "index", self, args, false, true, out); }
METHOD(rindex_) { return found_at(r, "rindex", self, args, true, true, out); }

METHOD(count)
{
    tpl_value slots[3];
    size_t from, to;
    int64_t n = 0;
    if (!bind(r, "count", args, "sub start end", 1, false, slots) || !need_part(r, slots[0])) return false;
    if (!window(r, self, slots[1], slots[2], &from, &to)) return false;
    if (!slots[0].n) {
        *out = tpl_int(from > to ? 0 : (int64_t)tpl_chars(tpl_cut(self, from, to)) + 1);
        return true;
    }
    for (int64_t at; (at = find(self, slots[0], from, to, false)) >= 0; n++) from = (size_t)at + slots[0].n;
    *out = tpl_int(n);
    return true;
}

static bool affix(tpl_render *r, const char *name, tpl_value s, const tpl_args *args, bool end, tpl_value *out)
{
    tpl_value slots[3];
    size_t from, to;
    bool yes = false;
    if (!bind(r, name, args, "prefix start end", 1, false, slots) || !window(r, s, slots[1], slots[2], &from, &to))
        return false;
    bool several = slots[0].kind == TPL_TUPLE;
    if (!several && slots[0].kind != TPL_STR)
        return tpl_raise(r, "TypeError", "%s first arg must be str or a tuple of str, not %s", name,
                         tpl_type_name(slots[0]));
    for (uint32_t i = 0; i < (several ? slots[0].n : 1) && !yes; i++) {
        tpl_value part = several ? tpl_items(slots[0])[i] : slots[0];
        if (part.kind != TPL_STR)
            return tpl_raise(r, "TypeError", "tuple for %s must only contain str, not %s", name, tpl_type_name(part));
        if (from > to || to - from < part.n) continue;
        yes = memcmp(tpl_data(s) + (end ? to - part.n : from), tpl_data(part), part.n) == 0;
    }
    *out = tpl_bool(yes);
    return true;
}

METHOD(startswith) { return affix(r, "startswith", self, args, false, out); }
METHOD(endswith) { return affix(r, "endswith", self, args, true, out); }

/* ---- make new strings ---- */

METHOD(replace)
{
    tpl_value slots[3];
    int64_t max;
    size_t from = 0;
    if (!bind(r, "replace", args, "old new count", 2, false, slots) || !tpl_need_int(r, slots[2], -1, &max))
        return false;
    if (!need_str(r, slots[0], "replace() argument 1") || !need_str(r, slots[1], "replace() argument 2")) return false;
    if (self.sub && !tpl_escape(r, slots[1], &slots[1])) return false;
    tpl_text *text = tpl_text_new(&r->pool, self.n);
    if (!text) return false;
    for (size_t at = 0; max != 0; max--) {
        int64_t next = slots[0].n ? find(self, slots[0], from, self.n, false) : (int64_t)at;
        if (next < 0 || (!slots[0].n && at > self.n)) break;
        if (!tpl_put_str(&r->pool, text, tpl_cut(self, from, (size_t)next)) || !tpl_put_str(&r->pool, text, slots[1]) ||
            !tpl_work(&r->pool, 1))
            return false;
        from = (size_t)next + slots[0].n;
        /* an empty part is found before every character and at the end */
        if (at < self.n) tpl_decode(tpl_data(self), self.n, &at);
        else at = self.n + 1;
    }
    if (!tpl_put_str(&r->pool, text, tpl_cut(self, from, self.n))) return false;
    *out = tpl_text_value(text);
    out->sub = self.sub;
    return true;
}

METHOD(join)
{
    tpl_value list, item;
    tpl_text *text = tpl_text_new(&r->pool, 64);
    if (!text || !bind(r, "join", args, "iterable", 1, false, &list)) return false;
    if (tpl_is_number(list) || list.kind == TPL_NONE) return tpl_raise(r, "TypeError", "can only join an iterable");
    tpl_iter *it = tpl_iterate(r, list);
    for (uint32_t i = 0; it; i++) {
        int got = tpl_next(r, it, &item);
        if (got < 0) return false;
        if (!got) break;
        if (self.sub && !tpl_escape(r, item, &item)) return false;
        if (item.kind != TPL_STR)
            return tpl_raise(r, "TypeError", "sequence item %u: expected str instance, %s found", i,
                             tpl_type_name(item));
        if ((i && !tpl_put_str(&r->pool, text, self)) || !tpl_put_str(&r->pool, text, item)) return false;
    }
    *out = tpl_text_value(text);
    out->sub = self.sub;
    return it != NULL;
}

static bool pad(tpl_render *r, tpl_value s, int64_t left, int64_t right, tpl_value fill, tpl_value *out)
{
    tpl_text *text = tpl_text_new(&r->pool, s.n);
    if (!text) return false;
    for (int64_t i = 0; i < left; i++)
        if (!tpl_put_str(&r->pool, text, fill) || !tpl_work(&r->pool, 1)) return false;
    if (!tpl_put_str(&r->pool, text, s)) return false;
    for (int64_t i = 0; i < right; i++)
        if (!tpl_put_str(&r->pool, text, fill) || !tpl_work(&r->pool, 1)) return false;
    *out = tpl_text_value(text);
    out->sub = s.sub;
    return true;
}

/* side: -1 the text stands left, 0 in the middle, 1 right. */
static bool justify(tpl_render *r, const char *name, tpl_value s, const tpl_args *args, int side, tpl_value *out)
{
    tpl_value slots[2];
    int64_t width, n = (int64_t)tpl_chars(s);
    if (!bind(r, name, args, "width fillchar", 1, false, slots) || !tpl_need_int(r, slots[0], 0, &width)) return false;
    if (slots[1].kind == TPL_MISSING && !tpl_str(&r->pool, " ", &slots[1])) return false;
    if (slots[1].kind != TPL_STR || tpl_chars(slots[1]) != 1)
        return tpl_raise(r, "TypeError", "The fill character must be exactly one character long");
    int64_t more = width > n ? width - n : 0;
    int64_t left;
    if (side < 0) left = 0;
    else if (side > 0) left = more;
    else left = more / 2 + (more & width & 1);
    return pad(r, s, left, more - left, slots[1], out);
}

METHOD(ljust) { return justify(r, "ljust", self, args, -1, out); }
METHOD(rjust) { return justify(r, "rjust", self, args, 1, out); }
METHOD(center) { return justify(r, "center", self, args, 0, out); }

METHOD(zfill)
{
    tpl_value width, zero, sign, padded;
    int64_t want, n = (int64_t)tpl_chars(self);
    if (!bind(r, "zfill", args, "width", 1, false, &width) || !tpl_need_int(r, width, 0, &want) ||
        !tpl_str(&r->pool, "0", &zero))
        return false;
    bool has_sign = self.n && (tpl_data(self)[0] == '-' || tpl_data(self)[0] == '+');
    sign = tpl_cut(self, 0, has_sign);
    return pad(r, tpl_cut(self, has_sign, self.n), want > n ? want - n : 0, 0, zero, &padded) &&
           tpl_concat(&r->pool, sign, padded, &padded) && (padded.sub = self.sub, *out = padded, true);
}

METHOD(expandtabs)
{
    tpl_value size;
    int64_t width, column = 0;
    tpl_text *text = tpl_text_new(&r->pool, self.n);
    if (!text || !tpl_bind(r, "expandtabs", args, "tabsize", 0, &size) || !tpl_need_int(r, size, 8, &width))
        return false;
    for (size_t i = 0; i < self.n;) {
        size_t from = i;
        int32_t c = tpl_decode(tpl_data(self), self.n, &i);
        if (c == '\t') {
            int64_t blanks = width > 0 ? width - column % width : 0;
            for (column += blanks; blanks; blanks--)
                if (!tpl_put(&r->pool, text, " ", 1, true) || !tpl_work(&r->pool, 1)) return false;
            continue;
        }
        column = c == '\n' || c == '\r' ? 0 : column + 1;
        if (!tpl_put_str(&r->pool, text, tpl_cut(self, from, i))) return false;
    }
    *out = tpl_text_value(text);
    out->sub = self.sub;
    return true;
}

METHOD(format) { return tpl_format(r, self, args, out); }

METHOD(format_map)
{
    tpl_value map;
    tpl_args spread = { 0 };
    if (!bind(r, "format_map", args, "mapping", 1, false, &map)) return false;
    if (map.kind != TPL_DICT)
        return tpl_raise(r, "TypeError", "format_map() takes a mapping, not %s", tpl_type_name(map));
    const char **keys = tpl_get(&r->pool, map.dict->n, sizeof *keys);
    tpl_value *values = tpl_get(&r->pool, map.dict->n, sizeof *values);
    for (uint32_t i = 0; keys && values && i < map.dict->n; i++) {
        tpl_value key = map.dict->pairs[i].key;
        char *name = tpl_get(&r->pool, key.kind == TPL_STR ? key.n + 1 : 1, 1);
        if (!name) return false;
        if (key.kind == TPL_STR) memcpy(name, tpl_data(key), key.n);
        keys[i] = name;
        values[i] = map.dict->pairs[i].value;
    }
    if (!keys || !values) return false;
    spread.keys = keys;
    spread.keyword = values;
    spread.n_keys = map.dict->n;
    return tpl_format(r, self, &spread, out);
}

const tpl_function tpl_methods_text[] = {
    { "strip", strip },           { "lstrip", lstrip },         { "rstrip", rstrip },
    { "removeprefix", removeprefix }, { "removesuffix", removesuffix },
    { "split", split },           { "rsplit", rsplit },         { "splitlines", splitlines },
    { "partition", partition },       { "rpartition", rpartition },
    { "find", find_ },            { "rfind", rfind_ },          { "index", index_ },          { "rindex", rindex_ },
    { "count", count },
    { "startswith", startswith }, { "endswith", endswith },     { "replace", replace },       { "join", join },
    { "ljust", ljust },
    { "rjust", rjust },           { "center", center },         { "zfill", zfill },
    { "expandtabs", expandtabs },     { "format", format },
    { "format_map", format_map }, { NULL, NULL },
};
