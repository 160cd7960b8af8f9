/* The filter striptags: HTML without its tags and comments, entities read, whitespace as single
 * blanks. Called through the table of filters. Of HTML's names for characters tern has the few that
 * text is escaped with. */
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

/* Where the tag or comment that opens at at is over; 0: it is not closed. */
static size_t tag_end(tpl_value s, size_t at)
{
    const char *d = tpl_data(s), *end;
    bool comment = s.n - at >= 4 && memcmp(d + at, "<!--", 4) == 0;
    if (comment) end = memmem(d + at + 4, s.n - at - 4, "-->", 3);
    else end = memchr(d + at, '>', s.n - at);
    if (end) return (size_t)(end - d) + (comment ? 3 : 1);
    return 0;
}

static bool drop_tags(tpl_render *r, tpl_value s, tpl_value *out)
{
    tpl_text *text = tpl_text_new(&r->pool, s.n);
    size_t at = 0, end;
    if (!text) return false;
    for (const char *open; (open = memchr(tpl_data(s) + at, '<', s.n - at)); at = end) {
        size_t start = (size_t)(open - tpl_data(s));
        if (!tpl_work(&r->pool, 1) || !(end = tag_end(s, start))) break;
        if (!tpl_put_str(&r->pool, text, tpl_cut(s, at, start))) return false;
    }
    if (r->pool.status || !tpl_put_str(&r->pool, text, tpl_cut(s, at, s.n))) return false;
    *out = tpl_text_value(text);
    return true;
}

/* The code of "&#65;" or "&#x41;" from behind the '#'; *used bytes were read. Source: HTML,
 * "Numeric character reference end state". */
static int32_t numeric(const char *s, size_t n, size_t *used)
{
    static const int32_t windows[] = { 0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030,
                                       0x0160, 0x2039, 0x0152, 0x8d,   0x017d, 0x8f,   0x90,   0x2018, 0x2019, 0x201c,
                                       0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,
                                       0x017e, 0x0178 };
    size_t i = n && (s[0] | 32) == 'x', from = i;
    int base = i ? 16 : 10;
    int64_t code = 0;
    for (; i < n; i++) {
        int digit = 99;
        if (s[i] >= '0' && s[i] <= '9') digit = s[i] - '0';
        else if ((s[i] | 32) >= 'a' && (s[i] | 32) <= 'f') digit = (s[i] | 32) - 'a' + 10;
        if (digit >= base) break;
        code = code > 0x110000 ? code : code * base + digit;
    }
    *used = i > from ? i + (i < n && s[i] == ';') : 0;
    if (code >= 0x80 && code < 0xA0) return windows[code - 0x80];
    if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return 0xFFFD;
    bool none = (code < 0x20 && code != 9 && code != 10 && code != 12 && code != 13) || code == 0x7F ||
                (code & 0xFFFE) == 0xFFFE || (code >= 0xFDD0 && code <= 0xFDEF) || code == 0xB;
    if (code == 13) return 13;
    if (none) return -1;
    return (int32_t)code;
}

static bool put_entity(tpl_render *r, tpl_text *text, tpl_value s, size_t at, size_t *used)
{
    static const struct {
        const char *name;
        int32_t code;
    } names[] = { { "lt;", '<' }, { "gt;", '>' }, { "amp;", '&' }, { "quot;", '"' }, { "apos;", '\'' },
                  { "nbsp;", 0xA0 } };
    const char *d = tpl_data(s) + at + 1;
    size_t n = s.n - at - 1;
    bool trusted = tpl_trusted(tpl_cut(s, at, at + 1));
    *used = 1;
    if (n && d[0] == '#') {
        size_t digits;
        int32_t code = numeric(d + 1, n - 1, &digits);
        *used = digits ? digits + 2 : 1;
        if (digits) return code < 0 || tpl_put_char(&r->pool, text, code, trusted);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t length = strlen(names[i].name);
        if (n < length || memcmp(d, names[i].name, length)) continue;
        *used = length + 1;
        return tpl_put_char(&r->pool, text, names[i].code, trusted);
    }
    if (n && (d[0] | 32) >= 'a' && (d[0] | 32) <= 'z')
        return tpl_refuse(r, "the HTML name &%.*s", (int)(n > 12 ? 12 : n), d);
    return tpl_put_str(&r->pool, text, tpl_cut(s, at, at + 1));
}

static bool read_entities(tpl_render *r, tpl_value s, tpl_value *out)
{
    tpl_text *text = tpl_text_new(&r->pool, s.n);
    size_t at = 0, used;
    if (!text) return false;
    for (const char *sign; (sign = memchr(tpl_data(s) + at, '&', s.n - at)); at += used) {
        size_t start = (size_t)(sign - tpl_data(s));
        if (!tpl_put_str(&r->pool, text, tpl_cut(s, at, start)) || !put_entity(r, text, s, start, &used) ||
            !tpl_work(&r->pool, 1))
            return false;
        at = start;
    }
    if (!tpl_put_str(&r->pool, text, tpl_cut(s, at, s.n))) return false;
    *out = tpl_text_value(text);
    return true;
}

bool tpl_striptags(tpl_render *r, tpl_value v, const tpl_args *args, tpl_value *out)
{
    tpl_value s, words, blank, none = tpl_none();
    if (!tpl_bind(r, "do_striptags", args, "", 0, NULL) || !tpl_to_str(r, v, &s) || !drop_tags(r, s, &s)) return false;
    if (!tpl_find_method(TPL_STR, "split")->run(r, s, &(tpl_args){ .positional = &none, .n = 1 }, &words) ||
        !tpl_str(&r->pool, " ", &blank))
        return false;
    return tpl_find_filter("join")->run(r, words, &(tpl_args){ .positional = &blank, .n = 1 }, &s) &&
           read_entities(r, s, out);
}
