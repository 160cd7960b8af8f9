/* The filters that make text or numbers of one value. Called by eval.c and by map. Source: Jinja
 * 3.1, "List of Builtin Filters"; tojson is transformers'. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/ctx.h"
#include "text/template/template.h"

#define FILTER(name) static bool name(tpl_render *r, tpl_value v, const tpl_args *args, tpl_value *out)

/* A method of str on the value's text, by the method's name. */
static bool method(tpl_render *r, const char *name, tpl_value text, const tpl_args *args, tpl_value *out)
{
    return tpl_find_method(TPL_STR, name)->run(r, text, args, out);
}

static bool by_method(tpl_render *r, const char *filter, const char *name, tpl_value v, const tpl_args *args,
                      tpl_value *out)
{
    tpl_value text;
    return tpl_bind(r, filter, args, "", 0, NULL) && tpl_soft_str(r, v, &text) &&
           method(r, name, text, &(tpl_args){ 0 }, out);
}

FILTER(upper) { return by_method(r, "do_upper", "upper", v, args, out); }
FILTER(lower) { return by_method(r, "do_lower", "lower", v, args, out); }
FILTER(capitalize) { return by_method(r, "do_capitalize", "capitalize", v, args, out); }

/* Words begin behind whitespace and any of - ( { [ <, unlike in str.title. */
FILTER(title)
{
    tpl_value text, part;
    tpl_text *built = tpl_text_new(&r->pool, 64);
    bool in_word = false;
    if (!built || !tpl_bind(r, "do_title", args, "", 0, NULL) || !tpl_to_str(r, v, &text)) return false;
    for (size_t i = 0; i < text.n;) {
        size_t from = i;
        int32_t c = tpl_decode(tpl_data(text), text.n, &i);
        bool separator = tpl_is_space(c) || (c < 128 && c && strchr("-({[<", c));
        if (!method(r, in_word ? "lower" : "upper", tpl_cut(text, from, i), &(tpl_args){ 0 }, &part) ||
            !tpl_put_str(&r->pool, built, part))
            return false;
        in_word = !separator;
    }
    *out = tpl_text_value(built);
    return true;
}

FILTER(trim)
{
    tpl_value chars, text;
    if (!tpl_bind(r, "do_trim", args, "chars", 0, &chars) || !tpl_soft_str(r, v, &text)) return false;
    return method(r, "strip", text, &(tpl_args){ .positional = &chars, .n = chars.kind != TPL_MISSING }, out);
}

FILTER(center)
{
    tpl_value width, text;
    if (!tpl_bind(r, "do_center", args, "width", 0, &width) || !tpl_soft_str(r, v, &text)) return false;
    if (width.kind == TPL_MISSING) width = tpl_int(80);
    return method(r, "center", text, &(tpl_args){ .positional = &width, .n = 1 }, out);
}

FILTER(replace)
{
    tpl_value slots[3], text;
    if (!tpl_bind(r, "do_replace", args, "old new count", 2, slots)) return false;
    if (slots[2].kind == TPL_MISSING || slots[2].kind == TPL_NONE) slots[2] = tpl_int(-1);
    if (!tpl_to_str(r, v, &text) || !tpl_to_str(r, slots[0], &slots[0]) || !tpl_to_str(r, slots[1], &slots[1]))
        return false;
    return method(r, "replace", text, &(tpl_args){ .positional = slots, .n = 3 }, out);
}

FILTER(string) { return tpl_bind(r, "soft_str", args, "", 0, NULL) && tpl_soft_str(r, v, out); }
FILTER(escape) { return tpl_bind(r, "escape", args, "", 0, NULL) && tpl_escape(r, v, out); }

FILTER(forceescape)
{
    if (!tpl_bind(r, "do_forceescape", args, "", 0, NULL) || !tpl_to_str(r, v, &v)) return false;
    return tpl_escape(r, v, out);
}

