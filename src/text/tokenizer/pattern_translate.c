/* An Oniguruma expression as a PCRE2 expression: see pattern.h. Called by pattern.c.
 *
 * Where the two differ (Oniguruma's doc/RE, PCRE2's pcre2pattern and pcre2syntax):
 *     \s \S           White_Space in Oniguruma; PCRE2 adds U+180E
 *     \w \d \h \v \b  Unicode's word, Nd, a hex digit, U+000B there; other sets here
 *     (?m)            the dot takes newlines: (?s) here; ^ and $ always work by line
 *   x{2,3}+  (x{2,3})+ there, possessive here; x{2}? is (x{2})? there; x{,3} is x{0,3} there,
 *            literal here
 *     [a[bc]] [a&&b]  nested and intersected classes: alternatives and lookaheads here
 */
#include <ctype.h>
#include <stdio.h>

#include "base/ctx.h"
#include "text/tokenizer/bytes.h"
#include "text/tokenizer/pattern.h"
#include "text/properties.h"
#include "text/utf8.h"

enum { NEST_MOST = 64, OPERANDS_MOST = 8 };

typedef struct translator {
    tern_ctx *ctx;
    const char *source;
    size_t n, at;
    bytes out;
    size_t atom;                     /* where the last atom begins in out; SIZE_MAX: nothing to repeat */
    size_t groups[NEST_MOST];
    int n_groups, class_depth;
} translator;

static tern_status refuse(translator *t, const char *what)
{
    char shown[204];
    tern_show(shown, sizeof shown, "%s", t->source);
    return tern_fail(t->ctx, TERN_ERR_UNSUPPORTED, "the regular expression \"%s\", byte %zu: %s", shown, t->at, what);
}

/* The name of the set of a one-letter escape that has a complement; null: no such letter. */
static const char *set_of(char letter)
{
    switch (tolower((unsigned char)letter)) {
    case 's': return "Space";
    case 'w': return "Word";
    case 'd': return "Nd";
    case 'h': return "XDigit";
    default: return NULL;
    }
}

/* \p{Name}, \p{^Name} or \P{Name} at t->at (the p): its class form and whether it is negated. */
static tern_status read_property(translator *t, bytes *items, bool *negated)
{
    const char *p = t->source + t->at + 1, *close;
    char name[64];
    size_t n = 0;
    *negated = t->source[t->at] == 'P';
    if (*p != '{') {
        if (!isalpha((unsigned char)*p)) return refuse(t, "\\p without a name");
        name[n++] = *p;
        t->at += 2;
    } else {
        close = strchr(p, '}');
        if (!close || (size_t)(close - p) > sizeof name) return refuse(t, "\\p without an end");
        if (*++p == '^') {
            *negated = !*negated;
            p++;
        }
        for (; p < close; p++)
            if (*p != ' ' && *p != '_' && *p != '-') name[n++] = *p;
        t->at = (size_t)(close + 1 - t->source);
    }
    name[n] = 0;
    property_items(items, name);
    return items->st;
}

/* An escape that stands for one character, at the letter behind the backslash: its PCRE2 form. */
static tern_status read_character(translator *t, bytes *out)
{
    char c = t->source[t->at], form[16];
    switch (c) {
    case 'v': bytes_text(out, "\\x0b"); break;
    case 'n': case 'r': case 't': case 'f': case 'a': case 'e': case '0':
        bytes_add(out, (char[]){ '\\', c }, 2);
        break;
    case 'u':
        for (int i = 1; i <= 4; i++)
            if (!isxdigit((unsigned char)t->source[t->at + (size_t)i]))
                return refuse(t, "\\u without four hexadecimal digits");
        snprintf(form, sizeof form, "\\x{%.4s}", t->source + t->at + 1);
        bytes_text(out, form);
        t->at += 4;
        break;
    case 'x': bytes_text(out, "\\x"); break;    /* digits or {digits} follow in both */
    case 'c': case 'C': case 'M': case 'y': case 'Y': return refuse(t, "an escape that tern does not know");
    default:
        if (isalnum((unsigned char)c)) bytes_add(out, &c, 1);
        else if ((unsigned char)c < 0x80) bytes_add(out, (char[]){ '\\', c }, 2);
        else {
            size_t n = utf8_length((unsigned char)c);
            bytes_add(out, t->source + t->at, n);
            t->at += n - 1;
        }
    }
    t->at++;
    if (c == 'x' && t->source[t->at] == '{') {
        const char *close = strchr(t->source + t->at, '}');
        if (!close) return refuse(t, "\\x{ without an end");
        bytes_add(out, t->source + t->at, (size_t)(close + 1 - (t->source + t->at)));
        t->at = (size_t)(close + 1 - t->source);
    }
    return out->st;
}

