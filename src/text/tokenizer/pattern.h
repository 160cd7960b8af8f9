/* The patterns of tokenizer.json, a literal text or a regular expression, and their matches in a
 * text from left to right.
 *
 * The expressions are written for Oniguruma (Ruby's syntax with Unicode); pattern_translate turns
 * one into the PCRE2 expression that matches the same. Matching is bounded: an expression that goes
 * wild on a text fails with TERN_ERR_LIMIT instead of hanging. */
#ifndef TERN_TEXT_PATTERN_H
#define TERN_TEXT_PATTERN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <tern/context.h>

typedef struct pattern pattern;

/* {"String": "..."} or {"Regex": "..."}; what names the component in errors. */
tern_status pattern_load(tern_ctx *ctx, const json_t *json, const char *what, pattern **out);
tern_status pattern_regex(tern_ctx *ctx, const char *source, size_t n_bytes, const char *what,
                          pattern **out);
tern_status pattern_literal(tern_ctx *ctx, const char *text, size_t n_bytes, pattern **out);
void pattern_free(pattern *p);

/* A walk over the matches in n bytes of valid UTF-8; text and n are set, the rest is zero at the
 * start. An empty match at the end of the match before it does not count. */
typedef struct pattern_walk {
    const char *text;
    size_t n, from, last_end;
    bool matched;
} pattern_walk;

/* *found false: no more. Uses scratch inside p: one walk step at a time. */
tern_status pattern_next(tern_ctx *ctx, pattern *p, pattern_walk *walk, bool *found, size_t *begin,
                         size_t *end);

/* The PCRE2 source for an Oniguruma expression; *out is freed by tern_free. TERN_ERR_UNSUPPORTED a
 * construct without a counterpart. */
tern_status pattern_translate(tern_ctx *ctx, const char *source, size_t n_bytes, char **out,
                              size_t *n_out);

#endif