FILTER(safe)
{
    if (!tpl_bind(r, "do_mark_safe", args, "", 0, NULL) || !tpl_to_str(r, v, out)) return false;
    out->sub = TPL_MARKUP;
    return true;
}

FILTER(indent)
{
    tpl_value slots[3], lines, line, blanks, newline;
    int64_t width = 4;
    if (!tpl_bind(r, "do_indent", args, "width first blank", 0, slots)) return false;
    if (slots[0].kind != TPL_STR && !tpl_need_int(r, slots[0], 4, &width)) return false;
    if (!tpl_str(&r->pool, " ", &blanks) || !tpl_str(&r->pool, "\n", &newline)) return false;
    if (slots[0].kind == TPL_STR) blanks = slots[0];
    else if (!tpl_binary(r, '*', blanks, tpl_int(width), &blanks)) return false;
    if (v.kind == TPL_LIST) return tpl_raise(r, "AttributeError", "'list' object has no attribute 'splitlines'");
    if (v.kind != TPL_STR && v.kind != TPL_UNDEFINED && v.kind != TPL_TUPLE)
        return tpl_raise(r, "TypeError", "unsupported operand type(s) for +=: '%s' and 'str'", tpl_type_name(v));
    blanks.sub = v.kind == TPL_STR ? v.sub : 0;
    if (!tpl_binary(r, '+', v, newline, &v) || !method(r, "splitlines", v, &(tpl_args){ 0 }, &lines)) return false;
    tpl_text *text = tpl_text_new(&r->pool, v.n);
    bool first = tpl_truth(slots[1]), blank = tpl_truth(slots[2]);
    if (!text) return false;
    for (uint32_t i = 0; i < lines.n; i++) {
        line = tpl_items(lines)[i];
        bool indented = i ? blank || line.n : first;
        if (i && !tpl_puts(&r->pool, text, "\n")) return false;
        if ((indented && !tpl_put_str(&r->pool, text, blanks)) || !tpl_put_str(&r->pool, text, line)) return false;
    }
    *out = tpl_text_value(text);
    out->sub = v.sub;
    return true;
}

FILTER(truncate)
{
    tpl_value slots[4], cut;
    int64_t length, leeway, n;
    if (!tpl_bind(r, "do_truncate", args, "length killwords end leeway", 0, slots)) return false;
    if (!tpl_need_int(r, slots[0], 255, &length) || !tpl_need_int(r, slots[3], 5, &leeway) || !tpl_length(r, v, &n))
        return false;
    if (slots[2].kind == TPL_MISSING && !tpl_str(&r->pool, "...", &slots[2])) return false;
    if (slots[2].kind != TPL_STR)
        return tpl_raise(r, "TypeError", "object of type '%s' has no len()", tpl_type_name(slots[2]));
    int64_t end = (int64_t)tpl_chars(slots[2]);
    if (length < end)
        return tpl_raise(r, "AssertionError", "expected length >= %lld, got %lld", (long long)end, (long long)length);
    if (leeway < 0) return tpl_raise(r, "AssertionError", "expected leeway >= 0, got %lld", (long long)leeway);
    *out = v;
    if (n <= length + leeway) return true;
    if (!tpl_slice(r, v, tpl_none(), tpl_int(length - end), tpl_none(), &cut)) return false;
    if (tpl_truth(slots[1])) return tpl_binary(r, '+', cut, slots[2], out);
    if (cut.kind != TPL_STR)
        return tpl_raise(r, "AttributeError", "'%s' object has no attribute 'rsplit'", tpl_type_name(cut));
    const char *blank = memrchr(tpl_data(cut), ' ', cut.n);
    if (blank) cut.n = (uint32_t)(blank - tpl_data(cut));
    return tpl_binary(r, '+', cut, slots[2], out);
}

