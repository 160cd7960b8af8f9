/* JSON text in, jansson's values out (tern_json_parse and tern_json_number of json.h).
 *
 * The text is read here and not by jansson because jansson 2.14's reader loses characters when an
 * allocation inside a token fails, and may then run past its buffer; the functions that build its
 * values have no such fault. */
#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/memory.h"

enum { MAX_DEPTH = 512 };    /* every level takes some hundred bytes of stack */

typedef struct reader {
    tern_json_scan s;
    char *scratch;          /* space for any string or number of the text */
    bool exact;             /* an integer beyond 64 bits is an error, not the nearest double */
    bool repeats;           /* of a key that is there twice the last value counts */
    locale_t c_locale;      /* numbers have a point whatever the program's locale says */
} reader;

static tern_status read_value(reader *r, int depth, json_t **out);

static tern_status no_memory(reader *r)
{
    return tern_fail(r->s.ctx, TERN_ERR_MEMORY, "%s: no memory for its values", r->s.what);
}

static tern_status give(reader *r, json_t *value, json_t **out)
{
    *out = value;
    return value ? TERN_OK : no_memory(r);
}

static size_t digits(tern_json_scan *s)
{
    size_t from = s->at;
    while (s->at < s->end && s->text[s->at] >= '0' && s->text[s->at] <= '9') s->at++;
    return s->at - from;
}

static bool at_one_of(const tern_json_scan *s, const char *chars)
{
    return s->at < s->end && s->text[s->at] && strchr(chars, s->text[s->at]);
}

/* jansson's values hold finite numbers only: its two largest doubles stand for infinity and NaN
 * (tern_json_number). */
static json_t *real_of(double value)
{
    if (isnan(value)) return json_real(nextafter(DBL_MAX, 0));
    if (isinf(value)) return json_real(value < 0 ? -DBL_MAX : DBL_MAX);
    return json_real(value);
}

double tern_json_number(const json_t *value)
{
    double number = json_number_value(value);
    if (!json_is_real(value)) return number;
    if (number == nextafter(DBL_MAX, 0)) return NAN;
    return fabs(number) == DBL_MAX ? copysign(INFINITY, number) : number;
}

/* -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?  without a point and an exponent an integer where
 * 64 bits hold it */
static tern_status read_number(reader *r, json_t **out)
{
    tern_json_scan *s = &r->s;
    const size_t from = s->at;
    bool whole = true;
    if (at_one_of(s, "-")) s->at++;
    if (at_one_of(s, "0")) s->at++;
    else if (!digits(s)) return tern_json_expected(s, "a digit");
    if (at_one_of(s, ".")) {
        whole = false;
        s->at++;
        if (!digits(s)) return tern_json_expected(s, "a digit behind the point");
    }
    if (at_one_of(s, "eE")) {
        whole = false;
        s->at++;
        if (at_one_of(s, "+-")) s->at++;
        if (!digits(s)) return tern_json_expected(s, "a digit of the exponent");
    }
    memcpy(r->scratch, s->text + from, s->at - from);
    r->scratch[s->at - from] = 0;
    errno = 0;
    long long integer = whole ? strtoll(r->scratch, NULL, 10) : 0;
    if (whole && !errno) return give(r, json_integer(integer), out);
    if (!whole || !r->exact) return give(r, real_of(strtod_l(r->scratch, NULL, r->c_locale)), out);
    s->at = from;
    return tern_json_wrong(s, "an integer beyond 64 bits");
}

static json_t *make_nan(void)
{
    return real_of(NAN);
}

static json_t *make_infinity(void)
{
    return real_of(INFINITY);
}

static json_t *make_minus_infinity(void)
{
    return real_of(-INFINITY);
}

static tern_status read_word(reader *r, json_t **out)
{
    static const struct { const char *word; json_t *(*make)(void); } literals[] = {
        { "true", json_true }, { "false", json_false }, { "null", json_null },
        { "NaN", make_nan }, { "Infinity", make_infinity }, { "-Infinity", make_minus_infinity },
    };
    tern_json_scan *s = &r->s;
    for (size_t i = 0; i < sizeof literals / sizeof *literals; i++) {
        size_t n = strlen(literals[i].word);
        if (s->end - s->at < n || memcmp(s->text + s->at, literals[i].word, n)) continue;
        s->at += n;
        return give(r, literals[i].make(), out);
    }
    return tern_json_expected(s, "a value");
}

static tern_status read_list(reader *r, int depth, json_t **out)
{
    tern_status st = TERN_OK;
    json_t *list = json_array(), *value;
    if (!list) return no_memory(r);
    if (!tern_json_take(&r->s, ']')) {
        do {
            TERN_TRY(read_value(r, depth, &value));
            if (json_array_append_new(list, value)) TERN_TRY(no_memory(r));
        } while (tern_json_take(&r->s, ','));
        TERN_TRY(tern_json_need(&r->s, ']'));
    }
    *out = list;
    list = NULL;
done:
    json_decref(list);
    return st;
}

