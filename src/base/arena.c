/* A chain of chunks that grows to the size of the largest step: see arena.h. */
#include "base/arena.h"

#include <stdint.h>

#include "base/memory.h"

enum { ALIGN = 64, LEAST_BYTES = 1 << 20 };

typedef struct tern_chunk {
    struct tern_chunk *next;
    size_t size_bytes, used_bytes;
    _Alignas(ALIGN) unsigned char data[];
} tern_chunk;

static tern_chunk *chunk_new(tern_ctx *ctx, size_t bytes)
{
    tern_chunk *c = tern_alloc_aligned(ctx, ALIGN, 1, sizeof *c + bytes, "a step's workspace");
    if (c) *c = (tern_chunk){ .size_bytes = bytes };
    return c;
}

/* An empty arena's mark names no chunk: a reset inside may merge the chunks while the mark is
 * held. */
tern_mark tern_arena_mark(const tern_arena *arena)
{
    if (arena->current == arena->first && (!arena->first || !arena->first->used_bytes)) return (tern_mark){ 0 };
    return (tern_mark){ arena->current, arena->current->used_bytes };
}

void *tern_arena_get(tern_ctx *ctx, tern_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX / 2) bytes = PTRDIFF_MAX / 2;
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;

    tern_chunk *c = arena->current;
    while (c && c->size_bytes - c->used_bytes < bytes && c->next) {
        c = c->next;
        c->used_bytes = 0;
    }
    if (!c || c->size_bytes - c->used_bytes < bytes) {
        tern_chunk *more = chunk_new(ctx, bytes > LEAST_BYTES ? bytes : LEAST_BYTES);
        if (!more) return NULL;
        if (c) c->next = more;
        else arena->first = more;
        c = more;
    }
    arena->current = c;
    void *p = c->data + c->used_bytes;
    c->used_bytes += bytes;
    return p;
}

/* Many chunks become one; where there is no memory for it they stay as they are. */
static void merge(tern_arena *arena)
{
    size_t bytes = 0;
    for (tern_chunk *c = arena->first; c; c = c->next) bytes += c->size_bytes;
    tern_chunk *one = chunk_new(NULL, bytes);
    if (!one) return;
    tern_arena_free(arena);
    arena->first = arena->current = one;
}

void tern_arena_reset(tern_arena *arena, tern_mark mark)
{
    arena->current = mark.chunk ? mark.chunk : arena->first;
    if (!arena->current) return;
    arena->current->used_bytes = mark.chunk ? mark.used_bytes : 0;
    if (arena->current == arena->first && !arena->first->used_bytes && arena->first->next) merge(arena);
}

void tern_arena_free(tern_arena *arena)
{
    for (tern_chunk *c = arena->first, *next; c; c = next) {
        next = c->next;
        tern_free(c);
    }
    *arena = (tern_arena){ 0 };
}