FILTER(wordcount)
{
    tpl_value text;
    int64_t n = 0;
    bool in_word = false;
    if (!tpl_bind(r, "do_wordcount", args, "", 0, NULL) || !tpl_soft_str(r, v, &text) || !tpl_work(&r->pool, text.n))
        return false;
    for (size_t i = 0; i < text.n;) {
        size_t from = i;
        tpl_value yes;
        int32_t c = tpl_decode(tpl_data(text), text.n, &i);
        bool word = c == '_';
        if (!word && (!method(r, "isalnum", tpl_cut(text, from, i), &(tpl_args){ 0 }, &yes) || (word = yes.b, false)))
            return false;
        n += word && !in_word;
        in_word = word;
    }
    *out = tpl_int(n);
    return true;
}

FILTER(format)
{
    tpl_value arg, text;
    if (args->n && args->n_keys)
        return tpl_raise(r, "FilterArgumentError", "can't handle positional and keyword arguments at the same time");
    if (!tpl_soft_str(r, v, &text)) return false;
    if (args->n_keys) return tpl_find_global("dict")->run(r, text, args, &arg) && tpl_percent(r, text, arg, out);
    tpl_array *array = tpl_array_new(&r->pool, args->n);
    for (uint32_t i = 0; array && i < args->n; i++)
        if (!tpl_append(&r->pool, array, args->positional[i])) return false;
    return array && tpl_percent(r, text, tpl_list_of(array, TPL_TUPLE), out);
}

/* Percent-encodes as urllib.parse.quote does; in a query "/" too, and blanks become "+". */
static bool put_quoted(tpl_render *r, tpl_text *text, tpl_value v, bool query)
{
    tpl_value s;
    char code[4];
    if (!tpl_to_str(r, v, &s)) return false;
    for (uint32_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)tpl_data(s)[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     (c && strchr(query ? "_.-~" : "_.-~/", c));
        if (plain) snprintf(code, sizeof code, "%c", c);
        else if (query && c == ' ') snprintf(code, sizeof code, "+");
        else snprintf(code, sizeof code, "%%%02X", c);
        if (!tpl_put(&r->pool, text, code, strlen(code), tpl_trusted(tpl_cut(s, i, i + 1)))) return false;
    }
    return true;
}

FILTER(urlencode)
{
    tpl_text *text = tpl_text_new(&r->pool, 64);
    tpl_array *pairs, *pair;
    if (!text || !tpl_bind(r, "do_urlencode", args, "", 0, NULL)) return false;
    bool single = v.kind == TPL_STR || tpl_is_number(v) || v.kind == TPL_NONE;
    if (v.kind == TPL_DICT) v = (tpl_value){ .kind = TPL_VIEW, .sub = TPL_ITEMS, .dict = v.dict };
    if (single ? !put_quoted(r, text, v, false) : !tpl_to_array(r, v, &pairs)) return false;
    for (uint32_t i = 0; !single && i < pairs->used; i++) {
        if (tpl_is_number(pairs->items[i]) || pairs->items[i].kind == TPL_NONE)
            return tpl_raise(r, "TypeError", "cannot unpack non-iterable %s object", tpl_type_name(pairs->items[i]));
        if (!tpl_to_array(r, pairs->items[i], &pair)) return false;
        if (pair->used > 2) return tpl_raise(r, "ValueError", "too many values to unpack (expected 2)");
        if (pair->used != 2)
            return tpl_raise(r, "ValueError", "not enough values to unpack (expected 2, got %u)", pair->used);
        if ((i && !tpl_puts(&r->pool, text, "&")) || !put_quoted(r, text, pair->items[0], true) ||
            !tpl_puts(&r->pool, text, "=") || !put_quoted(r, text, pair->items[1], true))
            return false;
    }
    *out = tpl_text_value(text);
    return true;
}

static bool bad_name(tpl_render *r, tpl_value key)
{
    tpl_text *shown = tpl_text_new(&r->pool, 64);
    return shown && tpl_put_repr(r, shown, key) &&
           tpl_raise(r, "ValueError", "Invalid character in attribute name: %.*s", (int)shown->used, shown->data);
}

