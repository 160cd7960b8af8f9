/* Python's two ways of formatting: "%s" % x, and "{}".format(x). Called by the % operator, the
 * format filter and the format method. Text that is put in keeps its runs; numbers are the
 * template's own. Sources: Python 3.11 documentation, "printf-style String Formatting" and "Format
 * Specification Mini-Language". */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

enum { MAX_WIDTH = 1 << 24, MAX_PRECISION = 400 };

/* The format of one value. */
typedef struct layout {
    char fill[5];             /* a character, UTF-8 */
    char align;               /* '<' '>' '^' '=' */
    char sign;                /* '-' '+' ' '     */
    bool alternate;
    char group;               /* ',' '_' or 0    */
    int64_t width, precision; /* precision -1: not given */
    char type;                /* 0: not given    */
} layout;

static bool to_repr(tpl_render *r, tpl_value v, tpl_value *out)
{
    tpl_text *text = tpl_text_new(&r->pool, 32);
    if (!text || !tpl_put_repr(r, text, v)) return false;
    if (tpl_tainted(r, v)) tpl_distrust(text);
    *out = tpl_text_value(text);
    return true;
}

/* ascii(): the repr, with escapes for what is not ASCII. */
static bool to_ascii(tpl_render *r, tpl_value v, tpl_value *out)
{
    tpl_value repr;
    char code[16];
    tpl_text *text = tpl_text_new(&r->pool, 32);
    if (!text || !to_repr(r, v, &repr)) return false;
    for (size_t i = 0, from = 0; i < repr.n; from = i) {
        int32_t c = tpl_decode(tpl_data(repr), repr.n, &i);
        if (c < 256) snprintf(code, sizeof code, "\\x%02x", (unsigned)c);
        else if (c < 65536) snprintf(code, sizeof code, "\\u%04x", (unsigned)c);
        else snprintf(code, sizeof code, "\\U%08x", (unsigned)c);
        tpl_value part = tpl_cut(repr, from, i);
        if (c < 128 ? !tpl_put_str(&r->pool, text, part)
                    : !tpl_put(&r->pool, text, code, strlen(code), tpl_trusted(part)))
            return false;
    }
    *out = tpl_text_value(text);
    return true;
}

static bool put_fill(tpl_render *r, tpl_text *text, const char *fill, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!tpl_work(&r->pool, 1) || !tpl_puts(&r->pool, text, fill)) return false;
    return true;
}

/* sign and digits apart, so that '=' can fill between them. */
static bool put_aligned(tpl_render *r, tpl_text *text, const layout *l, tpl_value sign, tpl_value body)
{
    int64_t n = (int64_t)(tpl_chars(sign) + tpl_chars(body)), more = l->width > n ? l->width - n : 0;
    int64_t left = 0;
    if (l->align == '>') left = more;
    else if (l->align == '^') left = more / 2;
    bool inside = l->align == '=';
    return put_fill(r, text, l->fill, left) && tpl_put_str(&r->pool, text, sign) &&
           put_fill(r, text, l->fill, inside ? more : 0) && tpl_put_str(&r->pool, text, body) &&
           put_fill(r, text, l->fill, inside ? 0 : more - left);
}

static bool put_text(tpl_render *r, tpl_text *text, const layout *l, tpl_value s)
{
    if (l->precision >= 0) s = tpl_cut(s, 0, tpl_byte_of(s, (size_t)l->precision));
    return put_aligned(r, text, l, tpl_cut(s, 0, 0), s);
}

/* "1234567" -> "1,234,567": the digits before the point, or groups of four for the other bases. */
static void group_digits(const char *from, char separator, int every, char *to)
{
    size_t whole = strspn(from, "0123456789abcdefABCDEF"), k = 0;
    for (size_t i = 0; i < whole; i++) {
        if (i && (whole - i) % (size_t)every == 0) to[k++] = separator;
        to[k++] = from[i];
    }
    strcpy(to + k, from + whole);
}

