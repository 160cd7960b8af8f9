/* What str() and repr() print of a template's values, and HTML's escaping. Called by output, the
 * filters and the methods. Text made of a value that holds anything untrusted is untrusted as a
 * whole; a string printed by itself keeps its runs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/ctx.h"
#include "text/template/template.h"

/* The shortest decimal that reads back as the same double, in the form of Python's repr: exponents
 * from 1e16 up and below 1e-4. */
size_t tpl_float_repr(double f, char *buffer)
{
    char digits[40], *e;
    if (isnan(f)) return (size_t)sprintf(buffer, "nan");
    if (isinf(f)) return (size_t)sprintf(buffer, "%sinf", f < 0 ? "-" : "");
    for (int precision = 0; precision < 17; precision++) {
        snprintf(digits, sizeof digits, "%.*e", precision, f);
        if (strtod(digits, NULL) == f) break;
    }
    e = strchr(digits, 'e');
    int exponent = atoi(e + 1), sign = digits[0] == '-';
    *e = 0;
    char *d = digits + sign;      /* "d.ddd" or "d" */
    size_t n = 0;
    if (sign) buffer[n++] = '-';
    if (d[1] == '.') memmove(d + 1, d + 2, strlen(d + 2) + 1);
    int count = (int)strlen(d);
    if (exponent < -4 || exponent >= 16) {
        buffer[n++] = d[0];
        if (count > 1) n += (size_t)sprintf(buffer + n, ".%s", d + 1);
        return n + (size_t)sprintf(buffer + n, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    }
    if (exponent < 0) {
        n += (size_t)sprintf(buffer + n, "0.");
        for (int i = exponent + 1; i < 0; i++) buffer[n++] = '0';
        return n + (size_t)sprintf(buffer + n, "%s", d);
    }
    for (int i = 0; i <= exponent; i++) buffer[n++] = i < count ? d[i] : '0';
    buffer[n++] = '.';
    if (count > exponent + 1) return n + (size_t)sprintf(buffer + n, "%s", d + exponent + 1);
    buffer[n++] = '0';
    buffer[n] = 0;
    return n;
}

bool tpl_tainted(tpl_render *r, tpl_value v)
{
    if (!tpl_work(&r->pool, 1)) return true;
    switch ((tpl_kind)v.kind) {
    case TPL_STR: return !tpl_trusted(v);
    case TPL_LIST:
    case TPL_TUPLE:
        for (uint32_t i = 0; i < v.n; i++)
            if (tpl_tainted(r, tpl_items(v)[i])) return true;
        return false;
    case TPL_NAMESPACE: return true;      /* may hold itself: not looked into */
    case TPL_DICT:
    case TPL_VIEW:
        for (uint32_t i = 0; i < v.dict->n; i++)
            if (tpl_tainted(r, v.dict->pairs[i].key) || tpl_tainted(r, v.dict->pairs[i].value)) return true;
        return false;
    default: return false;
    }
}

/* ---- repr ---- */

static bool printable(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return false;
    case UTF8PROC_CATEGORY_ZS: return c == ' ';
    default: return true;
    }
}

static bool put_string_repr(tpl_render *r, tpl_text *text, tpl_value s)
{
    const char *data = tpl_data(s);
    char quote = memchr(data, '\'', s.n) && !memchr(data, '"', s.n) ? '"' : '\'', code[16];
    if (s.sub && !tpl_puts(&r->pool, text, "Markup(")) return false;
    if (!tpl_put(&r->pool, text, &quote, 1, true)) return false;
    for (size_t i = 0, at; i < s.n;) {
        at = i;
        int32_t c = tpl_decode(data, s.n, &i);
        bool ok;
        if (c == quote || c == '\\') ok = tpl_puts(&r->pool, text, "\\") && tpl_put(&r->pool, text, data + at, 1, true);
        else if (c == '\n') ok = tpl_puts(&r->pool, text, "\\n");
        else if (c == '\r') ok = tpl_puts(&r->pool, text, "\\r");
        else if (c == '\t') ok = tpl_puts(&r->pool, text, "\\t");
        else if (printable(c)) ok = tpl_put(&r->pool, text, data + at, i - at, true);
        else {
            if (c < 256) snprintf(code, sizeof code, "\\x%02x", (unsigned)c);
            else if (c < 65536) snprintf(code, sizeof code, "\\u%04x", (unsigned)c);
            else snprintf(code, sizeof code, "\\U%08x", (unsigned)c);
            ok = tpl_puts(&r->pool, text, code);
        }
        if (!ok) return false;
    }
    return tpl_put(&r->pool, text, &quote, 1, true) && (!s.sub || tpl_puts(&r->pool, text, ")"));
}