FILTER(xmlattr)
{
    tpl_value space, part;
    tpl_text *text = tpl_text_new(&r->pool, 64);
    if (!text || !tpl_bind(r, "do_xmlattr", args, "autospace", 0, &space)) return false;
    if (v.kind == TPL_UNDEFINED) return tpl_fail_undefined(r, v);
    if (v.kind != TPL_DICT)
        return tpl_raise(r, "AttributeError", "'%s' object has no attribute 'items'", tpl_type_name(v));
    bool blank = space.kind == TPL_MISSING || tpl_truth(space);
    for (uint32_t i = 0; i < v.dict->n; i++) {
        tpl_value key = v.dict->pairs[i].key, value = v.dict->pairs[i].value;
        if (value.kind == TPL_NONE || value.kind == TPL_UNDEFINED) continue;
        if (key.kind != TPL_STR)
            return tpl_raise(r, "TypeError", "expected string or bytes-like object, got '%s'", tpl_type_name(key));
        for (uint32_t k = 0; k < key.n; k++)
            if (tpl_data(key)[k] && strchr(" \t\n\r\f\v/>=", tpl_data(key)[k])) return bad_name(r, key);
        if ((blank && !tpl_puts(&r->pool, text, " ")) || !tpl_escape(r, key, &part) ||
            !tpl_put_str(&r->pool, text, part) || !tpl_puts(&r->pool, text, "=\"") || !tpl_escape(r, value, &part) ||
            !tpl_put_str(&r->pool, text, part) || !tpl_puts(&r->pool, text, "\""))
            return false;
        blank = true;
    }
    *out = tpl_text_value(text);
    return true;
}

/* ---- numbers ---- */

/* The characters of a number in a string as Python takes them: blanks around, "_" between digits.
 * False: they are none of that. */
static bool number_text(tpl_value s, char *buffer, size_t size)
{
    size_t n = 0, from = 0, to = s.n;
    const char *data = tpl_data(s);
    while (from < to && (data[from] == ' ' || (data[from] >= 9 && data[from] <= 13))) from++;
    while (to > from && (data[to - 1] == ' ' || (data[to - 1] >= 9 && data[to - 1] <= 13))) to--;
    for (size_t i = from; i < to; i++) {
        bool digits = i > from && i + 1 < to && data[i - 1] != '_' && data[i + 1] != '_';
        if (data[i] == '_' && digits) continue;
        if (data[i] == '_' || !data[i] || n + 1 >= size) return false;
        buffer[n++] = data[i];
    }
    buffer[n] = 0;
    return n > 0;
}

/* Python's int and float take the digits of every script. */
static bool other_digits(tpl_value s)
{
    for (size_t at = 0; at < s.n;) {
        int32_t c = tpl_decode(tpl_data(s), s.n, &at);
        if (c > 127 && utf8proc_category(c) == UTF8PROC_CATEGORY_ND) return true;
    }
    return false;
}

static bool text_to_float(tpl_value s, double *out)
{
    char buffer[512], *end;
    if (!number_text(s, buffer, sizeof buffer) || strpbrk(buffer, "xXpP(")) return false;
    *out = strtod(buffer, &end);
    return *end == 0 && end != buffer;
}

/* 1 a number, 0 not one, -1 beyond 64 bits. */
static int text_to_int(tpl_value s, int base, int64_t *out)
{
    char buffer[512], *end, *digits = buffer;
    if (!number_text(s, buffer, sizeof buffer)) return 0;
    digits += *digits == '-' || *digits == '+';
    char mark = (char)(digits[0] == '0' ? digits[1] | 32 : 0);
    int marked = 0;
    if (mark == 'x') marked = 16;
    else if (mark == 'o') marked = 8;
    else if (mark == 'b') marked = 2;
    if (marked && (base == marked || base == 0)) {
        base = marked;
        memmove(digits, digits + 2, strlen(digits + 2) + 1);
    }
    if (base == 0) base = 10;
    if (*digits == '-' || *digits == '+' || !*digits || (base == 16 && (digits[1] | 32) == 'x')) return 0;
    errno = 0;
    *out = strtoll(buffer, &end, base);
    if (*end) return 0;
    return errno ? -1 : 1;
}