static bool put_digits(tpl_render *r, tpl_text *text, const layout *l, bool negative, const char *prefix,
                       const char *digits)
{
    tpl_value sign, body;
    char lead[8], grouped[1200];
    const char *sign_text = "";
    if (negative) sign_text = "-";
    else if (l->sign == '+') sign_text = "+";
    else if (l->sign == ' ') sign_text = " ";
    snprintf(lead, sizeof lead, "%s%s", sign_text, prefix);
    if (l->group) group_digits(digits, l->group, l->type && strchr("xXob", l->type) ? 4 : 3, grouped);
    return tpl_str(&r->pool, lead, &sign) && tpl_str(&r->pool, l->group ? grouped : digits, &body) &&
           put_aligned(r, text, l, sign, body);
}

static bool put_whole(tpl_render *r, tpl_text *text, const layout *l, int64_t i)
{
    char digits[512], bits[68];
    uint64_t u = i < 0 ? -(uint64_t)i : (uint64_t)i;
    const char *prefix = "";
    char type = l->type ? l->type : 'd';
    if (type == 'b') {
        int n = 0;
        for (int shift = 63; shift >= 0; shift--)
            if (n || u >> shift & 1 || !shift) bits[n++] = (char)('0' + (u >> shift & 1));
        bits[n] = 0;
        snprintf(digits, sizeof digits, "%s", bits);
    } else if (type == 'x') {
        snprintf(digits, sizeof digits, "%llx", (unsigned long long)u);
    } else if (type == 'X') {
        snprintf(digits, sizeof digits, "%llX", (unsigned long long)u);
    } else if (type == 'o') {
        snprintf(digits, sizeof digits, "%llo", (unsigned long long)u);
    } else {
        snprintf(digits, sizeof digits, "%llu", (unsigned long long)u);
    }
    if (l->alternate) {
        if (type == 'x') prefix = "0x";
        else if (type == 'X') prefix = "0X";
        else if (type == 'o') prefix = "0o";
        else if (type == 'b') prefix = "0b";
        else prefix = "";
    }
    return put_digits(r, text, l, i < 0, prefix, digits);
}

/* Without a type, format() of a float is its repr, with a precision its %g that always shows a
 * point. */
static bool put_real(tpl_render *r, tpl_text *text, const layout *l, double f)
{
    char digits[1100], pattern[16];
    char type = l->type ? l->type : 'g';
    int precision = (int)(l->precision < 0 ? 6 : l->precision);
    bool negative = signbit(f) && !isnan(f);
    double size = fabs(f);
    if (type == '%') size *= 100;
    if (!isfinite(f)) {
        strcpy(digits, isnan(f) ? "nan" : "inf");
        if (type == 'E' || type == 'F' || type == 'G') strcpy(digits, isnan(f) ? "NAN" : "INF");
    } else if (!l->type && l->precision < 0) {
        tpl_float_repr(size, digits);
    } else {
        snprintf(pattern, sizeof pattern, "%%%s.*%c", l->alternate ? "#" : "", type == '%' ? 'f' : type);
        snprintf(digits, sizeof digits, pattern, precision, size);
        if (!l->type && !strpbrk(digits, ".e")) strcat(digits, ".0");
    }
    if (type == '%') strcat(digits, "%");
    return put_digits(r, text, l, negative, "", digits);
}

/* ---- "%s" % x ---- */

typedef struct percent {
    tpl_render *r;
    tpl_text *text;
    tpl_value format, arg;
    bool mapping;
    uint32_t used;
    size_t at;
} percent;

static bool next_arg(percent *p, tpl_value *out)
{
    if (p->arg.kind == TPL_TUPLE) {
        if (p->used < p->arg.n) return *out = tpl_items(p->arg)[p->used++], true;
    } else if (!p->used) {
        p->used = 1;
        return *out = p->arg, true;
    }
    return tpl_raise(p->r, "TypeError", "not enough arguments for format string");
}

