/* The page pool: see pages.h. Called by the scheduler; calls nothing but the allocator.
 *
 * Free pages and idle pages are two lists through the same links, free ones as a stack, idle ones
 * from oldest to youngest. Known pages hang in chains from a table of buckets. */
#include "engine/pages.h"

#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"

typedef struct page {
    uint64_t hash, serial;             /* serial 0: not known */
    uint64_t parent_serial;
    int32_t parent, holders;
    int32_t before, after;             /* in the free or the idle list */
    int32_t next;                      /* in its bucket's chain */
    int32_t token[TERN_KV_PAGE];
} page;

typedef struct list {
    int32_t first, last;
    int64_t n;
} list;

struct tern_pages {
    page *page;
    int32_t *bucket;
    uint64_t mask;
    list free, idle;
    int64_t n, n_reserved, n_evicted;
    uint64_t serial;                   /* of the youngest publication */
};

static void list_append(tern_pages *b, list *l, int32_t i)
{
    b->page[i].before = l->last;
    b->page[i].after = TERN_NO_PAGE;
    if (l->last == TERN_NO_PAGE) l->first = i;
    else b->page[l->last].after = i;
    l->last = i;
    l->n++;
}

static void list_remove(tern_pages *b, list *l, int32_t i)
{
    page *k = &b->page[i];
    if (k->before == TERN_NO_PAGE) l->first = k->after;
    else b->page[k->before].after = k->after;
    if (k->after == TERN_NO_PAGE) l->last = k->before;
    else b->page[k->after].before = k->before;
    l->n--;
}

tern_status tern_pages_create(tern_ctx *ctx, int64_t n, tern_pages **out)
{
    uint64_t buckets = 1;
    if (n < 1 || n > INT32_MAX)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "a pool of %lld pages; a pool has from 1 to %d", (long long)n,
                         INT32_MAX);
    while (buckets < (uint64_t)n) buckets *= 2;
    tern_pages *b = tern_alloc(ctx, 1, sizeof *b, "the page pool");
    if (!b) return TERN_ERR_MEMORY;
    b->page = tern_alloc(ctx, (size_t)n, sizeof *b->page, "the page pool");
    b->bucket = tern_alloc(ctx, buckets, sizeof *b->bucket, "the page pool");
    if (!b->page || !b->bucket) {
        tern_pages_destroy(b);
        return TERN_ERR_MEMORY;
    }
    b->n = n;
    b->mask = buckets - 1;
    for (uint64_t i = 0; i < buckets; i++) b->bucket[i] = TERN_NO_PAGE;
    b->free = b->idle = (list){ TERN_NO_PAGE, TERN_NO_PAGE, 0 };
    for (int32_t i = (int32_t)n - 1; i >= 0; i--) list_append(b, &b->free, i);
    *out = b;
    return TERN_OK;
}

void tern_pages_destroy(tern_pages *b)
{
    if (!b) return;
    tern_free(b->page);
    tern_free(b->bucket);
    tern_free(b);
}

tern_page_counts tern_pages_count(const tern_pages *b)
{
    return (tern_page_counts){ .n = b->n, .n_free = b->free.n, .n_idle = b->idle.n,
                               .n_held = b->n - b->free.n - b->idle.n,
                                .n_reserved = b->n_reserved, .n_evicted = b->n_evicted };
}

/* The serial that children of parent are known under; 0 where the parent is not known. The
 * beginning of a sequence counts as known. */
static uint64_t serial_of(const tern_pages *b, int32_t parent)
{
    return parent == TERN_NO_PAGE ? UINT64_MAX : b->page[parent].serial;
}

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= 0x9E3779B97F4A7C15u;    /* 2^64 / golden ratio (Knuth, TAOCP 3, 6.4) */
    return h ^ h >> 29;
}

uint64_t tern_pages_hash(uint64_t parent, const int32_t *token)
{
    for (int i = 0; i < TERN_KV_PAGE; i++) parent = mix(parent + (uint32_t)token[i] + 1);
    return parent;
}

