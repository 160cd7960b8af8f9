/* The blocks of the KV pool: who holds which, and which of them can serve another request's prompt.
 *
 * A block is one page of the cache, TERN_KV_PAGE tokens. It is free, held (by one or more requests), or idle: held by none, kept because its
 * tokens are known, and the first to go, oldest first, when a free one is wanted.
 *
 *     free --take--> held --publish--> held and known --release--> idle --find--> held and known
 *      ^               |                                            |
 *      +----release----+                  <---- eviction ---------- +
 *
 * A known block stands for its own tokens behind those of its parent, down to the beginning of a sequence. The hash of (parent, tokens) only
 * finds candidates; the tokens themselves are compared, and a parent is named by the serial number of its publication, which no later block
 * gets again. So two blocks are taken for each other only where every token before and in them is equal.
 *
 * Whoever holds a block holds its parent, and gives the block back first: an idle block's parent is always younger, so it outlives it.
 * Blocks are promised before they are taken: a request that was given its reservation never waits for another one's end. */
#ifndef TERN_ENGINE_BLOCKS_H
#define TERN_ENGINE_BLOCKS_H

#include <stdbool.h>
#include <tern/context.h>

#include "backend/backend.h"

typedef struct tern_blocks tern_blocks;

enum { TERN_NO_BLOCK = -1 };

typedef struct tern_block_counts {
    int64_t n, n_free, n_held, n_idle, n_reserved;    /* n = n_free + n_held + n_idle; n_reserved are promised out of free and idle */
    int64_t n_evicted;                                /* since creation */
} tern_block_counts;

tern_status tern_blocks_create(tern_ctx *ctx, int64_t n, tern_blocks **out);    /* TERN_ERR_ARGUMENT: n below 1 */
void tern_blocks_destroy(tern_blocks *b);
tern_block_counts tern_blocks_count(const tern_blocks *b);

/* Promises n more blocks to the caller; false: so many are neither free nor idle, nothing changes. */
bool tern_blocks_reserve(tern_blocks *b, int64_t n);
void tern_blocks_unreserve(tern_blocks *b, int64_t n);    /* gives back what was promised and not taken */

/* Takes one of the promised blocks, evicting an idle one where none is free. TERN_NO_BLOCK: nothing was promised. */
int32_t tern_blocks_take(tern_blocks *b);

/* The known block of these TERN_KV_PAGE tokens behind parent (TERN_NO_BLOCK: at the beginning), now held once more; TERN_NO_BLOCK: there is
 * none. The caller holds parent. */
int32_t tern_blocks_find(tern_blocks *b, int32_t parent, const int32_t *token);

/* Makes a held block known by its tokens. Where an equal one is known already, the caller's is released and the known one held instead: the
 * result is the block to go on with. A parent that is not known leaves the block unknown. */
int32_t tern_blocks_publish(tern_blocks *b, int32_t parent, int32_t block, const int32_t *token);

/* Gives a held block back; false: nobody holds it, nothing changes. */
bool tern_blocks_release(tern_blocks *b, int32_t block);

/* The hash of a block's tokens behind a parent of that hash; 0: at the beginning. */
uint64_t tern_blocks_hash(uint64_t parent, const int32_t *token);

bool tern_blocks_known(const tern_blocks *b, int32_t block);
int32_t tern_blocks_holders(const tern_blocks *b, int32_t block);
int32_t tern_blocks_parent(const tern_blocks *b, int32_t block);    /* of a known block; TERN_NO_BLOCK: it begins a sequence */

#endif
