/* The filter urlize: what looks like an address becomes a link. Called through the table of
 * filters. Which words are addresses: jinja2 3.1, utils.py, urlize; text that is escaped already
 * stays as it is. */
#include <string.h>
#include <utf8proc.h>

#include "base/ctx.h"
#include "text/template/template.h"

typedef struct linker {
    tpl_render *r;
    tpl_text *text;
    tpl_value attributes, limit;      /* ' rel="noopener"'; how much of an address is shown, NONE: all */
    tpl_value schemes;                /* further ones, a list or tuple */
} linker;

static bool is_word_char(int32_t c)
{
    if (c < 128) return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
    utf8proc_category_t k = utf8proc_category(c);
    return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO) ||
           (k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO);
}

/* How many bytes from at on are letters, digits, '_' or one of more; *chars counts them. */
static uint32_t span_of(tpl_value s, uint32_t at, const char *more, uint32_t *chars)
{
    size_t i = at, next = at;
    for (*chars = 0; next < s.n; i = next, ++*chars) {
        int32_t c = tpl_decode(tpl_data(s), s.n, &next);
        if (!is_word_char(c) && !(c > 0 && c < 128 && strchr(more, c))) return (uint32_t)i - at;
    }
    return (uint32_t)next - at;
}

static bool starts(tpl_value s, uint32_t at, const char *literal, bool any_case)
{
    size_t n = strlen(literal);
    if (at + n > s.n) return false;
    return (any_case ? strncasecmp(tpl_data(s) + at, literal, n) : memcmp(tpl_data(s) + at, literal, n)) == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ":80" and "/path" are all that may follow a host. */
static bool ends_host(tpl_value s, uint32_t at)
{
    const char *d = tpl_data(s);
    if (at < s.n && d[at] == ':') {
        uint32_t from = ++at;
        while (at < s.n && at - from < 5 && is_digit(d[at])) at++;
        if (at == from) return false;
    }
    return at == s.n || d[at] == '/' || d[at] == '?' || d[at] == '#';
}

/* [a-z]{2,63}, or "xn--" and 2 to 59 letters. */
static bool is_domain_end(tpl_value s, uint32_t at, uint32_t n)
{
    uint32_t letters = 0, chars;
    while (letters < n && (tpl_data(s)[at + letters] | 32) >= 'a' && (tpl_data(s)[at + letters] | 32) <= 'z') letters++;
    if (letters == n) return n >= 2 && n <= 63;
    return starts(s, at, "xn--", true) && span_of(s, at + 4, "%", &chars) == n - 4 && chars >= 2 && chars <= 59;
}

static bool is_known_end(tpl_value s, uint32_t at, uint32_t n)
{
    static const char *const ends[] = { "com", "net", "int", "edu", "gov", "org", "info", "mil" };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (n == strlen(ends[i]) && starts(s, at, ends[i], true)) return true;
    return false;
}

/* Labels with dots between from at on, the last a domain; without a scheme it must be a known one,
 * and labels have 2 to 63 characters. */
static bool is_host(tpl_value s, uint32_t at, bool has_scheme)
{
    for (bool first = true;; first = false) {
        uint32_t chars, n = span_of(s, at, "%-", &chars);
        bool more = at + n < s.n && tpl_data(s)[at + n] == '.';
        if (!more)
            return (has_scheme ? is_domain_end(s, at, n) : !first && is_known_end(s, at, n)) && ends_host(s, at + n);
        if (!n || (!has_scheme && (chars < 2 || chars > 63))) return false;
        at += n + 1;
    }
}

static bool is_ipv4(tpl_value s, uint32_t at)
{
    for (int part = 0; part < 4; part++) {
        uint32_t from = part ? ++at : at;
        while (at < s.n && at - from < 3 && is_digit(tpl_data(s)[at])) at++;
        if (at == from || (part < 3 && (at >= s.n || tpl_data(s)[at] != '.'))) return false;
    }
    return ends_host(s, at);
}

static bool is_ipv6(tpl_value s, uint32_t at)
{
    const char *d = tpl_data(s);
    if (at >= s.n || d[at++] != '[') return false;
    for (int part = 0; part < 8; part++) {
        uint32_t from = at;
        while (at < s.n && at - from < 4 && (is_digit(d[at]) || ((d[at] | 32) >= 'a' && (d[at] | 32) <= 'f'))) at++;
        bool colon = at < s.n && d[at] == ':';
        if (part < 2 && !colon) return false;
        at += colon;
        if (part >= 2 && at < s.n && d[at] == ']') return ends_host(s, at + 1);
    }
    return false;
}

static bool is_address(tpl_value s)
{
    uint32_t scheme = 0;
    if (starts(s, 0, "https://", true)) scheme = 8;
    else if (starts(s, 0, "http://", true)) scheme = 7;
    if (scheme && (is_ipv4(s, scheme) || is_ipv6(s, scheme))) return true;
    if (scheme && is_host(s, scheme, true)) return true;
    if (starts(s, 0, "www.", true) && is_host(s, 4, true)) return true;
    return is_host(s, 0, false);
}

/* anything@word.more.word */
static bool is_mail(tpl_value s)
{
    const char *d = tpl_data(s), *sign = memrchr(d, '@', s.n), *dot = memrchr(d, '.', s.n);
    if (!sign || sign == d || !dot || dot < sign + 2) return false;
    uint32_t host = (uint32_t)(sign + 1 - d), end = (uint32_t)(dot + 1 - d), chars;
    if (!span_of(s, host, "", &chars) || span_of(s, host, ".-", &chars) != s.n - host) return false;
    return end < s.n && span_of(s, end, "", &chars) == s.n - end;
}

static uint32_t count_in(tpl_value s, const char *part)
{
    uint32_t n = 0;
    size_t length = strlen(part);
    const char *at = tpl_data(s), *end = at + s.n;
    for (; (at = memmem(at, (size_t)(end - at), part, length)); at += length) n++;
    return n;
}

/* Cuts the brackets and stops around a word off: it keeps the closing ones that it opens. */
static void trim_word(tpl_value word, uint32_t *from, uint32_t *to)
{
    static const char *const pairs[][2] = { { "(", ")" }, { "<", ">" }, { "&lt;", "&gt;" } };
    const char *d = tpl_data(word);
    while (*from < word.n && (d[*from] == '(' || d[*from] == '<' || starts(word, *from, "&lt;", false)))
        *from += d[*from] == '&' ? 4 : 1;
    for (*to = word.n; *to > *from;) {
        if (strchr(")>.,", d[*to - 1]) && d[*to - 1]) *to -= 1;
        else if (*to - *from >= 4 && memcmp(d + *to - 4, "&gt;", 4) == 0) *to -= 4;
        else break;
    }
    for (int i = 0; i < 3; i++) {
        tpl_value middle = tpl_cut(word, *from, *to);
        uint32_t opened = count_in(middle, pairs[i][0]), closes = count_in(tpl_cut(word, *to, word.n), pairs[i][1]);
        if (opened <= count_in(middle, pairs[i][1])) continue;
        for (uint32_t n = opened < closes ? opened : closes; n; n--) {
            const char *at = memmem(d + *to, word.n - *to, pairs[i][1], strlen(pairs[i][1]));
            *to = (uint32_t)(at - d + (ptrdiff_t)strlen(pairs[i][1]));
        }
    }
}

static bool put_link(linker *l, const char *scheme, tpl_value address, tpl_value shown, bool attributes)
{
    tpl_pool *pool = &l->r->pool;
    return tpl_puts(pool, l->text, "<a href=\"") && tpl_puts(pool, l->text, scheme) &&
           tpl_put_str(pool, l->text, address) && tpl_puts(pool, l->text, "\"") &&
           (!attributes || tpl_put_str(pool, l->text, l->attributes)) && tpl_puts(pool, l->text, ">") &&
           tpl_put_str(pool, l->text, shown) && tpl_puts(pool, l->text, "</a>");
}

static bool put_address(linker *l, tpl_value address)
{
    const char *scheme = starts(address, 0, "https://", false) || starts(address, 0, "http://", false)
                             ? "" : "https://";
    tpl_value shown = address, dots;
    if (l->limit.kind != TPL_NONE) {
        if (!tpl_str(&l->r->pool, "...", &dots) || !tpl_slice(l->r, address, tpl_none(), l->limit, tpl_none(), &shown))
            return false;
        bool cut = (int64_t)tpl_chars(address) > tpl_whole(l->limit);
        if (!cut) shown = address;
        else if (!tpl_concat(&l->r->pool, shown, dots, &shown)) return false;
    }
    return put_link(l, scheme, address, shown, true);
}

static bool put_middle(linker *l, tpl_value s)
{
    if (!tpl_work(&l->r->pool, 1 + s.n / 8)) return false;
    if (is_address(s)) return put_address(l, s);
    if (starts(s, 0, "mailto:", false) && is_mail(tpl_cut(s, 7, s.n)))
        return put_link(l, "", s, tpl_cut(s, 7, s.n), false);
    bool plain = memchr(tpl_data(s), '@', s.n) && !starts(s, 0, "www.", false) && tpl_data(s)[0] != '@' &&
                 !memchr(tpl_data(s), ':', s.n);
    if (plain && is_mail(s)) return put_link(l, "mailto:", s, s, false);
    for (uint32_t i = 0; i < l->schemes.n; i++) {
        tpl_value scheme = tpl_items(l->schemes)[i];
        if (s.n > scheme.n && memcmp(tpl_data(s), tpl_data(scheme), scheme.n) == 0) return put_link(l, "", s, s, true);
    }
    return tpl_put_str(&l->r->pool, l->text, s);
}

static bool put_word(linker *l, tpl_value word)
{
    uint32_t from = 0, to;
    trim_word(word, &from, &to);
    return tpl_put_str(&l->r->pool, l->text, tpl_cut(word, 0, from)) && put_middle(l, tpl_cut(word, from, to)) &&
           tpl_put_str(&l->r->pool, l->text, tpl_cut(word, to, word.n));
}

/* ' rel="..." target="..."': the relations, each once and in order. */
static bool read_attributes(linker *l, tpl_value nofollow, tpl_value target, tpl_value rel)
{
    tpl_render *r = l->r;
    tpl_text *text = tpl_text_new(&r->pool, 64);
    tpl_value given, parts, sorted, joined, one, none = tpl_none(), blank;
    if (!text || !tpl_str(&r->pool, "noopener", &given) || !tpl_str(&r->pool, " ", &blank)) return false;
    if (tpl_truth(rel) && rel.kind != TPL_STR)
        return tpl_raise(r, "AttributeError", "'%s' object has no attribute 'split'", tpl_type_name(rel));
    if (tpl_truth(rel) && (!tpl_concat(&r->pool, rel, blank, &rel) || !tpl_concat(&r->pool, rel, given, &given)))
        return false;
    if (tpl_truth(nofollow) && (!tpl_str(&r->pool, " nofollow", &one) || !tpl_concat(&r->pool, given, one, &given)))
        return false;
    tpl_args no = { .positional = &none, .n = 1 };
    if (!tpl_find_method(TPL_STR, "split")->run(r, given, &no, &parts)) return false;
    tpl_args sensitive = { .positional = (tpl_value[]){ tpl_bool(true) }, .n = 1 };
    if (!tpl_find_filter("unique")->run(r, parts, &sensitive, &parts)) return false;
    tpl_args order = { .positional = (tpl_value[]){ tpl_bool(false), tpl_bool(true) }, .n = 2 };
    if (!tpl_find_filter("sort")->run(r, parts, &order, &sorted)) return false;
    if (!tpl_find_filter("join")->run(r, sorted, &(tpl_args){ .positional = &blank, .n = 1 }, &joined) ||
        !tpl_escape(r, joined, &joined))
        return false;
    if (!tpl_puts(&r->pool, text, " rel=\"") || !tpl_put_str(&r->pool, text, joined) || !tpl_puts(&r->pool, text, "\""))
        return false;
    if (tpl_truth(target) && (!tpl_escape(r, target, &target) || !tpl_puts(&r->pool, text, " target=\"") ||
                              !tpl_put_str(&r->pool, text, target) || !tpl_puts(&r->pool, text, "\"")))
        return false;
    l->attributes = tpl_text_value(text);
    return true;
}

/* Each further scheme is 2 or more letters, digits and ".+-", a colon and at most two slashes. */
static bool read_schemes(linker *l, tpl_value given)
{
    tpl_array *array;
    if (given.kind == TPL_MISSING || given.kind == TPL_NONE) return true;
    if (!tpl_to_array(l->r, given, &array)) return false;
    for (uint32_t i = 0; i < array->used; i++) {
        tpl_value scheme = array->items[i], literal;
        uint32_t chars, n;
        if (scheme.kind != TPL_STR)
            return tpl_raise(l->r, "TypeError", "expected string or bytes-like object, got '%s'",
                             tpl_type_name(scheme));
        n = span_of(scheme, 0, ".+-", &chars);
        bool good = chars >= 2 && n < scheme.n && tpl_data(scheme)[n] == ':' && scheme.n - n <= 3;
        for (uint32_t k = n + 1; k < scheme.n; k++) good = good && tpl_data(scheme)[k] == '/';
        if (good) continue;
        tpl_text *text = tpl_text_new(&l->r->pool, 32);
        if (!text || !tpl_put_repr(l->r, text, scheme)) return false;
        literal = tpl_text_value(text);
        return tpl_raise(l->r, "FilterArgumentError", "%.*s is not a valid URI scheme prefix.",
                         (int)(literal.n > 200 ? 200 : literal.n), tpl_data(literal));
    }
    l->schemes = tpl_list_of(array, TPL_LIST);
    return true;
}

bool tpl_urlize(tpl_render *r, tpl_value v, const tpl_args *args, tpl_value *out)
{
    tpl_value slots[5], s;
    linker l = { .r = r, .text = tpl_text_new(&r->pool, 64), .limit = tpl_none() };
    if (!l.text || !tpl_bind(r, "do_urlize", args, "trim_url_limit nofollow target rel extra_schemes", 0, slots))
        return false;
    if (!read_attributes(&l, slots[1], slots[2], slots[3]) || !read_schemes(&l, slots[4]) || !tpl_escape(r, v, &s))
        return false;
    if (slots[0].kind != TPL_MISSING) l.limit = slots[0];
    if (l.limit.kind != TPL_NONE && !tpl_is_whole(l.limit))
        return tpl_raise(r, "TypeError", "'>' not supported between instances of 'int' and '%s'",
                         tpl_type_name(l.limit));
    for (size_t from = 0, at = 0; from < s.n; from = at) {
        size_t next = at = from;
        bool space = tpl_is_space(tpl_decode(tpl_data(s), s.n, &next));
        for (at = next; at < s.n && tpl_is_space(tpl_decode(tpl_data(s), s.n, &next)) == space;) at = next;
        tpl_value part = tpl_cut(s, from, at);
        part.sub = 0;
        if (space ? !tpl_put_str(&r->pool, l.text, part) : !put_word(&l, part)) return false;
    }
    *out = tpl_text_value(l.text);
    return true;
}
