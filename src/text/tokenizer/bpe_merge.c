/* Merging the symbols of a word: see bpe.h. Called by bpe.c.
 *
 * A short word looks for its best pair again and again. A long one (ten million letters may come)
 * keeps, for every rank that waits, the list of its places, and a heap of those ranks:
 *
 *     heap of ranks    12   40   97    the lowest rank works through its places from left to right;
 *     places         3 9  0    2 5 8          a merge adds places to the ranks of the two new pairs
 */
#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "text/tokenizer/bpe.h"

enum { SHORT_MOST = 128 };

typedef struct bucket {
    const bpe_merge *merge;    /* whose places these are; null: not in use yet */
    uint32_t *places;
    size_t n, capacity, done;
    bool waiting;              /* in the heap */
    bool unsorted;             /* places[done..n) are not in order */
} bucket;

typedef struct merger {
    tern_ctx *ctx;
    const text_model *model;
    const bpe_merges *merges;
    bool plain;
    bpe_symbol *symbols;
    uint32_t *bucket_of;       /* [n_ranks] 1 + index of the rank's bucket; 0: none yet */
    bucket *buckets;
    size_t n_buckets, bucket_capacity;
    uint32_t *heap;            /* of bucket indices, lowest rank on top */
    size_t n_heap;
    uint32_t *spare;           /* for sorting */
    size_t spare_capacity;
} merger;

static const bpe_merge *allowed(const text_model *m, const bpe_merges *merges, bool plain, int32_t left, int32_t right)
{
    const bpe_merge *merge = bpe_find(merges, left, right);
    return merge && model_bans(m, plain, merge->made) ? NULL : merge;
}

static void merge_short(const text_model *m, const bpe_merges *merges, bool plain, bpe_symbol *s, size_t *n)
{
    const bpe_merge *pair[SHORT_MOST];
    uint32_t rank[SHORT_MOST];
    size_t count = *n;
    for (size_t i = 0; i + 1 < count; i++) {
        pair[i] = allowed(m, merges, plain, s[i].id, s[i + 1].id);
        rank[i] = pair[i] ? pair[i]->rank : UINT32_MAX;
    }
    while (count > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < count; i++)
            if (rank[i] < rank[best]) best = i;
        if (rank[best] == UINT32_MAX) break;
        s[best].id = pair[best]->made;
        s[best].end = s[best + 1].end;
        count--;
        memmove(s + best + 1, s + best + 2, (count - best - 1) * sizeof *s);
        memmove(pair + best, pair + best + 1, (count - best) * sizeof *pair);
        memmove(rank + best, rank + best + 1, (count - best) * sizeof *rank);
        for (size_t i = best > 0 ? best - 1 : 0; i <= best && i + 1 < count; i++) {
            pair[i] = allowed(m, merges, plain, s[i].id, s[i + 1].id);
            rank[i] = pair[i] ? pair[i]->rank : UINT32_MAX;
        }
    }
    *n = count;
}

/* ---- Long words ---- */

static uint32_t rank_at(const merger *g, size_t i)
{
    return g->buckets[g->heap[i]].merge->rank;
}

static void heap_push(merger *g, uint32_t index)
{
    size_t i = g->n_heap++;
    g->heap[i] = index;
    while (i > 0 && rank_at(g, (i - 1) / 2) > rank_at(g, i)) {
        uint32_t t = g->heap[i];
        g->heap[i] = g->heap[(i - 1) / 2];
        g->heap[(i - 1) / 2] = t;
        i = (i - 1) / 2;
    }
}

static void heap_pop(merger *g)
{
    size_t i = 0;
    g->heap[0] = g->heap[--g->n_heap];
    for (;;) {
        size_t least = i, l = 2 * i + 1, r = l + 1;
        if (l < g->n_heap && rank_at(g, l) < rank_at(g, least)) least = l;
        if (r < g->n_heap && rank_at(g, r) < rank_at(g, least)) least = r;
        if (least == i) return;
        uint32_t t = g->heap[i];
        g->heap[i] = g->heap[least];
        g->heap[least] = t;
        i = least;
    }
}

static tern_status new_bucket(merger *g, const bpe_merge *merge)
{
    tern_status st = TERN_OK;
    if (g->n_buckets == g->bucket_capacity) {
        size_t capacity = g->bucket_capacity * 2 + 256;
        TERN_TRY(tern_grow(g->ctx, (void **)&g->buckets, capacity, sizeof *g->buckets, "merges"));
        TERN_TRY(tern_grow(g->ctx, (void **)&g->heap, capacity, sizeof *g->heap, "merges"));
        g->bucket_capacity = capacity;
    }
    g->buckets[g->n_buckets++] = (bucket){ .merge = merge };
    g->bucket_of[merge->rank] = (uint32_t)g->n_buckets;
done:
    return st;
}