static bool star_or_number(percent *p, int64_t *out)
{
    const char *f = tpl_data(p->format);
    tpl_value v;
    if (p->at < p->format.n && f[p->at] == '*') {
        p->at++;
        if (!next_arg(p, &v)) return false;
        if (!tpl_is_whole(v)) return tpl_raise(p->r, "TypeError", "* wants int");
        *out = tpl_whole(v);
    } else {
        for (*out = 0; p->at < p->format.n && f[p->at] >= '0' && f[p->at] <= '9' && *out <= MAX_WIDTH; p->at++)
            *out = *out * 10 + (f[p->at] - '0');
    }
    return *out <= MAX_WIDTH || tpl_raise(p->r, "ValueError", "width too big");
}

/* "(key)": the value of the mapping under it. */
static bool keyed(percent *p, tpl_value *out)
{
    size_t from = ++p->at, open = 1;
    for (; p->at < p->format.n && open; p->at++)
        open += (size_t)(tpl_data(p->format)[p->at] == '(') - (tpl_data(p->format)[p->at] == ')');
    if (open) return tpl_raise(p->r, "ValueError", "incomplete format key");
    if (p->arg.kind != TPL_DICT) return tpl_raise(p->r, "TypeError", "format requires a mapping");
    tpl_value key = tpl_cut(p->format, from, p->at - 1), *found = tpl_dict_find(&p->r->pool, p->arg.dict, key), text;
    if (!found) return to_repr(p->r, key, &text) && tpl_raise_value(p->r, "KeyError", text);
    *out = *found;
    return true;
}

static bool put_number(percent *p, layout *l, char type, tpl_value v)
{
    bool wants_real = strchr("eEfFgG", type) != NULL;
    if (l->align != '<' && l->fill[0] == '0') l->align = '=';
    l->type = type == 'i' || type == 'u' ? 'd' : type;
    if (v.kind == TPL_UNDEFINED && (wants_real || l->type == 'd')) return tpl_fail_undefined(p->r, v);
    if (wants_real) {
        if (!tpl_is_number(v)) return tpl_raise(p->r, "TypeError", "must be real number, not %s", tpl_type_name(v));
        return put_real(p->r, p->text, l, tpl_real(v));
    }
    bool hex = strchr("xXo", type) != NULL;
    if (!tpl_is_whole(v) && (hex || v.kind != TPL_FLOAT))
        return tpl_raise(p->r, "TypeError", "%%%c format: %s is required, not %s", type,
                         hex ? "an integer" : "a real number", tpl_type_name(v));
    if (v.kind == TPL_FLOAT && (!isfinite(v.f) || fabs(v.f) >= 9e18))
        return tpl_raise(p->r, "OverflowError", "an integer of more than 64 bits");
    int64_t i = v.kind == TPL_FLOAT ? (int64_t)v.f : tpl_whole(v);
    if (l->precision > 0) {      /* "%.5d": so many digits at least */
        char digits[MAX_PRECISION + 80];
        uint64_t u = i < 0 ? -(uint64_t)i : (uint64_t)i;
        const char *pattern = "%0*llu";
        if (type == 'x') pattern = "%0*llx";
        else if (type == 'X') pattern = "%0*llX";
        else if (type == 'o') pattern = "%0*llo";
        snprintf(digits, sizeof digits, pattern, (int)l->precision, (unsigned long long)u);
        const char *prefix = "";
        if (l->alternate && type == 'x') prefix = "0x";
        else if (l->alternate && type == 'X') prefix = "0X";
        else if (l->alternate && type == 'o') prefix = "0o";
        return put_digits(p->r, p->text, l, i < 0, prefix, digits);
    }
    return put_whole(p->r, p->text, l, i);
}

static bool put_char(percent *p, const layout *l, tpl_value v)
{
    tpl_text *one = tpl_text_new(&p->r->pool, 4);
    if (v.kind == TPL_STR && tpl_chars(v) == 1) return put_aligned(p->r, p->text, l, tpl_cut(v, 0, 0), v);
    if (!tpl_is_whole(v)) return tpl_raise(p->r, "TypeError", "%%c requires int or char");
    int64_t c = tpl_whole(v);
    if (c < 0 || c > 0x10FFFF) return tpl_raise(p->r, "OverflowError", "%%c arg not in range(0x110000)");
    if (c >= 0xD800 && c < 0xE000) return tpl_refuse(p->r, "half of a surrogate pair");
    if (!one || !tpl_put_char(&p->r->pool, one, (int32_t)c, true)) return false;
    tpl_value s = tpl_text_value(one);
    return put_aligned(p->r, p->text, l, tpl_cut(s, 0, 0), s);
}

