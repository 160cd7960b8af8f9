/* A trie of byte strings, frozen after it is built: for the longest added token at a place, and for
 * every piece of a Unigram model that begins there. Each node has its edges side by side, sorted by
 * byte. */
#ifndef TERN_TEXT_TRIE_H
#define TERN_TEXT_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tern/context.h>

typedef struct trie_node {
    uint32_t first;        /* of its edges */
    int32_t value;         /* -1: no string ends here */
    uint16_t n_edges;
} trie_node;

typedef struct trie {
    trie_node *nodes;      /* null: empty; node 0 is the root */
    uint8_t *bytes;        /* of the edges */
    uint32_t *targets;     /* of the edges */
    uint32_t root[256];    /* the root's edges again, by byte; 0: none */
} trie;

typedef struct trie_string {
    const char *text;
    uint32_t n_bytes;
    int32_t value;
} trie_string;

/* Builds from n strings, which are sorted in place; of equal ones the last given counts. Empty ones
 * are left out. */
tern_status trie_build(tern_ctx *ctx, trie *t, trie_string *strings, size_t n);
void trie_free(trie *t);

/* The node one byte further, 0 if there is none. */
static inline uint32_t trie_step(const trie *t, uint32_t node, uint8_t byte)
{
    if (!node) return t->root[byte];
    const trie_node *at = &t->nodes[node];
    uint32_t lo = at->first, hi = lo + at->n_edges;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (t->bytes[mid] < byte) lo = mid + 1;
        else hi = mid;
    }
    return lo < at->first + at->n_edges && t->bytes[lo] == byte ? t->targets[lo] : 0;
}

#endif