/* Notes that the pair at place may be merged. */
static tern_status add_place(merger *g, const bpe_merge *merge, uint32_t place)
{
    tern_status st = TERN_OK;
    if (!g->bucket_of[merge->rank]) TERN_TRY(new_bucket(g, merge));
    uint32_t index = g->bucket_of[merge->rank] - 1;
    bucket *b = &g->buckets[index];
    if (!b->waiting) {
        b->n = b->done = 0;
        b->unsorted = false;
        b->waiting = true;
        heap_push(g, index);
    }
    if (b->n == b->capacity) {
        size_t capacity = b->capacity * 2 + 8;
        TERN_TRY(tern_grow(g->ctx, (void **)&b->places, capacity, sizeof *b->places, "merges"));
        b->capacity = capacity;
    }
    if (b->n > b->done && b->places[b->n - 1] > place) b->unsorted = true;
    b->places[b->n++] = place;
done:
    return st;
}

/* Sorts n numbers: by insertion if few, else byte by byte from the lowest. */
static tern_status sort_places(merger *g, uint32_t *a, size_t n)
{
    if (n <= 48) {
        for (size_t i = 1; i < n; i++) {
            uint32_t x = a[i];
            size_t k = i;
            for (; k > 0 && a[k - 1] > x; k--) a[k] = a[k - 1];
            a[k] = x;
        }
        return TERN_OK;
    }
    if (n > g->spare_capacity) {
        tern_status st = tern_grow(g->ctx, (void **)&g->spare, n, sizeof *a, "merges");
        if (st) return st;
        g->spare_capacity = n;
    }
    uint32_t *from = a, *to = g->spare;
    for (int shift = 0; shift < 32; shift += 8) {
        size_t count[257] = { 0 };
        for (size_t i = 0; i < n; i++) count[(from[i] >> shift & 255) + 1]++;
        for (int i = 0; i < 256; i++) count[i + 1] += count[i];
        for (size_t i = 0; i < n; i++) to[count[from[i] >> shift & 255]++] = from[i];
        uint32_t *t = from;
        from = to;
        to = t;
    }
    return TERN_OK;
}

/* Merges the pair at place, if it is still there, and notes the two pairs that this makes. */
static tern_status merge_at(merger *g, const bpe_merge *merge, uint32_t place)
{
    tern_status st = TERN_OK;
    bpe_symbol *s = g->symbols, *one = &s[place], *two;
    const bpe_merge *pair;
    if (one->id != (int32_t)merge->left || one->next == BPE_NONE) return st;
    two = &s[one->next];
    if (two->id != (int32_t)merge->right) return st;
    one->id = merge->made;
    one->end = two->end;
    two->id = -1;
    one->next = two->next;
    if (one->next != BPE_NONE) s[one->next].prev = place;
    if (one->prev != BPE_NONE && (pair = allowed(g->model, g->merges, g->plain, s[one->prev].id, one->id)))
        TERN_TRY(add_place(g, pair, one->prev));
    if (one->next != BPE_NONE && (pair = allowed(g->model, g->merges, g->plain, one->id, s[one->next].id)))
        TERN_TRY(add_place(g, pair, place));
done:
    return st;
}

static tern_status run_heap(merger *g)
{
    tern_status st = TERN_OK;
    while (g->n_heap) {
        uint32_t index = g->heap[0];
        bucket *b = &g->buckets[index];
        if (b->done == b->n) {
            b->waiting = false;
            heap_pop(g);
            continue;
        }
        if (b->unsorted) {
            TERN_TRY(sort_places(g, b->places + b->done, b->n - b->done));
            b->unsorted = false;
        }
        do {
            TERN_TRY(merge_at(g, b->merge, b->places[b->done++]));
            b = &g->buckets[index];
        } while (b->done < b->n && !b->unsorted && g->heap[0] == index);
    }
done:
    return st;
}

static tern_status merge_long(merger *g, size_t *n)
{
    tern_status st = TERN_OK;
    const bpe_merge *pair = NULL;
    bpe_symbol *s = g->symbols;
    size_t kept = 0;
    g->bucket_of = tern_alloc(g->ctx, g->merges->n_ranks, sizeof *g->bucket_of, "merges");
    if (!g->bucket_of) return TERN_ERR_MEMORY;
    for (size_t i = 0; i < *n; i++) {
        s[i].prev = i ? (uint32_t)i - 1 : BPE_NONE;
        s[i].next = i + 1 < *n ? (uint32_t)i + 1 : BPE_NONE;
    }
    for (size_t i = 0; i + 1 < *n; i++) {
        if (i == 0 || s[i].id != s[i - 1].id || s[i + 1].id != s[i].id)
            pair = allowed(g->model, g->merges, g->plain, s[i].id, s[i + 1].id);
        if (pair) TERN_TRY(add_place(g, pair, (uint32_t)i));
    }
    TERN_TRY(run_heap(g));
    for (size_t i = 0; i < *n; i++)
        if (s[i].id >= 0) s[kept++] = s[i];
    *n = kept;
done:
    for (size_t i = 0; i < g->n_buckets; i++) tern_free(g->buckets[i].places);
    tern_free(g->buckets);
    tern_free(g->heap);
    tern_free(g->spare);
    tern_free(g->bucket_of);
    return st;
}

tern_status bpe_merge_all(tern_ctx *ctx, const text_model *m, const bpe_merges *merges, bool plain, bpe_symbol *symbols,
                          size_t *n)
{
    if (*n <= SHORT_MOST) {
        merge_short(m, merges, plain, symbols, n);
        return TERN_OK;
    }
    return merge_long(&(merger){ .ctx = ctx, .model = m, .merges = merges, .plain = plain, .symbols = symbols }, n);
}
