/* The pages of the KV pool: who holds which, and which of them can serve another request's prompt.
 *
 * A page holds TERN_KV_PAGE tokens. It is free, held (by one or more requests), or idle: held by
 * none, kept because its tokens are known, and the first to go, oldest first, when a free one is
 * wanted.
 *
 *     free --take--> held --publish--> held and known --release--> idle --find--> held and known
 *      ^               |                                            |
 *      +----release----+                  <---- eviction ---------- +
 *
 * A known page stands for its own tokens behind those of its parent, down to the beginning of a
 * sequence. The hash of (parent, tokens) only finds candidates; the tokens themselves are compared,
 * and a parent is named by the serial number of its publication, which no later page gets again. So
 * two pages are taken for each other only where every token before and in them is equal.
 *
 * Whoever holds a page holds its parent, and gives the page back first: an idle page's parent is
 * always younger, so it outlives it. Pages are promised before they are taken: a request that was
 * given its reservation never waits for another one's end. */
#ifndef TERN_ENGINE_PAGES_H
#define TERN_ENGINE_PAGES_H

#include <stdbool.h>
#include <tern/context.h>

#include "backend/backend.h"

typedef struct tern_pages tern_pages;

enum { TERN_NO_PAGE = -1 };

typedef struct tern_page_counts {
    /* n = n_free + n_held + n_idle; n_reserved are promised out of free and idle */
    int64_t n, n_free, n_held, n_idle, n_reserved;
    int64_t n_evicted;                                /* since creation */
} tern_page_counts;

/* TERN_ERR_ARGUMENT: n below 1 */
tern_status tern_pages_create(tern_ctx *ctx, int64_t n, tern_pages **out);
void tern_pages_destroy(tern_pages *b);
tern_page_counts tern_pages_count(const tern_pages *b);

/* Promises n more pages to the caller; false: so many are neither free nor idle, nothing
 * changes. */
bool tern_pages_reserve(tern_pages *b, int64_t n);
/* gives back what was promised and not taken */
void tern_pages_unreserve(tern_pages *b, int64_t n);

/* Takes one of the promised pages, evicting an idle one where none is free. TERN_NO_PAGE: nothing
 * was promised. */
int32_t tern_pages_take(tern_pages *b);

/* The known page of these TERN_KV_PAGE tokens behind parent (TERN_NO_PAGE: at the beginning), now
 * held once more; TERN_NO_PAGE: there is none. The caller holds parent. */
int32_t tern_pages_find(tern_pages *b, int32_t parent, const int32_t *token);

/* Makes a held page known by its tokens. Where an equal one is known already, the caller's is
 * released and the known one held instead: the result is the page to go on with. A parent that is
 * not known leaves the page unknown. */
int32_t tern_pages_publish(tern_pages *b, int32_t parent, int32_t page, const int32_t *token);

/* Gives a held page back; false: it is not held, nothing changes. */
bool tern_pages_release(tern_pages *b, int32_t page);

/* The hash of a page's tokens behind a parent of that hash; 0: at the beginning. */
uint64_t tern_pages_hash(uint64_t parent, const int32_t *token);

bool tern_pages_known(const tern_pages *b, int32_t page);
int32_t tern_pages_holders(const tern_pages *b, int32_t page);
/* of a known page; TERN_NO_PAGE: it begins a sequence */
int32_t tern_pages_parent(const tern_pages *b, int32_t page);

#endif