static bool put_list(tpl_render *r, tpl_text *text, tpl_value v)
{
    bool is_list = v.kind == TPL_LIST;
    if (!tpl_puts(&r->pool, text, is_list ? "[" : "(")) return false;
    for (uint32_t i = 0; i < v.n; i++)
        if ((i && !tpl_puts(&r->pool, text, ", ")) || !tpl_put_repr(r, text, tpl_items(v)[i])) return false;
    const char *end = v.n == 1 ? ",)" : ")";
    return tpl_puts(&r->pool, text, is_list ? "]" : end);
}

static bool put_dict(tpl_render *r, tpl_text *text, const tpl_dict *dict)
{
    if (!tpl_puts(&r->pool, text, "{")) return false;
    for (uint32_t i = 0; i < dict->n; i++)
        if ((i && !tpl_puts(&r->pool, text, ", ")) || !tpl_put_repr(r, text, dict->pairs[i].key) ||
            !tpl_puts(&r->pool, text, ": ") || !tpl_put_repr(r, text, dict->pairs[i].value))
            return false;
    return tpl_puts(&r->pool, text, "}");
}

static bool put_view(tpl_render *r, tpl_text *text, tpl_value v)
{
    static const char *const names[] = { "dict_keys([", "dict_values([", "dict_items([" };
    if (!tpl_puts(&r->pool, text, names[v.sub])) return false;
    for (uint32_t i = 0; i < v.dict->n; i++) {
        const tpl_pair *pair = &v.dict->pairs[i];
        tpl_value item = v.sub == TPL_KEYS ? pair->key : pair->value;
        if (v.sub == TPL_ITEMS && !tpl_pair_of(&r->pool, pair->key, pair->value, &item)) return false;
        if ((i && !tpl_puts(&r->pool, text, ", ")) || !tpl_put_repr(r, text, item)) return false;
    }
    return tpl_puts(&r->pool, text, "])");
}

static bool put_range(tpl_render *r, tpl_text *text, const tpl_range *range)
{
    char shown[100];
    long long start = range->start, step = range->step, stop = range->stop;
    if (step == 1) snprintf(shown, sizeof shown, "range(%lld, %lld)", start, stop);
    else snprintf(shown, sizeof shown, "range(%lld, %lld, %lld)", start, stop, step);
    return tpl_puts(&r->pool, text, shown);
}

static bool put_number(tpl_render *r, tpl_text *text, tpl_value v)
{
    char shown[400];
    if (v.kind == TPL_FLOAT) tpl_float_repr(v.f, shown);
    else if (v.kind == TPL_INT) snprintf(shown, sizeof shown, "%lld", (long long)v.i);
    else snprintf(shown, sizeof shown, "%s", v.b ? "True" : "False");
    return tpl_puts(&r->pool, text, shown);
}

static bool put_loop(tpl_render *r, tpl_text *text, tpl_loop *loop)
{
    char shown[80];
    tpl_value length;
    if (!tpl_loop_attr(r, loop, "length", &length)) return false;
    snprintf(shown, sizeof shown, "<LoopContext %lld/%lld>", (long long)(loop->index0 + 1), (long long)length.i);
    return tpl_puts(&r->pool, text, shown);
}

