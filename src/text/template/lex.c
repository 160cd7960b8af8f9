/* Cuts a template's source into tokens, with Jinja's whitespace control. Called by parse.c.
 *
 *   text before {%  '-' strips all whitespace before it; without '+' blanks between a line's start
 *                   and the tag go (lstrip_blocks)
 *   %} text behind  '-' strips all whitespace behind it; without '+' one newline goes (trim_blocks)
 *     {{ }}               only '-' strips
 * Rules: Jinja 3.1, "Whitespace Control" and "Escaping"; strings unescape as Python's
 * unicode-escape does. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "text/template/parse.h"

typedef struct lexer {
    tpl_parser *p;
    const char *s;
    uint32_t n, at;
    uint32_t cap;
    bool line_start;           /* what was read last ended a line */
} lexer;

static tpl_token *push(lexer *l, tpl_token_kind kind, uint32_t at, uint32_t n)
{
    tpl_parser *p = l->p;
    if (p->n_tokens == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 256;
        tpl_token *tokens = tpl_get(p->pool, cap, sizeof *tokens);
        if (!tokens) {
            p->status = p->pool->status;
            return NULL;
        }
        if (p->n_tokens) memcpy(tokens, p->tokens, p->n_tokens * sizeof *tokens);
        p->tokens = tokens;
        l->cap = cap;
    }
    tpl_token *t = &p->tokens[p->n_tokens++];
    *t = (tpl_token){ .kind = kind, .at = at, .n = n };
    return t;
}

static bool here(const lexer *l, uint32_t at, const char *chars)
{
    size_t n = strlen(chars);
    return at + n <= l->n && memcmp(l->s + at, chars, n) == 0;
}

static uint32_t skip_space(const lexer *l, uint32_t at)
{
    size_t i = at, next = at;
    while (next < l->n && tpl_is_space(tpl_decode(l->s, l->n, &next))) i = next;
    return (uint32_t)i;
}

/* The end of the text [from, to) once its trailing whitespace is gone. */
static uint32_t strip_end(const lexer *l, uint32_t from, uint32_t to)
{
    while (to > from) {
        uint32_t i = to - 1;
        while (i > from && ((unsigned char)l->s[i] & 0xC0) == 0x80) i--;
        size_t next = i;
        if (!tpl_is_space(tpl_decode(l->s, to, &next))) break;
        to = i;
    }
    return to;
}

/* Ends the text [from, to) that stands before a tag with this sign ('-', '+' or 0). */
static bool push_data(lexer *l, uint32_t from, uint32_t to, char sign, bool is_print)
{
    if (sign == '-') {
        to = strip_end(l, from, to);
    } else if (sign != '+' && !is_print) {
        uint32_t line = to;
        while (line > from && l->s[line - 1] != '\n') line--;
        if ((line > from || l->line_start) && strip_end(l, line, to) == line) to = line;
    }
    return to == from || push(l, TOK_DATA, from, to - from) != NULL;
}

static char sign_at(const lexer *l, uint32_t at)
{
    return at < l->n && (l->s[at] == '-' || l->s[at] == '+') ? l->s[at] : 0;
}

/* Behind a closing tag at l->at (of two characters, the sign before it read already). */
static void after_tag(lexer *l, char sign, bool trims_newline)
{
    l->at += 2;
    if (sign == '-') l->at = skip_space(l, l->at);
    else if (sign != '+' && trims_newline && l->at < l->n && l->s[l->at] == '\n') l->at++;
    l->line_start = l->s[l->at - 1] == '\n';
}

static bool comment(lexer *l, uint32_t start)
{
    for (uint32_t i = l->at; i + 1 < l->n; i++) {
        if (here(l, i, "#}")) {
            char sign = i > l->at && (l->s[i - 1] == '-' || l->s[i - 1] == '+') ? l->s[i - 1] : 0;
            l->at = i;
            after_tag(l, sign, true);
            return true;
        }
    }
    return tpl_syntax(l->p, start, "Missing end of comment tag");
}

/* "{%- raw -%}" at at: where its text begins, 0 if it is something else. */
static uint32_t raw_begin(const lexer *l, uint32_t at)
{
    at += 2;
    if (sign_at(l, at)) at++;
    at = skip_space(l, at);
    if (!here(l, at, "raw")) return 0;
    at = skip_space(l, at + 3);
    if (here(l, at, "-%}")) return skip_space(l, at + 3);
    return here(l, at, "%}") ? at + 2 : 0;
}

