/* JSON as jansson's values: reading with messages that say where, and text for values. */
#ifndef TERN_BASE_JSON_H
#define TERN_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <tern/context.h>

/* Parses n_bytes of text; what (a file's name, "--options") begins the sentence of a failure, which
 * has line and column. Duplicate keys, invalid UTF-8, half surrogates, text behind the value and
 * nesting beyond 512 are errors (TERN_ERR_FORMAT). "\u0000" is allowed in strings and in keys,
 * whose lengths jansson keeps. Numbers are those of Python's json: NaN, Infinity and -Infinity are
 * numbers, 1e999 is infinite, and an integer beyond 64 bits is the nearest double, no longer an
 * integer of jansson's. *out is a new reference: json_decref. */
tern_status tern_json_parse(tern_ctx *ctx, const char *what, const char *text, size_t n_bytes,
                            json_t **out);

/* The same where every digit counts: an integer beyond 64 bits is an error. */
tern_status tern_json_parse_exact(tern_ctx *ctx, const char *what, const char *text, size_t n_bytes,
                                  json_t **out);

/* The value of a number read by these calls: NaN and infinities, which jansson's values cannot
 * hold, come back from what stands for them. 0 where value is no number. */
double tern_json_number(const json_t *value);

/* Reads and parses dir/name (dir null: a path), at most max_bytes. */
tern_status tern_json_read(tern_ctx *ctx, const char *dir, const char *name, size_t max_bytes,
                           json_t **out);

/* The same two, but a key may be there more than once, and its last value counts, as in Python's
 * json: for files of tokenizers, which others' programs write so. */
tern_status tern_json_parse_repeats(tern_ctx *ctx, const char *what, const char *text,
                                    size_t n_bytes, json_t **out);
tern_status tern_json_read_repeats(tern_ctx *ctx, const char *dir, const char *name,
                                   size_t max_bytes, json_t **out);

/* The kind of a value as a word: "a string", "null". */
const char *tern_json_kind(const json_t *value);

/* A value as compact ASCII text for an error's message: what is longer than size (at least 4) is
 * cut, not inside an escape, and marked "...". Returns buffer. */
const char *tern_json_show(const json_t *value, char *buffer, size_t size);

#endif