static uint64_t hash_of(const tern_pages *b, int32_t parent, const int32_t *token)
{
    return tern_pages_hash(parent == TERN_NO_PAGE ? 0 : b->page[parent].hash, token);
}

static int32_t look_up(const tern_pages *b, uint64_t hash, uint64_t serial, const int32_t *token)
{
    for (int32_t i = b->bucket[hash & b->mask]; i != TERN_NO_PAGE; i = b->page[i].next) {
        const page *k = &b->page[i];
        if (k->hash == hash && k->parent_serial == serial && !memcmp(k->token, token, sizeof k->token)) return i;
    }
    return TERN_NO_PAGE;
}

static void forget(tern_pages *b, int32_t i)
{
    int32_t *link = &b->bucket[b->page[i].hash & b->mask];
    while (*link != i) link = &b->page[*link].next;
    *link = b->page[i].next;
    b->page[i].serial = 0;
}

static void hold(tern_pages *b, int32_t i)
{
    if (!b->page[i].holders++) list_remove(b, &b->idle, i);
}

bool tern_pages_reserve(tern_pages *b, int64_t n)
{
    if (n < 0 || b->free.n + b->idle.n - b->n_reserved < n) return false;
    b->n_reserved += n;
    return true;
}

void tern_pages_unreserve(tern_pages *b, int64_t n)
{
    b->n_reserved -= n < b->n_reserved ? n : b->n_reserved;
}

int32_t tern_pages_take(tern_pages *b)
{
    if (!b->n_reserved) return TERN_NO_PAGE;
    int32_t i = b->free.last;
    if (i != TERN_NO_PAGE) {
        list_remove(b, &b->free, i);
    } else {
        i = b->idle.first;
        list_remove(b, &b->idle, i);
        forget(b, i);
        b->n_evicted++;
    }
    b->n_reserved--;
    b->page[i].holders = 1;
    return i;
}

int32_t tern_pages_find(tern_pages *b, int32_t parent, const int32_t *token)
{
    uint64_t serial = serial_of(b, parent);
    int32_t i = serial ? look_up(b, hash_of(b, parent, token), serial, token) : TERN_NO_PAGE;
    if (i == TERN_NO_PAGE) return i;
    /* idle, but promised to another */
    if (!b->page[i].holders && b->free.n + b->idle.n <= b->n_reserved) return TERN_NO_PAGE;
    hold(b, i);
    return i;
}

int32_t tern_pages_publish(tern_pages *b, int32_t parent, int32_t i, const int32_t *token)
{
    page *k = &b->page[i];
    uint64_t serial = serial_of(b, parent);
    if (!serial || k->serial || !k->holders) return i;
    uint64_t hash = hash_of(b, parent, token);
    int32_t known = look_up(b, hash, serial, token);
    if (known != TERN_NO_PAGE) {
        hold(b, known);
        tern_pages_release(b, i);
        return known;
    }
    k->hash = hash;
    k->serial = ++b->serial;
    k->parent = parent;
    k->parent_serial = serial;
    memcpy(k->token, token, sizeof k->token);
    k->next = b->bucket[hash & b->mask];
    b->bucket[hash & b->mask] = i;
    return i;
}

bool tern_pages_release(tern_pages *b, int32_t i)
{
    if (i < 0 || i >= b->n || !b->page[i].holders) return false;
    if (!--b->page[i].holders) list_append(b, b->page[i].serial ? &b->idle : &b->free, i);
    return true;
}

bool tern_pages_known(const tern_pages *b, int32_t i)
{
    return b->page[i].serial;
}

int32_t tern_pages_holders(const tern_pages *b, int32_t i)
{
    return b->page[i].holders;
}

int32_t tern_pages_parent(const tern_pages *b, int32_t i)
{
    return b->page[i].parent;
}