static bool raw(lexer *l, uint32_t start)
{
    uint32_t from = l->at;
    for (uint32_t i = from; i + 1 < l->n; i++) {
        if (!here(l, i, "{%")) continue;
        char sign = sign_at(l, i + 2), close = 0;
        uint32_t k = skip_space(l, i + 2 + (sign != 0));
        if (!here(l, k, "endraw")) continue;
        k = skip_space(l, k + 6);
        if (sign_at(l, k)) close = l->s[k++];
        if (!here(l, k, "%}")) continue;
        l->line_start = l->s[from - 1] == '\n';
        if (!push_data(l, from, i, sign, false)) return false;
        l->at = k;
        after_tag(l, close, true);
        return true;
    }
    return tpl_syntax(l->p, start, "Missing end of raw directive");
}

/* ---- inside a tag ---- */

static bool digits(const lexer *l, uint32_t *at, const char *set)
{
    uint32_t i = *at;
    if (i >= l->n || !strchr(set, l->s[i]) || !l->s[i]) return false;
    while (i < l->n && l->s[i] &&
           (strchr(set, l->s[i]) || (l->s[i] == '_' && i + 1 < l->n && l->s[i + 1] && strchr(set, l->s[i + 1]))))
        i++;
    *at = i;
    return true;
}

#define DECIMAL "0123456789"

static void copy_digits(const lexer *l, uint32_t from, uint32_t to, char *buffer, size_t size)
{
    size_t n = 0;
    for (uint32_t i = from; i < to && n + 1 < size; i++)
        if (l->s[i] != '_') buffer[n++] = l->s[i];
    buffer[n] = 0;
}

static bool integer(lexer *l, uint32_t from, uint32_t to, int base)
{
    char buffer[128];
    copy_digits(l, base == 10 ? from : from + 2, to, buffer, sizeof buffer);
    int64_t value = 0;
    for (const char *c = buffer; *c; c++) {
        int digit = *c <= '9' ? *c - '0' : (*c | 32) - 'a' + 10;
        if (__builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, digit, &value))
            return tpl_unsupported(l->p, from, "an integer of more than 64 bits");
    }
    tpl_token *t = push(l, TOK_INT, from, to - from);
    if (t) t->value = tpl_int(value);
    l->at = to;
    return t != NULL;
}

static bool number(lexer *l)
{
    uint32_t from = l->at, i = from, k;
    bool after_dot = from && l->s[from - 1] == '.';
    digits(l, &i, DECIMAL);
    k = i;
    bool fraction = k < l->n && l->s[k] == '.' && (k++, digits(l, &k, DECIMAL));
    if (!fraction) k = i;
    uint32_t e = k;
    bool exponent = e < l->n && (l->s[e] | 32) == 'e' && (e++, e += sign_at(l, e) != 0, digits(l, &e, DECIMAL));
    if (exponent) k = e;
    if ((fraction || exponent) && !after_dot) {
        char buffer[128];
        copy_digits(l, from, k, buffer, sizeof buffer);
        tpl_token *t = push(l, TOK_FLOAT, from, k - from);
        if (t) t->value = tpl_float(strtod(buffer, NULL));
        l->at = k;
        return t != NULL;
    }
    if (l->s[from] == '0' && from + 1 < l->n) {
        static const struct { char letter; int base; const char *set; } bases[] = {
            { 'x', 16, "0123456789abcdefABCDEF" }, { 'o', 8, "01234567" }, { 'b', 2, "01" }
        };
        for (size_t b = 0; b < 3; b++) {
            k = from + 2 + (here(l, from + 2, "_") ? 1 : 0);
            if ((l->s[from + 1] | 32) == bases[b].letter && digits(l, &k, bases[b].set))
                return integer(l, from, k, bases[b].base);
        }
        k = from;
        digits(l, &k, "0");
        return integer(l, from, k, 10);
    }
    return integer(l, from, i, 10);
}