/* One conversion, from behind its '%'. */
static bool conversion(percent *p)
{
    const char *f = tpl_data(p->format);
    layout l = { .fill = " ", .align = '>', .sign = '-', .precision = -1 };
    tpl_value v = { 0 };
    if (p->at < p->format.n && f[p->at] == '(' && !keyed(p, &v)) return false;
    for (; p->at < p->format.n && f[p->at] && strchr("-+ #0", f[p->at]); p->at++) {
        if (f[p->at] == '-') l.align = '<';
        else if (f[p->at] == '#') l.alternate = true;
        else if (f[p->at] == '0') l.fill[0] = '0';
        else if (l.sign != '+') l.sign = f[p->at];
    }
    if (!star_or_number(p, &l.width)) return false;
    if (l.width < 0) {
        l.align = '<';
        l.width = -l.width;
    }
    if (p->at < p->format.n && f[p->at] == '.' && (p->at++, !star_or_number(p, &l.precision))) return false;
    while (p->at < p->format.n && f[p->at] && strchr("hlL", f[p->at])) p->at++;
    if (p->at >= p->format.n) return tpl_raise(p->r, "ValueError", "incomplete format");
    char type = f[p->at++];
    if (type == '%') return tpl_puts(&p->r->pool, p->text, "%");
    if (v.kind == TPL_MISSING && !next_arg(p, &v)) return false;
    bool text = type == 's' || type == 'r' || type == 'a';
    if (l.align == '<' || text || type == 'c') l.fill[0] = ' ';
    if (l.precision > MAX_PRECISION && !text) return tpl_raise(p->r, "ValueError", "precision too large");
    if (type == 's')
        return (p->format.sub ? tpl_escape(p->r, v, &v) : tpl_to_str(p->r, v, &v)) && put_text(p->r, p->text, &l, v);
    if (type == 'r')
        return to_repr(p->r, v, &v) && (!p->format.sub || tpl_escape(p->r, v, &v)) && put_text(p->r, p->text, &l, v);
    if (type == 'a')
        return to_ascii(p->r, v, &v) && (!p->format.sub || tpl_escape(p->r, v, &v)) && put_text(p->r, p->text, &l, v);
    if (type == 'c') return put_char(p, &l, v);
    if (type && strchr("diuoxXeEfFgG", type)) return put_number(p, &l, type, v);
    return tpl_raise(p->r, "ValueError", "unsupported format character '%c' (0x%x) at index %zu", type,
                     (unsigned char)type, tpl_chars(tpl_cut(p->format, 0, p->at - 1)));
}

bool tpl_percent(tpl_render *r, tpl_value format, tpl_value arg, tpl_value *out)
{
    percent p = { .r = r, .text = tpl_text_new(&r->pool, format.n + 16), .format = format, .arg = arg };
    p.mapping = arg.kind == TPL_DICT || arg.kind == TPL_LIST || arg.kind == TPL_RANGE || arg.kind == TPL_UNDEFINED;
    if (!p.text) return false;
    while (p.at < format.n) {
        const char *mark = memchr(tpl_data(format) + p.at, '%', format.n - p.at);
        size_t end = mark ? (size_t)(mark - tpl_data(format)) : format.n;
        if (!tpl_put_str(&r->pool, p.text, tpl_cut(format, p.at, end)) || !tpl_work(&r->pool, 1)) return false;
        p.at = end + (mark != NULL);
        if (mark && !conversion(&p)) return false;
    }
    bool all = p.arg.kind == TPL_TUPLE ? p.used == p.arg.n : p.used || p.mapping;
    if (!all) return tpl_raise(r, "TypeError", "not all arguments converted during string formatting");
    *out = tpl_text_value(p.text);
    out->sub = format.sub;
    return true;
}

