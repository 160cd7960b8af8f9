/* Allocation with messages: the one place of the library that calls malloc and free.
 *
 * What has a lifetime of its own comes from tern_alloc; what lives for one step comes from the
 * context's arena (arena.h). Every release accepts null. */
#ifndef TERN_BASE_MEMORY_H
#define TERN_BASE_MEMORY_H

#include <tern/context.h>

/* count * size zeroed bytes, or null with TERN_ERR_MEMORY's message in ctx ("what" names the
 * thing). A product that overflows is a failure like any other. ctx may be null. count 0 gives a
 * pointer that only tern_free may touch. */
void *tern_alloc(tern_ctx *ctx, size_t count, size_t size, const char *what);

/* The same at a multiple of align (a power of two); not zeroed. Freed by tern_free too. */
void *tern_alloc_aligned(tern_ctx *ctx, size_t align, size_t count, size_t size, const char *what);

/* A large piece that is read far and wide: on huge pages where the system has them, so that few
 * addresses must be translated; not zeroed. Memory that is not touched is not taken, but for the
 * rest of a huge page. Freed by tern_free too. */
void *tern_alloc_huge(tern_ctx *ctx, size_t n_bytes, const char *what);

/* *p grown to count elements of size; the old ones stay, the new ones are not set. On failure *p
 * stays valid and unchanged. */
tern_status tern_grow(tern_ctx *ctx, void **p, size_t count, size_t size, const char *what);

char *tern_strdup(tern_ctx *ctx, const char *text);
char *tern_strndup(tern_ctx *ctx, const char *text, size_t n_bytes);

void tern_free(void *p);

#endif