static bool float_to_int(tpl_render *r, double f, tpl_value *out)
{
    if (isinf(f)) return tpl_raise(r, "OverflowError", "cannot convert float infinity to integer");
    if (fabs(f) >= 9223372036854775808.0) return tpl_raise(r, "OverflowError", "an integer of more than 64 bits");
    *out = tpl_int((int64_t)f);
    return true;
}

FILTER(int_)
{
    tpl_value slots[2];
    int64_t base, value;
    double f;
    if (!tpl_bind(r, "do_int", args, "default base", 0, slots) || !tpl_need_int(r, slots[1], 10, &base)) return false;
    if (v.kind == TPL_UNDEFINED) return tpl_fail_undefined(r, v);
    *out = slots[0].kind == TPL_MISSING ? tpl_int(0) : slots[0];
    if (tpl_is_whole(v)) return *out = tpl_int(tpl_whole(v)), true;
    if (v.kind == TPL_FLOAT) return isnan(v.f) || float_to_int(r, v.f, out);
    if (v.kind != TPL_STR) return true;
    if (other_digits(v)) return tpl_refuse(r, "int of digits other than 0 to 9");
    int got = base == 0 || (base >= 2 && base <= 36) ? text_to_int(v, (int)base, &value) : 0;
    if (got < 0) return tpl_raise(r, "OverflowError", "an integer of more than 64 bits");
    if (got) return *out = tpl_int(value), true;
    return !text_to_float(v, &f) || isnan(f) || isinf(f) || float_to_int(r, f, out);
}

FILTER(float_)
{
    tpl_value fallback;
    double f;
    if (!tpl_bind(r, "do_float", args, "default", 0, &fallback)) return false;
    if (v.kind == TPL_UNDEFINED) return tpl_fail_undefined(r, v);
    if (v.kind == TPL_STR && other_digits(v)) return tpl_refuse(r, "float of digits other than 0 to 9");
    *out = fallback.kind == TPL_MISSING ? tpl_float(0) : fallback;
    if (tpl_is_number(v)) *out = tpl_float(tpl_real(v));
    else if (v.kind == TPL_STR && text_to_float(v, &f)) *out = tpl_float(f);
    return true;
}

FILTER(abs_)
{
    if (args->n || args->n_keys)
        return tpl_raise(r, "TypeError", "abs() takes exactly one argument (%u given)", args->n + 1);
    if (v.kind == TPL_UNDEFINED) return tpl_raise(r, "TypeError", "bad operand type for abs(): 'Undefined'");
    if (!tpl_is_number(v)) return tpl_raise(r, "TypeError", "bad operand type for abs(): '%s'", tpl_type_name(v));
    if (v.kind == TPL_FLOAT) return *out = tpl_float(fabs(v.f)), true;
    return tpl_negate(r, v, tpl_whole(v) < 0, out);
}

/* round(f, digits) rounds the exact value, ties to even, as printf does. */
static double round_float(double f, int64_t digits)
{
    char buffer[800];
    if (!isfinite(f) || digits > 300) return f;
    if (digits < -308) return copysign(0.0, f);
    if (digits < 0) {
        double scale = pow(10, (double)-digits);
        return rint(f / scale) * scale;
    }
    snprintf(buffer, sizeof buffer, "%.*f", (int)digits, f);
    return strtod(buffer, NULL);
}

