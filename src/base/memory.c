/* The library's allocations: see memory.h. */
#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/ctx.h"

#define HUGE_PAGE ((size_t)2 << 20)

static void *fail(tern_ctx *ctx, size_t count, size_t size, const char *what)
{
    tern_fail(ctx, TERN_ERR_MEMORY, "no memory for %s: %zu x %zu bytes", what, count, size);
    return NULL;
}

void *tern_alloc(tern_ctx *ctx, size_t count, size_t size, const char *what)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    return p ? p : fail(ctx, count, size, what);
}

void *tern_alloc_aligned(tern_ctx *ctx, size_t align, size_t count, size_t size, const char *what)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX - align) return fail(ctx, count, size, what);
    void *p = aligned_alloc(align, (bytes / align + 1) * align);
    return p ? p : fail(ctx, count, size, what);
}

void *tern_alloc_huge(tern_ctx *ctx, size_t n_bytes, const char *what)
{
    bool large = n_bytes >= 4 * HUGE_PAGE;
    void *p = tern_alloc_aligned(ctx, large ? HUGE_PAGE : 64, 1, n_bytes, what);
    if (p && large) madvise(p, n_bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return p;
}

tern_status tern_grow(tern_ctx *ctx, void **p, size_t count, size_t size, const char *what)
{
    size_t bytes;
    void *q = NULL;
    if (!__builtin_mul_overflow(count, size, &bytes)) q = realloc(*p, bytes ? bytes : 1);
    if (!q) return tern_fail(ctx, TERN_ERR_MEMORY, "no memory for %s: %zu x %zu bytes", what, count, size);
    *p = q;
    return TERN_OK;
}

char *tern_strndup(tern_ctx *ctx, const char *text, size_t n_bytes)
{
    char *copy = tern_alloc(ctx, n_bytes + 1, 1, "a string");
    if (copy) memcpy(copy, text, n_bytes);
    return copy;
}

char *tern_strdup(tern_ctx *ctx, const char *text)
{
    return tern_strndup(ctx, text, strlen(text));
}

void tern_free(void *p)
{
    free(p);
}
