/* A string that grows, and fails late: after a failed append the string is broken, and bytes_status
 * says so once at the end. */
#ifndef TERN_TEXT_BYTES_H
#define TERN_TEXT_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"

typedef struct bytes {
    tern_ctx *ctx;
    char *data;
    size_t n, capacity;
    tern_status st;        /* the first failure */
} bytes;

static inline bool bytes_reserve(bytes *b, size_t n)
{
    if (b->st) return false;
    if (b->n + n + 1 > b->capacity) {
        size_t capacity = (b->n + n) * 2 + 64;
        b->st = tern_grow(b->ctx, (void **)&b->data, capacity, 1, "text");
        if (b->st) return false;
        b->capacity = capacity;
    }
    return true;
}

/* Appends n bytes; there is always a NUL behind the last. */
static inline void bytes_add(bytes *b, const char *text, size_t n)
{
    if (!bytes_reserve(b, n)) return;
    if (n) memcpy(b->data + b->n, text, n);
    b->n += n;
    b->data[b->n] = 0;
}

static inline void bytes_text(bytes *b, const char *text)
{
    bytes_add(b, text, strlen(text));
}

/* Puts text before position at. */
static inline void bytes_insert(bytes *b, size_t at, const char *text)
{
    size_t n = strlen(text);
    if (!bytes_reserve(b, n)) return;
    memmove(b->data + at + n, b->data + at, b->n - at + 1);
    memcpy(b->data + at, text, n);
    b->n += n;
}

static inline void bytes_free(bytes *b)
{
    tern_free(b->data);
    *b = (bytes){ .ctx = b->ctx };
}

#endif