static bool put_code(lexer *l, tpl_text *text, int32_t code, uint32_t at)
{
    if (code >= 0xD800 && code < 0xE000) return tpl_unsupported(l->p, at, "a string with half of a surrogate pair");
    if (code > 0x10FFFF) return tpl_syntax(l->p, at, "illegal Unicode character");
    return tpl_put_char(l->p->pool, text, code, true);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \xhh, \uhhhh, \Uhhhhhhhh and \ooo at s (behind the backslash); *used bytes were read, 0: none of
 * these; -1: too few digits. */
static int32_t numeric_escape(const char *s, uint32_t n, uint32_t *used)
{
    uint32_t want = 0;
    if (s[0] == 'x') want = 2;
    else if (s[0] == 'u') want = 4;
    else if (s[0] == 'U') want = 8;
    uint32_t i = 0;
    int64_t code = 0;
    if (want) {
        for (i = 1; i <= want; i++) {
            if (i >= n || hex_value(s[i]) < 0) return -1;
            code = code * 16 + hex_value(s[i]);
        }
    } else {
        for (; i < n && i < 3 && s[i] >= '0' && s[i] <= '7'; i++) code = code * 8 + (s[i] - '0');
    }
    *used = i;
    return (int32_t)(code > 0x110000 ? 0x110000 : code);
}

static bool escape_of(lexer *l, tpl_text *text, uint32_t *at, uint32_t end)
{
    static const char plain[] = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v";
    const char *s = l->s + *at + 1;
    uint32_t left = end - *at - 1, used = 0;
    if (*s == '\n') {
        *at += 2;
        return true;
    }
    for (const char *c = plain; *c; c += 2) {
        if (*s != *c) continue;
        *at += 2;
        return put_code(l, text, c[1], *at);
    }
    if (*s == 'N') return tpl_unsupported(l->p, *at, "\\N{...} in a string");
    int32_t code = numeric_escape(s, left, &used);
    if (code < 0) return tpl_syntax(l->p, *at, "truncated \\%cXX escape", *s);
    if (used) {
        bool ok = put_code(l, text, code, *at);
        *at += 1 + used;
        return ok;
    }
    /* Python turns the character into an escape first, whose backslash this one then escapes */
    if ((unsigned char)*s > 127) {
        size_t next = *at + 1;
        int32_t c = tpl_decode(l->s, l->n, &next);
        char chars[16];
        static const char hex[] = "0123456789abcdef";
        int width = 8;
        if (c < 256) width = 2;
        else if (c < 65536) width = 4;
        int k = 0;
        chars[k++] = '\\';
        if (width == 2) chars[k++] = 'x';
        else if (width == 4) chars[k++] = 'u';
        else chars[k++] = 'U';
        for (int shift = 4 * (width - 1); shift >= 0; shift -= 4) chars[k++] = hex[c >> shift & 15];
        *at = (uint32_t)next;
        return tpl_put(l->p->pool, text, chars, (size_t)k, true);
    }
    *at += 1;
    return tpl_puts(l->p->pool, text, "\\");      /* an unknown escape stays as it is */
}

/* A string that opens at l->at; false with nothing failed: there is no closing quote. */
static bool string(lexer *l, bool *closed)
{
    uint32_t from = l->at, end = from + 1;
    char quote = l->s[from];
    while (end < l->n && l->s[end] != quote) end += l->s[end] == '\\' ? 2 : 1;
    *closed = end < l->n;
    if (!*closed) return true;
    tpl_text *text = tpl_text_new(l->p->pool, end - from);
    bool ok = text != NULL;
    for (uint32_t i = from + 1; ok && i < end;) {
        if (l->s[i] == '\\') {
            ok = escape_of(l, text, &i, end);
        } else {
            uint32_t k = i;
            while (k < end && l->s[k] != '\\') k++;
            ok = tpl_put(l->p->pool, text, l->s + i, k - i, true);
            i = k;
        }
    }
    tpl_token *t = ok ? push(l, TOK_STRING, from, end + 1 - from) : NULL;
    if (!t) return false;
    text->cap = 0;      /* literals are never appended to */
    t->value = tpl_text_value(text);
    l->at = end + 1;
    return true;
}

static bool name(lexer *l, bool *found)
{
    size_t i = l->at, next = i;
    int32_t first = tpl_decode(l->s, l->n, &next);
    *found = tpl_is_name_start(first);
    if (!*found) return true;
    while (next <= l->n) {
        i = next;
        if (i == l->n || !tpl_is_name_part(tpl_decode(l->s, l->n, &next))) break;
    }
    bool ok = push(l, TOK_NAME, l->at, (uint32_t)i - l->at) != NULL;
    l->at = (uint32_t)i;
    return ok;
}

typedef struct balance {
    char closers[256];
    uint32_t n;
} balance;

static bool operator(lexer *l, balance *open)
{
    static const char *const pairs[] = { "**", "//", "==", "!=", ">=", "<=" };
    char c = l->s[l->at];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (!here(l, l->at, pairs[i])) continue;
        tpl_token *t = push(l, TOK_OP, l->at, 2);
        if (t) t->op = pairs[i][0] << 8 | pairs[i][1];
        l->at += 2;
        return t != NULL;
    }
    if (!c || !strchr("+-/*%~[](){}<>=.:|,;", c)) {
        size_t next = l->at;
        tpl_decode(l->s, l->n, &next);
        return tpl_syntax(l->p, l->at, "unexpected char '%.*s'", (int)(next - l->at), l->s + l->at);
    }
    if (c == '(' || c == '[' || c == '{') {
        if (open->n == sizeof open->closers)
            return tpl_syntax(l->p, l->at, "more than %zu brackets are open", sizeof open->closers);
        if (c == '(') open->closers[open->n++] = ')';
        else if (c == '[') open->closers[open->n++] = ']';
        else open->closers[open->n++] = '}';
    } else if (c == ')' || c == ']' || c == '}') {
        if (!open->n) return tpl_syntax(l->p, l->at, "unexpected '%c'", c);
        if (open->closers[--open->n] != c)
            return tpl_syntax(l->p, l->at, "unexpected '%c', expected '%c'", c, open->closers[open->n]);
    }
    tpl_token *t = push(l, TOK_OP, l->at, 1);
    if (t) t->op = c;
    l->at++;
    return t != NULL;
}