/* ---- Classes ---- */

/* One operand of a class: plain items, and alternatives that a PCRE2 class cannot hold. */
typedef struct operand {
    bytes items, alternatives;
} operand;

static tern_status read_class(translator *t, bytes *out);

static void add_alternative(operand *op, const char *expression)
{
    bytes_text(&op->alternatives, op->alternatives.n ? "|" : "");
    bytes_text(&op->alternatives, expression);
}

/* Adds the items of a set, or the set's complement, to the operand. */
static void add_set(operand *op, const char *items, bool negated)
{
    if (!negated) {
        bytes_text(&op->items, items);
        return;
    }
    add_alternative(op, "[^");
    bytes_text(&op->alternatives, items);
    bytes_text(&op->alternatives, "]");
}

static void add_named_set(operand *op, const char *name, bool negated)
{
    if (negated) add_alternative(op, "[^");
    property_items(negated ? &op->alternatives : &op->items, name);
    if (negated) bytes_text(&op->alternatives, "]");
}

static tern_status class_escape(translator *t, operand *op)
{
    tern_status st = TERN_OK;
    bytes property = { .ctx = t->ctx };
    bool negated;
    char c = t->source[++t->at];
    if (!c) return refuse(t, "a backslash at the end");
    if (c == 'p' || c == 'P') {
        TERN_TRY(read_property(t, &property, &negated));
        add_set(op, property.data, negated);
    } else if (set_of(c)) {
        add_named_set(op, set_of(c), isupper((unsigned char)c));
        t->at++;
    } else if (c == 'b') {
        bytes_text(&op->items, "\\x08");
        t->at++;
    } else {
        TERN_TRY(read_character(t, &op->items));
    }
done:
    bytes_free(&property);
    return st;
}

/* [:name:] or [:^name:] inside a class. */
static bool class_posix(translator *t, operand *op)
{
    static const char *const names[] = { "alpha", "digit", "space", "upper", "lower", "alnum", "punct", "word",
                                         "xdigit", "cntrl", "blank", "ascii" };
    const char *p = t->source + t->at + 2;
    bool negated = *p == '^';
    p += negated;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i]);
        if (strncmp(p, names[i], n) || strncmp(p + n, ":]", 2)) continue;
        add_named_set(op, names[i], negated);
        t->at = (size_t)(p + n + 2 - t->source);
        return true;
    }
    return false;
}

static tern_status class_operand(translator *t, operand *op, bool *more)
{
    tern_status st = TERN_OK;
    const char *s = t->source;
    bytes nested = { .ctx = t->ctx };
    bool first = true;
    *more = false;
    for (;; first = false) {
        char c = s[t->at];
        if (t->at >= t->n) {
            st = refuse(t, "a class without an end");
            goto done;
        }
        if (c == ']' && !first) break;
        if (c == '&' && s[t->at + 1] == '&') {
            t->at += 2;
            *more = true;
            break;
        }
        if (c == '\\') {
            TERN_TRY(class_escape(t, op));
        } else if (c == '[') {
            if (s[t->at + 1] == ':' && class_posix(t, op)) continue;
            bytes_free(&nested);
            TERN_TRY(read_class(t, &nested));
            add_alternative(op, nested.data);
        } else {
            size_t n = utf8_length((unsigned char)c);
            if (c == ']') bytes_text(&op->items, "\\");
            bytes_add(&op->items, s + t->at, n);
            t->at += n;
        }
    }
    st = op->items.st ? op->items.st : op->alternatives.st;
done:
    bytes_free(&nested);
    return st;
}

static void write_operand(const operand *op, bytes *out)
{
    bytes_text(out, "(?:");
    if (op->items.n) {
        bytes_text(out, "[");
        bytes_add(out, op->items.data, op->items.n);
        bytes_text(out, op->alternatives.n ? "]|" : "]");
    }
    if (op->alternatives.n) bytes_add(out, op->alternatives.data, op->alternatives.n);
    if (!op->items.n && !op->alternatives.n) bytes_text(out, "(?!)");
    bytes_text(out, ")");
}

