/* The memory of one step: taken piece by piece, given back all at once.
 *
 *     tern_mark mark = tern_arena_mark(&ctx->step);
 *   float *score = tern_arena_get(ctx, &ctx->step, n, sizeof *score);   64-byte aligned, not zeroed
 *     ...
 *     tern_arena_reset(&ctx->step, mark);
 *
 *     +--------- chunk 0 ---------+   +------- chunk 1 -------+
 *    | a | b | c |   (free)   |-->| d |   (free)    |    a piece never moves, a chunk never shrinks
 *     +---------------------------+   +-----------------------+
 *
 * A step larger than any before it adds a chunk; once the arena is empty again the chunks become
 * one of their summed size, so that the steps after it allocate nothing. */
#ifndef TERN_BASE_ARENA_H
#define TERN_BASE_ARENA_H

#include <tern/context.h>

typedef struct tern_arena {
    struct tern_chunk *first, *current;
} tern_arena;

typedef struct tern_mark {
    struct tern_chunk *chunk;
    size_t used_bytes;
} tern_mark;

tern_mark tern_arena_mark(const tern_arena *arena);
/* null: TERN_ERR_MEMORY is set */
void *tern_arena_get(tern_ctx *ctx, tern_arena *arena, size_t count, size_t size);
void tern_arena_reset(tern_arena *arena, tern_mark mark);
void tern_arena_free(tern_arena *arena);

#endif