/* From behind "{{" or "{%" to behind its end. */
static bool inside(lexer *l, bool is_print)
{
    balance open = { .n = 0 };
    const char *end = is_print ? "}}" : "%}";
    for (;;) {
        l->at = skip_space(l, l->at);
        if (l->at >= l->n) return true;      /* the parser says what is missing */
        if (!open.n) {
            char sign = sign_at(l, l->at);
            if (is_print && sign == '+') sign = 0;
            if (here(l, l->at + (sign != 0), end)) {
                if (!push(l, is_print ? TOK_PRINT_END : TOK_BLOCK_END, l->at, 2)) return false;
                l->at += sign != 0;
                after_tag(l, sign, !is_print);
                return true;
            }
        }
        char c = l->s[l->at];
        bool done = false, ok = true;
        if (c >= '0' && c <= '9') ok = done = number(l);
        if (ok && !done && (c == '\'' || c == '"')) ok = string(l, &done);
        if (ok && !done) ok = name(l, &done);
        if (ok && !done) ok = operator(l, &open);
        if (!ok) return false;
    }
}

/* The next "{{", "{%" or "{#" from l->at on, l->n if there is none. */
static uint32_t next_tag(const lexer *l)
{
    for (uint32_t i = l->at; i + 1 < l->n; i++)
        if (l->s[i] == '{' && (l->s[i + 1] == '{' || l->s[i + 1] == '%' || l->s[i + 1] == '#')) return i;
    return l->n;
}

bool tpl_lex(tpl_parser *p)
{
    lexer l = { .p = p, .s = p->v->source, .n = p->v->n_bytes, .line_start = true };
    while (l.at < l.n) {
        uint32_t tag = next_tag(&l), from = l.at, body;
        if (tag == l.n) {
            if (!push(&l, TOK_DATA, from, tag - from)) return false;
            break;
        }
        char sign = sign_at(&l, tag + 2), what = l.s[tag + 1];
        if (!push_data(&l, from, tag, sign, what == '{')) return false;
        l.line_start = false;
        if (what == '%' && (body = raw_begin(&l, tag))) {
            l.at = body;
            if (!raw(&l, tag)) return false;
            continue;
        }
        l.at = tag + 2 + (sign != 0);
        if (what == '#') {
            if (!comment(&l, tag)) return false;
            continue;
        }
        if (!push(&l, what == '{' ? TOK_PRINT_BEGIN : TOK_BLOCK_BEGIN, tag, 2) || !inside(&l, what == '{'))
            return false;
    }
    return push(&l, TOK_END, l.n, 0) != NULL;
}
