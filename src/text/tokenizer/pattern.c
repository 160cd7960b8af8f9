/* Matching patterns through PCRE2: see pattern.h. Called by normalizers, pre-tokenizers and
 * decoders. */
#include "text/tokenizer/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/utf8.h"

enum { JIT_STACK_START = 32 << 10, JIT_STACK_MOST = 16 << 20, MATCH_LIMIT = 10000000, HEAP_LIMIT_KIB = 256 << 10,
       LIMIT_PER_BYTE = 16 };

struct pattern {
    char *literal;             /* null: a regular expression */
    size_t n_literal;
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    bool jit;
};

void pattern_free(pattern *p)
{
    if (!p) return;
    tern_free(p->literal);
    pcre2_match_context_free(p->context);
    pcre2_jit_stack_free(p->stack);
    pcre2_match_data_free(p->match);
    pcre2_code_free(p->code);
    tern_free(p);
}

tern_status pattern_literal(tern_ctx *ctx, const char *text, size_t n_bytes, pattern **out)
{
    pattern *p = tern_alloc(ctx, 1, sizeof *p, "a pattern");
    if (!p) return TERN_ERR_MEMORY;
    p->literal = tern_strndup(ctx, text, n_bytes);
    p->n_literal = n_bytes;
    if (!p->literal) {
        pattern_free(p);
        return TERN_ERR_MEMORY;
    }
    *out = p;
    return TERN_OK;
}

static tern_status compile(tern_ctx *ctx, pattern *p, const char *source, const char *what)
{
    tern_status st = TERN_OK;
    char *translated = NULL;
    size_t n_translated, at;
    int error;
    char message[128], shown[204];
    pcre2_compile_context *settings = pcre2_compile_context_create(NULL);
    if (!settings) return tern_fail(ctx, TERN_ERR_MEMORY, "no memory for a regular expression");
    pcre2_set_newline(settings, PCRE2_NEWLINE_LF);
    pcre2_set_max_pattern_length(settings, 1 << 20);
    TERN_TRY(pattern_translate(ctx, source, strlen(source), &translated, &n_translated));
    p->code = pcre2_compile((PCRE2_SPTR)translated, n_translated, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &at,
                            settings);
    if (!p->code) {
        pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof message);
        tern_show(shown, sizeof shown, "%s", source);
        st = tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s: the regular expression \"%s\" does not compile: %s", what, shown,
                       message);
        goto done;
    }
    p->match = pcre2_match_data_create(1, NULL);
    p->context = pcre2_match_context_create(NULL);
    if (!p->match || !p->context) {
        st = tern_fail(ctx, TERN_ERR_MEMORY, "no memory for a regular expression");
        goto done;
    }
    pcre2_set_heap_limit(p->context, HEAP_LIMIT_KIB);
    if (!pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE)) {
        p->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_MOST, NULL);
        if (p->stack) pcre2_jit_stack_assign(p->context, NULL, p->stack);
        p->jit = p->stack != NULL;
    }
done:
    tern_free(translated);
    pcre2_compile_context_free(settings);
    return st;
}

tern_status pattern_regex(tern_ctx *ctx, const char *source, size_t n_bytes, const char *what, pattern **out)
{
    if (strlen(source) != n_bytes)
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s: a regular expression with a NUL in it", what);
    pattern *p = tern_alloc(ctx, 1, sizeof *p, "a pattern");
    if (!p) return TERN_ERR_MEMORY;
    tern_status st = compile(ctx, p, source, what);
    if (st) pattern_free(p);
    else *out = p;
    return st;
}

tern_status pattern_load(tern_ctx *ctx, const json_t *json, const char *what, pattern **out)
{
    const json_t *text = json_object_get(json, "String"), *regex = json_object_get(json, "Regex");
    char shown[80];
    if (json_is_string(json)) text = json;
    if (json_is_string(text)) return pattern_literal(ctx, json_string_value(text), json_string_length(text), out);
    if (json_is_string(regex))
        return pattern_regex(ctx, json_string_value(regex), json_string_length(regex), what, out);
    return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s: pattern is %s, not {\"String\": ...} or {\"Regex\": ...}", what,
                     tern_json_show(json, shown, sizeof shown));
}

/* The leftmost match at or after from. */
static tern_status search(tern_ctx *ctx, pattern *p, const char *text, size_t n, size_t from, bool *found,
                          size_t *begin, size_t *end)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    pcre2_set_match_limit(p->context, n < 100000000 ? MATCH_LIMIT + (uint32_t)(n * LIMIT_PER_BYTE) : UINT32_MAX);
    int rc = PCRE2_ERROR_JIT_STACKLIMIT;
    if (p->jit) rc = pcre2_jit_match(p->code, subject, n, from, 0, p->match, p->context);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(p->code, subject, n, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, p->match, p->context);
    *found = rc >= 0;
    if (rc == PCRE2_ERROR_NOMATCH) return TERN_OK;
    if (rc < 0) {
        char message[128];
        pcre2_get_error_message(rc, (PCRE2_UCHAR *)message, sizeof message);
        return tern_fail(ctx, TERN_ERR_LIMIT,
                         "a regular expression of the tokenizer gives up on this text of %zu bytes: %s", n, message);
    }
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(p->match);
    *begin = range[0];
    *end = range[1] > range[0] ? range[1] : range[0];
    return TERN_OK;
}

static bool next_literal(const pattern *p, pattern_walk *walk, size_t *begin, size_t *end)
{
    const char *hit = p->n_literal && walk->from < walk->n
                          ? memmem(walk->text + walk->from, walk->n - walk->from, p->literal, p->n_literal) : NULL;
    if (!hit) return false;
    *begin = (size_t)(hit - walk->text);
    *end = walk->from = *begin + p->n_literal;
    return true;
}

tern_status pattern_next(tern_ctx *ctx, pattern *p, pattern_walk *walk, bool *found, size_t *begin, size_t *end)
{
    if (p->literal) {
        *found = next_literal(p, walk, begin, end);
        return TERN_OK;
    }
    while (walk->from <= walk->n) {
        tern_status st = search(ctx, p, walk->text, walk->n, walk->from, found, begin, end);
        if (st || !*found) return st;
        if (*begin == *end && walk->matched && walk->last_end == *end) {
            walk->from += walk->from < walk->n ? utf8_length((unsigned char)walk->text[walk->from]) : 1;
            continue;
        }
        walk->from = walk->last_end = *end;
        walk->matched = true;
        return TERN_OK;
    }
    *found = false;
    return TERN_OK;
}