static bool put_any(tpl_render *r, tpl_text *text, tpl_value v)
{
    switch ((tpl_kind)v.kind) {
    case TPL_UNDEFINED: return tpl_puts(&r->pool, text, "Undefined");
    case TPL_NONE: return tpl_puts(&r->pool, text, "None");
    case TPL_BOOL:
    case TPL_INT:
    case TPL_FLOAT: return put_number(r, text, v);
    case TPL_STR: return put_string_repr(r, text, v);
    case TPL_LIST:
    case TPL_TUPLE: return put_list(r, text, v);
    case TPL_DICT: return put_dict(r, text, v.dict);
    case TPL_VIEW: return put_view(r, text, v);
    case TPL_RANGE: return put_range(r, text, v.range);
    case TPL_NAMESPACE:
        return tpl_puts(&r->pool, text, "<Namespace ") && put_dict(r, text, v.dict) && tpl_puts(&r->pool, text, ">");
    case TPL_LOOP: return put_loop(r, text, v.loop);
    case TPL_MACRO:
        if (!v.macro->def->name) return tpl_puts(&r->pool, text, "<Macro anonymous>");
        return tpl_puts(&r->pool, text, "<Macro '") && tpl_puts(&r->pool, text, v.macro->def->name) &&
               tpl_puts(&r->pool, text, "'>");
    case TPL_SELF: return tpl_puts(&r->pool, text, "<TemplateReference None>");
    default: return tpl_refuse(r, "printing a %s, whose text has an address in it", tpl_type_name(v));
    }
}

bool tpl_put_repr(tpl_render *r, tpl_text *text, tpl_value v)
{
    if (!tpl_enter(r)) return false;
    bool ok = put_any(r, text, v);
    tpl_leave(r);
    return ok;
}

/* ---- str ---- */

bool tpl_to_str(tpl_render *r, tpl_value v, tpl_value *out)
{
    if (v.kind == TPL_STR) {
        *out = v;
        out->sub = 0;
        return true;
    }
    tpl_text *text = tpl_text_new(&r->pool, 32);
    if (!text || (v.kind != TPL_UNDEFINED && !tpl_put_repr(r, text, v))) return false;
    if (tpl_tainted(r, v)) tpl_distrust(text);
    *out = tpl_text_value(text);
    return true;
}

bool tpl_soft_str(tpl_render *r, tpl_value v, tpl_value *out)
{
    if (v.kind != TPL_STR) return tpl_to_str(r, v, out);
    *out = v;
    return true;
}

bool tpl_put_value(tpl_render *r, tpl_text *text, tpl_value v)
{
    return tpl_to_str(r, v, &v) && tpl_put_str(&r->pool, text, v);
}

bool tpl_escape(tpl_render *r, tpl_value v, tpl_value *out)
{
    tpl_value s;
    if (v.kind == TPL_STR && v.sub) return *out = v, true;
    tpl_text *text = tpl_to_str(r, v, &s) ? tpl_text_new(&r->pool, s.n + 16) : NULL;
    if (!text) return false;
    for (uint32_t i = 0, from = 0; i <= s.n; i++) {
        const char *word = i == s.n ? "" : NULL;
        switch (i == s.n ? 0 : tpl_data(s)[i]) {
        case '&': word = "&amp;"; break;
        case '<': word = "&lt;"; break;
        case '>': word = "&gt;"; break;
        case '"': word = "&#34;"; break;
        case '\'': word = "&#39;"; break;
        default: break;
        }
        if (!word) continue;
        if (!tpl_put_str(&r->pool, text, tpl_cut(s, from, i))) return false;
        if (i < s.n && !tpl_put(&r->pool, text, word, strlen(word), tpl_trusted(tpl_cut(s, i, i + 1)))) return false;
        from = i + 1;
    }
    *out = tpl_text_value(text);
    out->sub = TPL_MARKUP;
    return true;
}