FILTER(round_)
{
    tpl_value slots[2], scale, scaled;
    int64_t digits;
    if (!tpl_bind(r, "do_round", args, "precision method", 0, slots) || !tpl_need_int(r, slots[0], 0, &digits))
        return false;
    bool common = slots[1].kind == TPL_MISSING || tpl_is(slots[1], "common"), up = tpl_is(slots[1], "ceil");
    if (!common && !up && !tpl_is(slots[1], "floor"))
        return tpl_raise(r, "FilterArgumentError", "method must be common, ceil or floor");
    if (v.kind == TPL_UNDEFINED && common)
        return tpl_raise(r, "TypeError", "type Undefined doesn't define __round__ method");
    if (common && !tpl_is_number(v))
        return tpl_raise(r, "TypeError", "type %s doesn't define __round__ method", tpl_type_name(v));
    if (common && v.kind == TPL_FLOAT) return *out = tpl_float(round_float(v.f, digits)), true;
    if (common && digits >= 0) return *out = tpl_int(tpl_whole(v)), true;
    if (common) return *out = tpl_int((int64_t)round_float((double)tpl_whole(v), digits)), true;
    if (!tpl_binary(r, OP_POW, tpl_int(10), tpl_int(digits), &scale) || !tpl_binary(r, '*', v, scale, &scaled))
        return false;
    if (!tpl_is_number(scaled)) return tpl_raise(r, "TypeError", "must be real number, not %s", tpl_type_name(scaled));
    tpl_value whole = scaled;
    if (scaled.kind == TPL_FLOAT && !float_to_int(r, up ? ceil(scaled.f) : floor(scaled.f), &whole)) return false;
    return tpl_binary(r, '/', whole, scale, out);
}

static bool not_a_float(tpl_render *r, tpl_value s)
{
    tpl_text *shown = tpl_text_new(&r->pool, 64);
    return shown && tpl_put_repr(r, shown, s) &&
           tpl_raise(r, "ValueError", "could not convert string to float: %.*s", (int)shown->used, shown->data);
}

FILTER(filesizeformat)
{
    static const char *const decimal[] = { "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB" };
    static const char *const binary_names[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB" };
    tpl_value binary;
    char shown[400];
    double bytes = 0;
    if (!tpl_bind(r, "do_filesizeformat", args, "binary", 0, &binary)) return false;
    if (v.kind == TPL_UNDEFINED) return tpl_fail_undefined(r, v);
    if (v.kind == TPL_STR && !text_to_float(v, &bytes))
        return not_a_float(r, v);
    if (v.kind != TPL_STR && !tpl_is_number(v))
        return tpl_raise(r, "TypeError", "float() argument must be a string or a real number, not '%s'",
                         tpl_type_name(v));
    if (tpl_is_number(v)) bytes = tpl_real(v);
    double base = tpl_truth(binary) ? 1024 : 1000, unit = base;
    if (bytes == 1) return tpl_str(&r->pool, "1 Byte", out);
    if (bytes < base) {
        snprintf(shown, sizeof shown, "%.0f Bytes", trunc(bytes));
        return tpl_str(&r->pool, shown, out);
    }
    int i = 0;
    for (unit = base * base; i < 7 && bytes >= unit; i++) unit *= base;
    snprintf(shown, sizeof shown, "%.1f %s", base * bytes / unit, tpl_truth(binary) ? binary_names[i] : decimal[i]);
    return tpl_str(&r->pool, shown, out);
}

FILTER(tojson) { return tpl_tojson(r, v, args, out); }

const tpl_filter tpl_filters_text[] = {
    { "upper", upper },       { "lower", lower },             { "capitalize", capitalize }, { "title", title },
    { "trim", trim },
    { "center", center },     { "replace", replace },         { "string", string },         { "escape", escape },
    { "e", escape },
    { "forceescape", forceescape }, { "safe", safe },         { "indent", indent },         { "truncate", truncate },
    { "wordcount", wordcount },
    { "format", format },     { "urlencode", urlencode },     { "xmlattr", xmlattr },       { "int", int_ },
    { "float", float_ },
    { "abs", abs_ },          { "round", round_ },            { "filesizeformat", filesizeformat },
    { "tojson", tojson },
    { "urlize", tpl_urlize }, { "striptags", tpl_striptags }, { "wordwrap", tpl_wordwrap }, { NULL, NULL },
};
