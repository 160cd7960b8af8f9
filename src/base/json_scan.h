/* The pieces of JSON text, one at a time: blanks, punctuation, strings, numbers, and the message
 * for what else is found. Used by the reader of whole documents (json_read.c) and by readers of one
 * form that must be fast and small (formats/st_header.c).
 * Source: RFC 8259. */
#ifndef TERN_BASE_JSON_SCAN_H
#define TERN_BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <tern/context.h>

typedef struct tern_json_scan {
    tern_ctx *ctx;
    const char *what;             /* begins every sentence: a file's name */
    const unsigned char *text;
    size_t at, end;               /* the next byte, and the text's length */
    /* places are named as bytes of the file; else as line and column */
    bool in_bytes;
    size_t origin;                /* in_bytes: which byte of the file text[0] is */
    bool no_nul;                  /* "\u0000" is refused in strings */
} tern_json_scan;

/* Fails with "what: line 3, column 7: a ':' is expected, not 'x'" about the byte at s->at. */
tern_status tern_json_expected(tern_json_scan *s, const char *wanted);

/* The same place with another message. */
tern_status tern_json_wrong(tern_json_scan *s, const char *format, ...) TERN_PRINTF(2, 3);

/* The whole text is UTF-8, or the first byte that is not is named. Everything below relies on
 * it. */
tern_status tern_json_check_utf8(tern_json_scan *s);

void tern_json_blanks(tern_json_scan *s);
/* after blanks; false leaves the place */
bool tern_json_take(tern_json_scan *s, char c);
tern_status tern_json_need(tern_json_scan *s, char c);

/* A string after blanks, decoded into out with a NUL behind it; out has space for as many bytes as
 * the text has left. */
tern_status tern_json_string(tern_json_scan *s, const char *wanted, char *out, size_t *n_bytes);

#endif
