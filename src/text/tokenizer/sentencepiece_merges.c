/* The merges of a SentencePiece BPE, which its file does not have: all the ways in which two pieces
 * make a third. Called by sentencepiece_json.c. */
#include <stdlib.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "text/tokenizer/sentencepiece.h"
#include "text/tokenizer/vocab.h"
#include "text/utf8.h"

/* A merge of two pieces into the piece whole, whose score it has. */
typedef struct sp_merge {
    size_t whole, left, right, left_bytes;
    double score;
} sp_merge;

static int compare_ids(const void *a, const void *b)
{
    const sp_merge *x = a, *y = b;
    if (x->whole != y->whole) return x->whole < y->whole ? -1 : 1;
    return x->left_bytes < y->left_bytes ? -1 : x->left_bytes > y->left_bytes;
}

static int compare_scores(const void *a, const void *b)
{
    const sp_merge *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return compare_ids(a, b);
}

static bool counts(const sp_model *m, bool by_score, int32_t id)
{
    return id >= 0 && (!by_score || m->pieces[id].type == PIECE_NORMAL);
}

static tern_status find_merges(const sp_model *m, const vocab *v, bool by_score, sp_merge **out, size_t *n_out)
{
    tern_status st = TERN_OK;
    size_t n = 0, capacity = 0;
    sp_merge *merges = NULL;
    for (size_t i = 0; i < m->n; i++) {
        const sp_piece *p = &m->pieces[i];
        if (!counts(m, by_score, (int32_t)i)) continue;
        for (size_t cut = 1; cut < p->n_bytes; cut++) {
            if (utf8_continues(p->text[cut])) continue;
            int32_t left = vocab_id(v, p->text, cut),
                right = left < 0 ? -1 : vocab_id(v, p->text + cut, p->n_bytes - cut);
            if (!counts(m, by_score, left) || !counts(m, by_score, right)) continue;
            if (n == capacity) {
                capacity = capacity * 2 + 1024;
                TERN_TRY(tern_grow(m->ctx, (void **)&merges, capacity, sizeof *merges, "merges"));
            }
            merges[n++] = (sp_merge){ i, (size_t)left, (size_t)right, cut, p->score };
        }
    }
    if (n) qsort(merges, n, sizeof *merges, by_score ? compare_scores : compare_ids);
    *out = merges;
    *n_out = n;
    merges = NULL;
done:
    tern_free(merges);
    return st;
}

tern_status sentencepiece_merges(const sp_model *m, bool by_score, json_t *list)
{
    tern_status st = TERN_OK;
    vocab v = { 0 };
    sp_merge *merges = NULL;
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        TERN_TRY(vocab_add(m->ctx, &v, m->pieces[i].text, m->pieces[i].n_bytes, (int64_t)i, INT32_MAX - 1));
    TERN_TRY(find_merges(m, &v, by_score, &merges, &n));
    for (size_t i = 0; i < n; i++) {
        const sp_piece *l = &m->pieces[merges[i].left], *r = &m->pieces[merges[i].right];
        if (json_array_append_new(list, json_pack("[s%, s%]", l->text, l->n_bytes, r->text, r->n_bytes)))
            TERN_TRY(tern_fail(m->ctx, TERN_ERR_MEMORY, "no memory for %zu merges", n));
    }
done:
    tern_free(merges);
    vocab_free(&v);
    return st;
}
