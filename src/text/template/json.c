/* tojson as transformers defines it: Python's json.dumps, which neither escapes HTML nor, unless
 * asked, anything beyond ASCII. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

typedef struct dumper {
    tpl_render *r;
    tpl_text *text;
    bool ascii, sort;
    tpl_value indent;                 /* a string, MISSING: all on one line */
    tpl_value comma, colon;
    int64_t level;
} dumper;

static bool put_value(dumper *d, tpl_value v);

static bool put(dumper *d, const char *chars, size_t n)
{
    return tpl_put(&d->r->pool, d->text, chars, n, true);
}

static bool put_escape(dumper *d, int32_t c)
{
    char chars[16];
    const char *at = c && c < 128 ? strchr("\"\"\\\\\nn\rr\tt\bb\ff", c) : NULL;
    if (at) snprintf(chars, sizeof chars, "\\%c", at[c == '"' || c == '\\' ? 0 : 1]);
    else if (c < 0x10000) snprintf(chars, sizeof chars, "\\u%04x", (unsigned)c);
    else
        snprintf(chars, sizeof chars, "\\u%04x\\u%04x", (unsigned)(0xD800 + ((c - 0x10000) >> 10)),
                 (unsigned)(0xDC00 + ((c - 0x10000) & 0x3FF)));
    return put(d, chars, strlen(chars));
}

static bool put_string(dumper *d, tpl_value s)
{
    const char *data = tpl_data(s);
    size_t from = 0;
    if (!put(d, "\"", 1)) return false;
    for (size_t i = 0; i < s.n;) {
        size_t at = i;
        unsigned char byte = (unsigned char)data[i];
        if (byte >= 32 && byte != '"' && byte != '\\' && (byte < 127 || (!d->ascii && byte != 127) || byte == 127)) {
            i++;
            continue;
        }
        int32_t c = tpl_decode(data, s.n, &i);
        if (!put(d, data + from, at - from) || !put_escape(d, c)) return false;
        from = i;
    }
    return put(d, data + from, s.n - from) && put(d, "\"", 1);
}

static bool put_float(dumper *d, double f)
{
    char chars[48];
    size_t n = tpl_float_repr(f, chars);
    if (isnan(f)) return put(d, "NaN", 3);
    if (isinf(f)) return f < 0 ? put(d, "-Infinity", 9) : put(d, "Infinity", 8);
    return put(d, chars, n);
}

static bool put_key(dumper *d, tpl_value key)
{
    tpl_value text;
    if (key.kind == TPL_STR) return put_string(d, key);
    if (!tpl_is_number(key) && key.kind != TPL_NONE)
        return tpl_raise(d->r, "TypeError", "keys must be str, int, float, bool or None, not %s", tpl_type_name(key));
    if (key.kind == TPL_INT) return tpl_to_str(d->r, key, &text) && put_string(d, text);
    return put(d, "\"", 1) && put_value(d, key) && put(d, "\"", 1);
}

/* A new line at the present depth, if there is indentation. */
static bool put_line(dumper *d)
{
    if (d->indent.kind == TPL_MISSING) return true;
    if (!put(d, "\n", 1)) return false;
    for (int64_t i = 0; i < d->level; i++)
        if (!tpl_work(&d->r->pool, 1) || !tpl_put_str(&d->r->pool, d->text, d->indent)) return false;
    return true;
}

static bool put_comma(dumper *d, uint32_t i)
{
    return (!i || tpl_put_str(&d->r->pool, d->text, d->comma)) && put_line(d);
}

static bool put_list(dumper *d, tpl_value list)
{
    if (!list.n) return put(d, "[]", 2);
    d->level++;
    if (!put(d, "[", 1)) return false;
    for (uint32_t i = 0; i < list.n; i++)
        if (!put_comma(d, i) || !put_value(d, tpl_items(list)[i])) return false;
    d->level--;
    return put_line(d) && put(d, "]", 1);
}

static bool sorted_pairs(dumper *d, tpl_value dict, tpl_value *out)
{
    tpl_value flag = tpl_bool(true);
    tpl_args case_sensitive = { .positional = &flag, .n = 1 };
    return tpl_find_filter("dictsort")->run(d->r, dict, &case_sensitive, out);
}

