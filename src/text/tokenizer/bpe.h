/* Byte-pair encoding's merges, as bpe.c and bpe_merge.c share them. */
#ifndef TERN_TEXT_BPE_H
#define TERN_TEXT_BPE_H

#include <stdint.h>
#include <tern/context.h>

#include "text/tokenizer/model.h"

#define BPE_NONE UINT32_MAX

/* A merge of two neighbours: what it makes, and how early it comes. */
typedef struct bpe_merge {
    uint32_t left, right, rank;
    int32_t made;
} bpe_merge;

/* Open addressing by (left, right); made -1: an empty slot. A power of two, never more than half
 * full. */
typedef struct bpe_merges {
    bpe_merge *slots;
    size_t mask;
    uint32_t n_ranks;
} bpe_merges;

/* A token while its word is being merged. */
typedef struct bpe_symbol {
    int32_t id;            /* -1: merged into the one before it */
    uint32_t begin, end;
    uint32_t prev, next;   /* BPE_NONE at the ends */
} bpe_symbol;

static inline const bpe_merge *bpe_find(const bpe_merges *m, int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t i = (size_t)((key * 0x9e3779b97f4a7c15u) >> 29) & m->mask;
    for (; m->slots[i].made >= 0; i = (i + 1) & m->mask)
        if (m->slots[i].left == (uint32_t)left && m->slots[i].right == (uint32_t)right)
            return &m->slots[i];
    return NULL;
}

/* Merges n symbols in place, lowest rank first and leftmost among equals, until no merge is left;
 * the survivors move to the front and *n counts them. plain: merges that make a banned token do not
 * exist. Time is n log n at worst. */
tern_status bpe_merge_all(tern_ctx *ctx, const text_model *m, const bpe_merges *merges, bool plain,
                          bpe_symbol *symbols, size_t *n);

#endif