/* ---- "{}".format(x) ---- */

static bool read_spec(tpl_render *r, tpl_value spec, const char *type, layout *l)
{
    const char *s = tpl_data(spec);
    size_t n = spec.n, i = 0, first = 0;
    *l = (layout){ .fill = " ", .sign = '-', .precision = -1 };
    if (n) tpl_decode(s, n, &first);
    if (first < n && first <= 4 && strchr("<>=^", s[first]) && s[first]) {
        memcpy(l->fill, s, first);
        l->fill[first] = 0;
        l->align = s[first];
        i = first + 1;
    } else if (n && strchr("<>=^", s[0])) {
        l->align = s[i++];
    }
    if (i < n && s[i] && strchr("+- ", s[i])) l->sign = s[i++];
    if (i < n && s[i] == '#') {
        l->alternate = true;
        i++;
    }
    if (i < n && s[i] == '0') {
        if (!l->align) {
            l->align = '=';
            strcpy(l->fill, "0");
        }
        i++;
    }
    for (; i < n && s[i] >= '0' && s[i] <= '9' && l->width <= MAX_WIDTH; i++) l->width = l->width * 10 + (s[i] - '0');
    if (i < n && (s[i] == ',' || s[i] == '_')) l->group = s[i++];
    if (i < n && s[i] == '.') {
        if (++i >= n || s[i] < '0' || s[i] > '9')
            return tpl_raise(r, "ValueError", "Format specifier missing precision");
        for (l->precision = 0; i < n && s[i] >= '0' && s[i] <= '9' && l->precision <= MAX_WIDTH; i++)
            l->precision = l->precision * 10 + (s[i] - '0');
    }
    if (i < n) l->type = s[i++];
    if (l->width > MAX_WIDTH || l->precision > MAX_WIDTH)
        return tpl_raise(r, "ValueError", "Too many decimal digits in format string");
    return i == n || tpl_raise(r, "ValueError", "Invalid format specifier '%.*s' for object of type '%s'",
                               (int)(n > 100 ? 100 : n), s, type);
}

/* The character of a code. */
static bool put_code(tpl_render *r, tpl_text *text, const layout *l, int64_t code)
{
    tpl_text *one = tpl_text_new(&r->pool, 4);
    if (l->sign != '-') return tpl_raise(r, "ValueError", "Sign not allowed with integer format specifier 'c'");
    if (l->alternate)
        return tpl_raise(r, "ValueError", "Alternate form (#) not allowed with integer format specifier 'c'");
    if (l->precision >= 0) return tpl_raise(r, "ValueError", "Precision not allowed in integer format specifier");
    if (code < 0 || code > 0x10FFFF) return tpl_raise(r, "OverflowError", "%%c arg not in range(0x110000)");
    if (code >= 0xD800 && code < 0xE000) return tpl_refuse(r, "half of a surrogate pair");
    return one && tpl_put_char(&r->pool, one, (int32_t)code, true) && put_text(r, text, l, tpl_text_value(one));
}