/* One member. Its key stays in the scratch only until the value is read, so that it is kept beside
 * the value meanwhile. */
static tern_status read_member(reader *r, int depth, json_t *object)
{
    size_t n;
    char kept[128], *key = kept;
    json_t *value;
    tern_status st = TERN_OK;
    tern_json_blanks(&r->s);
    const size_t from = r->s.at;
    TERN_TRY(tern_json_string(&r->s, "a key in quotes", r->scratch, &n));
    if (n >= sizeof kept && !(key = tern_alloc(r->s.ctx, n + 1, 1, "a key of JSON"))) {
        key = kept;
        st = TERN_ERR_MEMORY;
        goto done;
    }
    memcpy(key, r->scratch, n + 1);
    TERN_TRY(tern_json_need(&r->s, ':'));
    TERN_TRY(read_value(r, depth, &value));
    const size_t before = json_object_size(object);
    if (json_object_setn_new_nocheck(object, key, n, value)) TERN_TRY(no_memory(r));
    if (!r->repeats && json_object_size(object) == before) {
        r->s.at = from;
        TERN_TRY(tern_json_wrong(&r->s, "a duplicate of the key \"%s\"", TERN_SHOWN(key)));
    }
done:
    if (key != kept) tern_free(key);
    return st;
}

static tern_status read_object(reader *r, int depth, json_t **out)
{
    tern_status st = TERN_OK;
    json_t *object = json_object();
    if (!object) return no_memory(r);
    if (!tern_json_take(&r->s, '}')) {
        do TERN_TRY(read_member(r, depth, object));
        while (tern_json_take(&r->s, ','));
        TERN_TRY(tern_json_need(&r->s, '}'));
    }
    *out = object;
    object = NULL;
done:
    json_decref(object);
    return st;
}

static tern_status read_value(reader *r, int depth, json_t **out)
{
    size_t n;
    tern_json_blanks(&r->s);
    unsigned char c = r->s.at < r->s.end ? r->s.text[r->s.at] : 0;
    if (c == '"') {
        tern_status st = tern_json_string(&r->s, "a string", r->scratch, &n);
        return st ? st : give(r, json_stringn_nocheck(r->scratch, n), out);
    }
    bool number = c == '-' || (c >= '0' && c <= '9'),
        minus_infinity = c == '-' && r->s.at + 1 < r->s.end && r->s.text[r->s.at + 1] == 'I';
    if (number && !minus_infinity) return read_number(r, out);
    if (c != '{' && c != '[') return read_word(r, out);
    if (depth == MAX_DEPTH) return tern_json_wrong(&r->s, "nested beyond a depth of %d", MAX_DEPTH);
    r->s.at++;
    return c == '{' ? read_object(r, depth + 1, out) : read_list(r, depth + 1, out);
}

/* What a caller may ask for beside the rules of tern_json_parse. */
typedef struct rules {
    bool exact, repeats;
} rules;

static tern_status parse(tern_ctx *ctx, const char *what, const char *text, size_t n_bytes, rules asked, json_t **out)
{
    reader r = { .exact = asked.exact, .repeats = asked.repeats,
                 .s = { .ctx = ctx, .what = what, .text = (const unsigned char *)text, .end = n_bytes } };
    json_t *value = NULL;
    tern_status st = TERN_OK;
    r.c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    r.scratch = tern_alloc(ctx, n_bytes + 1, 1, "a text of JSON");
    if (!r.c_locale || !r.scratch) {
        st = no_memory(&r);
        goto done;
    }
    TERN_TRY(tern_json_check_utf8(&r.s));
    TERN_TRY(read_value(&r, 0, &value));
    tern_json_blanks(&r.s);
    if (r.s.at != r.s.end) TERN_TRY(tern_json_expected(&r.s, "nothing behind the value"));
    *out = value;
    value = NULL;
done:
    json_decref(value);
    tern_free(r.scratch);
    if (r.c_locale) freelocale(r.c_locale);
    return st;
}

tern_status tern_json_parse(tern_ctx *ctx, const char *what, const char *text, size_t n_bytes, json_t **out)
{
    return parse(ctx, what, text, n_bytes, (rules){ 0 }, out);
}

tern_status tern_json_parse_exact(tern_ctx *ctx, const char *what, const char *text, size_t n_bytes, json_t **out)
{
    return parse(ctx, what, text, n_bytes, (rules){ .exact = true }, out);
}

tern_status tern_json_parse_repeats(tern_ctx *ctx, const char *what, const char *text, size_t n_bytes, json_t **out)
{
    return parse(ctx, what, text, n_bytes, (rules){ .repeats = true }, out);
}
