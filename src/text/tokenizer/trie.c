/* Building tries: see trie.h. Called by added.c and unigram.c. */
#include "text/tokenizer/trie.h"

#include <stdlib.h>
#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"

/* A node still to be made, and the sorted strings that share its path of depth bytes. */
typedef struct todo {
    uint32_t node, lo, hi, depth;
} todo;

static int compare(const void *a, const void *b)
{
    const trie_string *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->n_bytes < y->n_bytes ? x->n_bytes : y->n_bytes);
    if (order) return order;
    if (x->n_bytes != y->n_bytes) return x->n_bytes < y->n_bytes ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

/* Fills one node from its strings and appends its children to the queue. */
static void make_node(trie *t, const trie_string *s, todo *queue, size_t *n_queue, const todo *job, uint32_t *n_nodes,
                      uint32_t *n_edges)
{
    trie_node *node = &t->nodes[job->node];
    uint32_t i = job->lo;
    node->value = -1;
    node->first = *n_edges;
    for (; i < job->hi && s[i].n_bytes == job->depth; i++) node->value = s[i].value;
    while (i < job->hi) {
        uint8_t byte = (uint8_t)s[i].text[job->depth];
        uint32_t begin = i;
        while (i < job->hi && (uint8_t)s[i].text[job->depth] == byte) i++;
        t->bytes[*n_edges] = byte;
        t->targets[*n_edges] = *n_nodes;
        queue[(*n_queue)++] = (todo){ *n_nodes, begin, i, job->depth + 1 };
        if (!job->node) t->root[byte] = *n_nodes;
        ++*n_nodes;
        ++*n_edges;
        node->n_edges++;
    }
}

tern_status trie_build(tern_ctx *ctx, trie *t, trie_string *strings, size_t n)
{
    tern_status st = TERN_OK;
    size_t most = 1, n_queue = 0;
    uint32_t n_nodes = 1, n_edges = 0, skip = 0;
    todo *queue = NULL;
    if (n) qsort(strings, n, sizeof *strings, compare);
    while (skip < n && !strings[skip].n_bytes) skip++;
    for (size_t i = skip; i < n; i++) {
        size_t shared = 0;
        if (i > skip)
            while (shared < strings[i].n_bytes && shared < strings[i - 1].n_bytes &&
                   strings[i].text[shared] == strings[i - 1].text[shared])
                shared++;
        most += strings[i].n_bytes - shared;
    }
    if (most > UINT32_MAX / 2 || n > UINT32_MAX / 2)
        return tern_fail(ctx, TERN_ERR_LIMIT, "a vocabulary with %zu bytes of text", most);
    t->nodes = tern_alloc(ctx, most, sizeof *t->nodes, "a trie");
    t->bytes = tern_alloc(ctx, most, sizeof *t->bytes, "a trie");
    t->targets = tern_alloc(ctx, most, sizeof *t->targets, "a trie");
    queue = tern_alloc(ctx, most, sizeof *queue, "a trie");
    if (!t->nodes || !t->bytes || !t->targets || !queue) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    queue[n_queue++] = (todo){ 0, skip, (uint32_t)n, 0 };
    for (size_t i = 0; i < n_queue; i++)
        make_node(t, strings, queue, &n_queue, &(todo){ queue[i].node, queue[i].lo, queue[i].hi, queue[i].depth },
                  &n_nodes, &n_edges);
done:
    tern_free(queue);
    if (st) trie_free(t);
    return st;
}

void trie_free(trie *t)
{
    tern_free(t->nodes);
    tern_free(t->bytes);
    tern_free(t->targets);
    *t = (trie){ 0 };
}