static bool put_by_spec(tpl_render *r, tpl_text *text, tpl_value v, tpl_value spec)
{
    layout l;
    const char *type = tpl_type_name(v);
    if (!spec.n) return tpl_put_value(r, text, v);
    if (v.kind != TPL_STR && !tpl_is_number(v))
        return tpl_raise(r, "TypeError", "unsupported format string passed to %s.__format__", type);
    if (!read_spec(r, spec, type, &l)) return false;
    /* the C locale groups nothing */
    if (l.type == 'n') {
        if (v.kind == TPL_FLOAT) l.type = 'g';
        else if (v.kind == TPL_STR) l.type = 'n';
        else l.type = 'd';
    }
    if (!l.align) l.align = v.kind == TPL_STR ? '<' : '>';
    if (v.kind == TPL_STR) {
        if (l.align == '=') {
            if (spec.n && tpl_data(spec)[0] != '0')
                return tpl_raise(r, "ValueError", "'=' alignment not allowed in string format specifier");
            l.align = '<';
        }
        if (l.sign != '-') return tpl_raise(r, "ValueError", "Sign not allowed in string format specifier");
        if (!l.type || l.type == 's') return put_text(r, text, &l, v);
    } else if (v.kind != TPL_FLOAT && l.type == 'c') {
        return put_code(r, text, &l, tpl_whole(v));
    } else if (l.type && strchr("eEfFgG%", l.type)) {
        if (l.precision > MAX_PRECISION) return tpl_raise(r, "ValueError", "precision too big");
        return put_real(r, text, &l, tpl_real(v));
    } else if (v.kind == TPL_FLOAT && !l.type) {
        if (l.precision > MAX_PRECISION) return tpl_raise(r, "ValueError", "precision too big");
        return put_real(r, text, &l, v.f);
    } else if (v.kind != TPL_FLOAT && (!l.type || strchr("bdoxX", l.type))) {
        if (l.precision >= 0) return tpl_raise(r, "ValueError", "Precision not allowed in integer format specifier");
        return put_whole(r, text, &l, tpl_whole(v));
    }
    return tpl_raise(r, "ValueError", "Unknown format code '%c' for object of type '%s'", l.type, type);
}

/* In a string that is marked safe. */
static bool put_escaped(tpl_render *r, tpl_text *text, tpl_value v, tpl_value spec)
{
    tpl_text *plain = tpl_text_new(&r->pool, 32);
    tpl_value escaped;
    if (v.kind == TPL_STR && v.sub && spec.n)
        return tpl_raise(r, "ValueError", "Unsupported format specification for Markup.");
    if (v.kind == TPL_STR && v.sub) return tpl_put_str(&r->pool, text, v);
    return plain && put_by_spec(r, plain, v, spec) && tpl_escape(r, tpl_text_value(plain), &escaped) &&
           tpl_put_str(&r->pool, text, escaped);
}

typedef struct formatting {
    tpl_render *r;
    const tpl_args *args;
    int64_t next;             /* of {}; -1: fields are numbered */
    bool markup;              /* what is put in is escaped */
} formatting;

/* As Python's string.Formatter counts: {} takes the next one, and a field that is nothing but a
 * number ends that. */
static bool numbered(formatting *f, tpl_value name, bool whole_field, tpl_value *out)
{
    int64_t i = 0;
    if (whole_field && (name.n ? f->next > 0 : f->next < 0))
        return tpl_raise(f->r, "ValueError",
                         "cannot switch from manual field specification to automatic field numbering");
    for (uint32_t k = 0; k < name.n && i < MAX_WIDTH; k++) i = i * 10 + (tpl_data(name)[k] - '0');
    if (!name.n) i = f->next++;
    else if (whole_field) f->next = -1;
    if (i >= f->args->n) return tpl_raise(f->r, "IndexError", "tuple index out of range");
    *out = f->args->positional[i];
    return true;
}

/* "name.attr[key]", as the sandbox's formatter resolves it. */
static bool field_value(formatting *f, tpl_value field, tpl_value *out)
{
    size_t n = 0;
    bool digits = true;
    const char *s = tpl_data(field);
    while (n < field.n && s[n] != '.' && s[n] != '[') {
        digits = digits && s[n] >= '0' && s[n] <= '9';
        n++;
    }
    tpl_value name = tpl_cut(field, 0, n), text;
    if (digits && (n || !field.n)) {
        if (!numbered(f, name, n == field.n, out)) return false;
    } else {
        uint32_t k = 0;
        while (k < f->args->n_keys && !tpl_is(name, f->args->keys[k])) k++;
        if (k == f->args->n_keys) return to_repr(f->r, name, &text) && tpl_raise_value(f->r, "KeyError", text);
        *out = f->args->keyword[k];
    }
    while (n < field.n) {
        size_t from = n + 1, to = from;
        bool item = s[n] == '[', whole = true;
        while (to < field.n && (item ? s[to] != ']' : s[to] != '.' && s[to] != '[')) {
            whole = whole && s[to] >= '0' && s[to] <= '9';
            to++;
        }
        if (to == from) return tpl_raise(f->r, "ValueError", "Empty attribute in format string");
        if (item && to == field.n) return tpl_raise(f->r, "ValueError", "Missing ']' in format string");
        tpl_value part = tpl_cut(field, from, to);
        char *copy = tpl_get(&f->r->pool, part.n + 1, 1);
        if (!copy) return false;
        memcpy(copy, tpl_data(part), part.n);
        if (item && whole) {
            int64_t i = 0;
            for (size_t k = from; k < to && i < MAX_WIDTH; k++) i = i * 10 + (s[k] - '0');
            part = tpl_int(i);
        }
        if (item ? !tpl_getitem(f->r, *out, part, out) : !tpl_getattr(f->r, *out, copy, out)) return false;
        n = to + item;
    }
    return true;
}