/* A class at t->at (its opening bracket): a PCRE2 class where one can say it, else a group that
 * matches one character. */
static tern_status read_class(translator *t, bytes *out)
{
    tern_status st = TERN_OK;
    operand ops[OPERANDS_MOST];
    int n_ops = 0;
    bool negated = false, more = true;
    for (int i = 0; i < OPERANDS_MOST; i++) ops[i] = (operand){ { .ctx = t->ctx }, { .ctx = t->ctx } };
    if (++t->class_depth > NEST_MOST) {
        st = refuse(t, "classes nested too deeply");
        goto done;
    }
    if (t->source[++t->at] == '^') {
        negated = true;
        t->at++;
    }
    while (more) {
        if (n_ops == OPERANDS_MOST) {
            st = refuse(t, "a class with too many intersections");
            goto done;
        }
        TERN_TRY(class_operand(t, &ops[n_ops++], &more));
    }
    t->at++;
    if (n_ops == 1 && !ops[0].alternatives.n && ops[0].items.n) {
        bytes_text(out, negated ? "[^" : "[");
        bytes_add(out, ops[0].items.data, ops[0].items.n);
        bytes_text(out, "]");
    } else {
        bytes_text(out, negated ? "(?:(?!" : "(?:");
        for (int i = 0; i < n_ops; i++) {
            if (i + 1 < n_ops) bytes_text(out, "(?=");
            write_operand(&ops[i], out);
            if (i + 1 < n_ops) bytes_text(out, ")");
        }
        bytes_text(out, negated ? ")(?s:.))" : ")");
    }
    st = out->st;
done:
    t->class_depth--;
    for (int i = 0; i < OPERANDS_MOST; i++) {
        bytes_free(&ops[i].items);
        bytes_free(&ops[i].alternatives);
    }
    return st;
}

/* ---- Everything else ---- */

/* A word boundary or its absence: PCRE2's own uses another notion of words. */
static void write_boundary(bytes *out, bool boundary)
{
    static const char *const parts[2][5] = { { "(?:(?<=[", "])(?=[", "])|(?<![", "])(?![", "]))" },
                                             { "(?:(?<=[", "])(?![", "])|(?<![", "])(?=[", "]))" } };
    for (int i = 0; i < 5; i++) {
        bytes_text(out, parts[boundary][i]);
        if (i < 4) property_items(out, "WordAlone");
    }
}

static tern_status read_escape(translator *t)
{
    tern_status st = TERN_OK;
    bytes set = { .ctx = t->ctx };
    bool negated = false;
    char c = t->source[++t->at];
    t->atom = t->out.n;
    if (!c) return refuse(t, "a backslash at the end");
    if (c == 'p' || c == 'P') {
        TERN_TRY(read_property(t, &set, &negated));
    } else if (set_of(c)) {
        property_items(&set, tolower((unsigned char)c) == 'w' ? "WordAlone" : set_of(c));
        negated = isupper((unsigned char)c);
        t->at++;
    }
    if (set.n) {
        bytes_text(&t->out, negated ? "[^" : "[");
        bytes_text(&t->out, set.data);
        bytes_text(&t->out, "]");
    } else if (c == 'b' || c == 'B') {
        write_boundary(&t->out, c == 'b');
        t->at++;
    } else if (c == 'N' || c == 'O') {
        bytes_text(&t->out, c == 'N' ? "[^\\n]" : "(?s:.)");
        t->at++;
    } else if (strchr("AzZGKRXkg123456789", c)) {
        bytes_add(&t->out, (char[]){ '\\', c }, 2);
        t->at++;
    } else {
        TERN_TRY(read_character(t, &t->out));
    }
    st = set.st;
done:
    bytes_free(&set);
    return st;
}

/* {n}, {n,}, {,m} or {n,m} at t->at: its numbers, or false where the brace is a character. */
static bool read_interval(const translator *t, size_t *end, char *form, size_t size)
{
    unsigned lo = 0, hi = 0;
    int n = 0;
    const char *p = t->source + t->at;
    if (sscanf(p, "{%5u}%n", &lo, &n) == 1 && n) snprintf(form, size, "{%u}", lo);
    else if (sscanf(p, "{%5u,}%n", &lo, &n) == 1 && n) snprintf(form, size, "{%u,}", lo);
    else if (sscanf(p, "{%5u,%5u}%n", &lo, &hi, &n) == 2 && n) snprintf(form, size, "{%u,%u}", lo, hi);
    else if (sscanf(p, "{,%5u}%n", &hi, &n) == 1 && n) snprintf(form, size, "{0,%u}", hi);
    else return false;
    *end = t->at + (size_t)n;
    return true;
}