static bool put_dict(dumper *d, tpl_value v)
{
    tpl_value sorted = { 0 };
    if (!v.dict->n) return put(d, "{}", 2);
    if (d->sort && !sorted_pairs(d, v, &sorted)) return false;
    d->level++;
    if (!put(d, "{", 1)) return false;
    for (uint32_t i = 0; i < v.dict->n; i++) {
        tpl_value key = d->sort ? tpl_items(tpl_items(sorted)[i])[0] : v.dict->pairs[i].key;
        tpl_value value = d->sort ? tpl_items(tpl_items(sorted)[i])[1] : v.dict->pairs[i].value;
        if (!put_comma(d, i) || !put_key(d, key) || !tpl_put_str(&d->r->pool, d->text, d->colon) ||
            !put_value(d, value))
            return false;
    }
    d->level--;
    return put_line(d) && put(d, "}", 1);
}

static bool put_any(dumper *d, tpl_value v)
{
    tpl_value text;
    switch ((tpl_kind)v.kind) {
    case TPL_NONE: return put(d, "null", 4);
    case TPL_BOOL: return v.b ? put(d, "true", 4) : put(d, "false", 5);
    case TPL_INT: return tpl_to_str(d->r, v, &text) && put(d, tpl_data(text), text.n);
    case TPL_FLOAT: return put_float(d, v.f);
    case TPL_STR: return put_string(d, v);
    case TPL_LIST:
    case TPL_TUPLE: return put_list(d, v);
    case TPL_DICT: return put_dict(d, v);
    default: return tpl_raise(d->r, "TypeError", "Object of type %s is not JSON serializable", tpl_type_name(v));
    }
}

static bool put_value(dumper *d, tpl_value v)
{
    if (!tpl_enter(d->r)) return false;
    bool ok = put_any(d, v);
    tpl_leave(d->r);
    return ok;
}

/* indent: a number of blanks or a string; with one, the comma stands at the line's end. */
static bool set_indent(dumper *d, tpl_value indent)
{
    tpl_value blank;
    int64_t n;
    if (indent.kind == TPL_MISSING || indent.kind == TPL_NONE) return true;
    d->indent = indent;
    if (indent.kind == TPL_STR) return true;
    if (!tpl_is_whole(indent))
        return tpl_raise(d->r, "TypeError", "can't multiply sequence by non-int of type '%s'", tpl_type_name(indent));
    n = tpl_whole(indent);
    return tpl_str(&d->r->pool, " ", &blank) && tpl_binary(d->r, '*', blank, tpl_int(n < 0 ? 0 : n), &d->indent);
}

bool tpl_tojson(tpl_render *r, tpl_value v, const tpl_args *args, tpl_value *out)
{
    tpl_value slots[4];      /* in transformers' order */
    dumper d = { .r = r, .text = tpl_text_new(&r->pool, 64) };
    if (!d.text || !tpl_bind(r, "_cached_compile_jinja_template.<locals>.tojson", args,
                             "ensure_ascii indent separators sort_keys", 0, slots))
        return false;
    d.ascii = tpl_truth(slots[0]);
    d.sort = tpl_truth(slots[3]);
    if (!set_indent(&d, slots[1])) return false;
    if (slots[2].kind == TPL_LIST || slots[2].kind == TPL_TUPLE) {
        if (slots[2].n != 2 || tpl_items(slots[2])[0].kind != TPL_STR || tpl_items(slots[2])[1].kind != TPL_STR)
            return tpl_raise(r, "TypeError", "separators must be two strings");
        d.comma = tpl_items(slots[2])[0];
        d.colon = tpl_items(slots[2])[1];
    } else if (!tpl_str(&r->pool, d.indent.kind == TPL_MISSING ? ", " : ",", &d.comma) ||
               !tpl_str(&r->pool, ": ", &d.colon)) {
        return false;
    }
    if (!put_value(&d, v)) return false;
    if (tpl_tainted(r, v)) tpl_distrust(d.text);
    *out = tpl_text_value(d.text);
    return true;
}
