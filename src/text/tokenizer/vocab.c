/* A vocabulary: see vocab.h. */
#include "text/tokenizer/vocab.h"

#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"

uint32_t text_hash(const char *text, size_t n_bytes)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ n_bytes, word;
    for (; n_bytes >= 8; n_bytes -= 8, text += 8) {
        memcpy(&word, text, 8);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    word = 0;
    if (n_bytes) memcpy(&word, text, n_bytes);
    h = (h ^ word) * 0xff51afd7ed558ccdu;
    h ^= h >> 29;
    return (uint32_t)(h ^ h >> 32);
}

static size_t find_slot(const vocab *v, const char *text, size_t n_bytes, uint32_t hash)
{
    size_t mask = v->n_slots - 1, i = hash & mask;
    for (; v->slots[i] >= 0; i = (i + 1) & mask) {
        const vocab_entry *e = &v->entries[v->slots[i]];
        if (v->hashes[i] == hash && e->n_bytes == n_bytes && !memcmp(v->bytes + e->at, text, n_bytes)) break;
    }
    return i;
}

static tern_status grow_slots(tern_ctx *ctx, vocab *v)
{
    tern_status st = TERN_OK;
    size_t n = v->n_slots ? v->n_slots * 2 : 1024;
    int32_t *slots = tern_alloc(ctx, n, sizeof *slots, "vocabulary");
    uint32_t *hashes = tern_alloc(ctx, n, sizeof *hashes, "vocabulary");
    if (!slots || !hashes) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    memset(slots, 0xff, n * sizeof *slots);
    for (size_t i = 0; i < v->n_slots; i++) {
        if (v->slots[i] < 0) continue;
        size_t at = v->hashes[i] & (n - 1);
        while (slots[at] >= 0) at = (at + 1) & (n - 1);
        slots[at] = v->slots[i];
        hashes[at] = v->hashes[i];
    }
    tern_free(v->slots);
    tern_free(v->hashes);
    v->slots = slots;
    v->hashes = hashes;
    v->n_slots = n;
    return st;
done:
    tern_free(slots);
    tern_free(hashes);
    return st;
}

/* Space for one more token of n_bytes with this id. */
static tern_status reserve(tern_ctx *ctx, vocab *v, size_t n_bytes, int64_t id)
{
    tern_status st = TERN_OK;
    if (((size_t)v->n_tokens + 1) * 2 > v->n_slots) TERN_TRY(grow_slots(ctx, v));
    if (v->n_bytes + n_bytes + 1 > v->bytes_capacity) {
        size_t capacity = (v->n_bytes + n_bytes) * 2 + 1024;
        TERN_TRY(tern_grow(ctx, (void **)&v->bytes, capacity, 1, "vocabulary"));
        v->bytes_capacity = capacity;
    }
    if ((size_t)id >= v->entries_capacity) {
        size_t capacity = (size_t)id + (size_t)id / 2 + 256;
        TERN_TRY(tern_grow(ctx, (void **)&v->entries, capacity, sizeof *v->entries, "vocabulary"));
        memset(v->entries + v->entries_capacity, 0, (capacity - v->entries_capacity) * sizeof *v->entries);
        v->entries_capacity = capacity;
    }
done:
    return st;
}

tern_status vocab_add(tern_ctx *ctx, vocab *v, const char *text, size_t n_bytes, int64_t id, int64_t max_id)
{
    tern_status st = TERN_OK;
    if (id < 0 || id > max_id)
        return tern_fail(ctx, TERN_ERR_FORMAT, "token \"%s\" has id %lld, outside 0..%lld", TERN_SHOWN(text),
                         (long long)id, (long long)max_id);
    if (n_bytes > UINT32_MAX / 4) return tern_fail(ctx, TERN_ERR_FORMAT, "a token of %zu bytes is too long", n_bytes);
    if (id < v->n_ids && v->entries[id].there)
        return tern_fail(ctx, TERN_ERR_FORMAT, "tokens \"%s\" and \"%s\" have the same id %lld",
                         TERN_SHOWN(v->bytes + v->entries[id].at), TERN_SHOWN(text), (long long)id);
    TERN_TRY(reserve(ctx, v, n_bytes, id));
    memcpy(v->bytes + v->n_bytes, text, n_bytes);
    v->bytes[v->n_bytes + n_bytes] = 0;
    v->entries[id] = (vocab_entry){ v->n_bytes, (uint32_t)n_bytes, 1 };
    v->n_bytes += n_bytes + 1;
    if (id >= v->n_ids) v->n_ids = (int32_t)id + 1;
    if (n_bytes > v->longest) v->longest = (uint32_t)n_bytes;
    uint32_t hash = text_hash(text, n_bytes);
    size_t slot = find_slot(v, text, n_bytes, hash);
    v->slots[slot] = (int32_t)id;
    v->hashes[slot] = hash;
    v->n_tokens++;
done:
    return st;
}

int32_t vocab_id(const vocab *v, const char *text, size_t n_bytes)
{
    return v->n_slots ? v->slots[find_slot(v, text, n_bytes, text_hash(text, n_bytes))] : -1;
}

const char *vocab_text(const vocab *v, int32_t id, size_t *n_bytes)
{
    if (id < 0 || id >= v->n_ids || !v->entries[id].there) return NULL;
    if (n_bytes) *n_bytes = v->entries[id].n_bytes;
    return v->bytes + v->entries[id].at;
}

void vocab_free(vocab *v)
{
    tern_free(v->bytes);
    tern_free(v->entries);
    tern_free(v->slots);
    tern_free(v->hashes);
    *v = (vocab){ 0 };
}
