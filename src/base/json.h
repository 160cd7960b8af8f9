/* JSON as jansson's values: reading with words that say where, and words for values. */
#ifndef TERN_BASE_JSON_H
#define TERN_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <tern/context.h>

/* Parses n_bytes of text; what (a file's name, "--options") begins the sentence of a failure, which has line and column. Duplicate
 * keys, invalid UTF-8, half surrogates, integers beyond 64 bits, numbers beyond double, text behind the value and nesting beyond 512 are
 * errors (TERN_ERR_FORMAT). "\u0000" is allowed in strings and in keys, whose lengths jansson keeps. *out is a new reference: json_decref. */
tern_status tern_json_parse(tern_ctx *ctx, const char *what, const char *text, size_t n_bytes, json_t **out);

/* Reads and parses dir/name (dir null: a path), at most max_bytes. */
tern_status tern_json_read(tern_ctx *ctx, const char *dir, const char *name, size_t max_bytes, json_t **out);

/* The same two, but a key may be there more than once, and its last value counts, as in Python's json: for files of tokenizers, which others' programs write so. */
tern_status tern_json_parse_repeats(tern_ctx *ctx, const char *what, const char *text, size_t n_bytes, json_t **out);
tern_status tern_json_read_repeats(tern_ctx *ctx, const char *dir, const char *name, size_t max_bytes, json_t **out);

/* The kind of a value as a word: "a string", "null". */
const char *tern_json_kind(const json_t *value);

/* A value as compact text, cut to size: for the words of an error. Returns buffer. */
const char *tern_json_show(const json_t *value, char *buffer, size_t size);

#endif