static void wrap_atom(translator *t)
{
    bytes_insert(&t->out, t->atom, "(?:");
    bytes_text(&t->out, ")");
}

/* A run of quantifiers behind an atom. The first one repeats it; one more repeats the
 * repetition. */
static tern_status read_quantifier(translator *t)
{
    char form[32], c = t->source[t->at];
    size_t end = t->at + 1;
    bool interval = c == '{';
    if (t->atom == SIZE_MAX) return refuse(t, "nothing to repeat");
    if (interval) read_interval(t, &end, form, sizeof form);
    else snprintf(form, sizeof form, "%c", c);
    bytes_text(&t->out, form);
    t->at = end;
    c = t->source[t->at];
    if (c == '?' && interval && !strchr(form, ',')) {
        wrap_atom(t);
        bytes_text(&t->out, "?");
        t->at++;
    } else if (c == '?' || (c == '+' && !interval)) {
        bytes_add(&t->out, &c, 1);
        t->at++;
    }
    c = t->source[t->at];
    if (c == '*' || c == '+' || c == '?' || (c == '{' && read_interval(t, &end, form, sizeof form))) wrap_atom(t);
    return t->out.st;
}

/* (, (?...: groups, lookarounds, options. */
static tern_status read_group(translator *t)
{
    const char *s = t->source;
    if (t->n_groups == NEST_MOST) return refuse(t, "groups nested too deeply");
    t->groups[t->n_groups++] = t->out.n;
    bytes_text(&t->out, "(");
    t->atom = SIZE_MAX;
    if (s[++t->at] != '?') return TERN_OK;
    if (s[t->at + 1] == '~' || s[t->at + 1] == '{') return refuse(t, "a group that tern does not know");
    if (s[t->at + 1] == '#') {
        const char *close = strchr(s + t->at, ')');
        if (!close) return refuse(t, "a comment without an end");
        t->out.data[--t->out.n] = 0;
        t->n_groups--;
        t->at = (size_t)(close + 1 - s);
        return TERN_OK;
    }
    bytes_text(&t->out, "?");
    t->at++;
    while (isalpha((unsigned char)s[t->at]) || s[t->at] == '-') {
        if (!strchr("imx-", s[t->at])) return refuse(t, "a group option that tern does not know");
        bytes_add(&t->out, s[t->at] == 'm' ? "s" : s + t->at, 1);
        t->at++;
    }
    if (s[t->at] == ')') return TERN_OK;                 /* (?i) : its bracket is closed by the main loop */
    while (s[t->at] && strchr(":=!><", s[t->at])) {
        bytes_add(&t->out, s + t->at, 1);
        t->at++;
    }
    return t->out.st;
}

static tern_status read_one(translator *t)
{
    char c = t->source[t->at], form[32];
    size_t end;
    switch (c) {
    case '\\': return read_escape(t);
    case '[': t->atom = t->out.n; return read_class(t, &t->out);
    case '(': return read_group(t);
    case ')':
        if (!t->n_groups) return refuse(t, "a bracket that nothing opened");
        t->atom = t->groups[--t->n_groups];
        break;
    case '|': t->atom = SIZE_MAX; break;
    case '*': case '+': case '?': return read_quantifier(t);
    case '{':
        if (read_interval(t, &end, form, sizeof form)) return read_quantifier(t);
        t->atom = t->out.n;
        bytes_text(&t->out, "\\");
        break;
    default: t->atom = t->out.n;
    }
    size_t n = utf8_length((unsigned char)c);
    bytes_add(&t->out, t->source + t->at, n);
    t->at += n;
    return t->out.st;
}

tern_status pattern_translate(tern_ctx *ctx, const char *source, size_t n_bytes, char **out, size_t *n_out)
{
    translator t = { .ctx = ctx, .source = source, .n = n_bytes, .out = { .ctx = ctx }, .atom = SIZE_MAX };
    tern_status st = TERN_OK;
    bytes_text(&t.out, "");
    while (t.at < t.n) TERN_TRY(read_one(&t));
    if (t.out.st) st = t.out.st;
    if (!st) {
        *out = t.out.data;
        *n_out = t.out.n;
        t.out.data = NULL;
    }
done:
    bytes_free(&t.out);
    return st;
}