/* Where the field that opens at at ends: its '}', past nested ones. */
static size_t field_end(tpl_value s, size_t at)
{
    size_t open = 1;
    for (; at < s.n; at++) {
        char c = tpl_data(s)[at];
        open += (size_t)(c == '{') - (c == '}');
        if (!open) return at;
    }
    return s.n;
}

static bool put_format(formatting *f, tpl_text *text, tpl_value format, int depth)
{
    const char *s = tpl_data(format);
    for (size_t i = 0, from = 0; i <= format.n; i++) {
        char c = i < format.n ? s[i] : 0;
        if (i < format.n && c != '{' && c != '}') continue;
        bool doubled = i + 1 < format.n && s[i + 1] == c;
        if (!tpl_put_str(&f->r->pool, text, tpl_cut(format, from, i + (i < format.n && doubled)))) return false;
        if (i >= format.n) break;
        from = i + 1 + doubled;
        if (doubled) {
            i++;
            continue;
        }
        if (c == '}') return tpl_raise(f->r, "ValueError", "Single '}' encountered in format string");
        size_t end = field_end(format, i + 1);
        if (end == format.n)
            return tpl_raise(f->r, "ValueError", i + 1 == format.n ? "Single '{' encountered in format string"
                                                                   : "expected '}' before end of string");
        size_t name_end = i + 1;
        while (name_end < end && s[name_end] != '!' && s[name_end] != ':')
            name_end += s[name_end] == '[' ? strcspn(s + name_end, "]") : 1;
        if (name_end > end) name_end = end;
        tpl_value v, spec = tpl_cut(format, end, end);
        if (!field_value(f, tpl_cut(format, i + 1, name_end), &v)) return false;
        if (name_end < end && s[name_end] == '!') {
            char how = name_end + 1 < end ? s[name_end + 1] : 0;
            if (how == 'a' && !to_ascii(f->r, v, &v)) return false;
            if (how != 's' && how != 'r' && how != 'a')
                return tpl_raise(f->r, "ValueError", "Unknown conversion specifier %c", how ? how : '?');
            if (how != 'a' && (how == 's' ? !tpl_to_str(f->r, v, &v) : !to_repr(f->r, v, &v))) return false;
            name_end += 2;
        }
        if (name_end < end) {
            tpl_text *inner = tpl_text_new(&f->r->pool, 16);
            if (s[name_end] != ':') return tpl_raise(f->r, "ValueError", "expected ':' after conversion specifier");
            if (depth >= 2) return tpl_raise(f->r, "ValueError", "Max string recursion exceeded");
            if (!inner || !put_format(f, inner, tpl_cut(format, name_end + 1, end), depth + 1)) return false;
            spec = tpl_text_value(inner);
        }
        if (f->markup ? !put_escaped(f->r, text, v, spec) : !put_by_spec(f->r, text, v, spec)) return false;
        i = end;
        from = end + 1;
    }
    return true;
}

bool tpl_format(tpl_render *r, tpl_value format, const tpl_args *args, tpl_value *out)
{
    formatting f = { r, args, 0, format.sub };
    tpl_text *text = tpl_text_new(&r->pool, format.n + 16);
    if (!text || !put_format(&f, text, format, 0)) return false;
    *out = tpl_text_value(text);
    out->sub = format.sub;
    return true;
}
