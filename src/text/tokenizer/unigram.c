/* The Unigram model: of all ways to cut a piece into tokens, the one with the highest sum of scores
 * (Kudo 2018; Viterbi). Called by the encoder through model.h. A character that no token covers is
 * unknown, at a penalty; unknown ones side by side become one token, or, with byte_fallback, the
 * tokens of their bytes. */
#include <math.h>
#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer/model.h"
#include "text/tokenizer/trie.h"
#include "text/utf8.h"

static const double unknown_penalty = 10.0;

/* The best way to reach a byte of the piece. */
typedef struct arrival {
    double score;
    uint32_t from;         /* where its last token begins; UINT32_MAX: not reached */
    int32_t id;            /* of that token; -1: unknown */
} arrival;

typedef struct unigram {
    double *scores;        /* [n_ids] */
    double unknown_score;
    trie pieces;
    bool byte_fallback;
    int32_t byte_ids[256];
    arrival *best;         /* scratch */
    size_t best_capacity;
} unigram;

static void unigram_free(text_model *m)
{
    unigram *u = m->state;
    if (!u) return;
    tern_free(u->scores);
    trie_free(&u->pieces);
    tern_free(u->best);
    tern_free(u);
    m->state = NULL;
}

static tern_status build_trie(tern_ctx *ctx, const vocab *v, trie *t)
{
    size_t n = 0;
    trie_string *strings = tern_alloc(ctx, (size_t)v->n_ids, sizeof *strings, "a vocabulary");
    if (!strings) return TERN_ERR_MEMORY;
    for (int32_t id = 0; id < v->n_ids; id++)
        if (v->entries[id].there)
            strings[n++] = (trie_string){ v->bytes + v->entries[id].at, v->entries[id].n_bytes, id };
    tern_status st = trie_build(ctx, t, strings, n);
    tern_free(strings);
    return st;
}

static tern_status unigram_load(tern_ctx *ctx, const json_t *json, text_model *m)
{
    tern_status st = TERN_OK;
    const json_t *unk = json_object_get(json, "unk_id"), *vocab_list = json_object_get(json, "vocab"),
        *fallback = json_object_get(json, "byte_fallback");
    unigram *u = tern_alloc(ctx, 1, sizeof *u, "Unigram");
    double least = 0;
    if (!u) return TERN_ERR_MEMORY;
    m->state = u;
    m->odd_text = true;
    if (!json_is_array(vocab_list))
        return tern_fail(ctx, TERN_ERR_FORMAT, "Unigram: \"vocab\" is %s, not a list", tern_json_kind(vocab_list));
    if (fallback && !json_is_boolean(fallback))
        return tern_fail(ctx, TERN_ERR_FORMAT, "Unigram: \"byte_fallback\" is %s", tern_json_kind(fallback));
    u->byte_fallback = json_is_true(fallback);
    u->scores = tern_alloc(ctx, (size_t)m->vocab.n_ids, sizeof *u->scores, "scores");
    if (!u->scores) return TERN_ERR_MEMORY;
    for (size_t i = 0; i < json_array_size(vocab_list); i++) {
        const json_t *score = json_array_get(json_array_get(vocab_list, i), 1);
        u->scores[i] = tern_json_number(score);
        if (!json_is_number(score) || !isfinite(u->scores[i]))
            return tern_fail(ctx, TERN_ERR_FORMAT, "Unigram: entry %zu has no score", i);
        if (i == 0 || u->scores[i] < least) least = u->scores[i];
    }
    u->unknown_score = least - unknown_penalty;
    if (unk && !json_is_null(unk)) {
        if (!json_is_integer(unk) || json_integer_value(unk) < 0 || json_integer_value(unk) >= m->vocab.n_ids)
            return tern_fail(ctx, TERN_ERR_FORMAT, "Unigram: \"unk_id\" is not an id of the vocabulary");
        m->unk_id = (int32_t)json_integer_value(unk);
    }
    TERN_TRY(model_byte_ids(ctx, &m->vocab, u->byte_fallback, u->byte_ids));
    TERN_TRY(build_trie(ctx, &m->vocab, &u->pieces));
done:
    return st;
}

static void arrive(arrival *a, double score, size_t from, int32_t id)
{
    if (a->from != UINT32_MAX && !(score > a->score)) return;
    *a = (arrival){ score, (uint32_t)from, id };
}

static tern_status find_best(tern_ctx *ctx, text_model *m, const char *text, size_t n, bool plain)
{
    tern_status st = TERN_OK;
    unigram *u = m->state;
    if (n + 1 > u->best_capacity) {
        TERN_TRY(tern_grow(ctx, (void **)&u->best, n + 1, sizeof *u->best, "ways to cut a text"));
        u->best_capacity = n + 1;
    }
    for (size_t i = 0; i <= n; i++) u->best[i] = (arrival){ .from = UINT32_MAX };
    for (size_t at = 0, length; at < n; at += length) {
        double here = u->best[at].score;
        uint32_t node = 0;
        bool single = false;
        length = utf8_length((unsigned char)text[at]);
        for (size_t i = at; i < n && (node = trie_step(&u->pieces, node, (uint8_t)text[i])); i++) {
            int32_t id = u->pieces.nodes[node].value;
            if (id < 0 || model_bans(m, plain, id)) continue;
            arrive(&u->best[i + 1], here + u->scores[id], at, id);
            single |= i + 1 - at == length;
        }
        if (single) continue;
        if (m->unk_id < 0)
            return tern_fail(ctx, TERN_ERR_FORMAT,
                             "Unigram: the vocabulary has no unknown token, and this text needs it");
        arrive(&u->best[at + length], here + u->unknown_score, at, m->unk_id);
    }
done:
    return st;
}

/* The token(s) for text[begin, end), pushed from last to first, since the path is read
 * backwards. */
static void push_backwards(const text_model *m, const char *text, size_t begin, size_t end, uint32_t base, int32_t id,
                           model_tokens *out)
{
    const unigram *u = m->state;
    if (id == m->unk_id && u->byte_fallback) {
        bool all = true;
        for (size_t i = begin; i < end; i++) all &= u->byte_ids[(unsigned char)text[i]] >= 0;
        for (size_t i = end; all && i-- > begin;)
            out->at[out->n++] = (model_token){ base + (uint32_t)begin, base + (uint32_t)end,
                                               u->byte_ids[(unsigned char)text[i]] };
        if (all) return;
    }
    out->at[out->n++] = (model_token){ base + (uint32_t)begin, base + (uint32_t)end, id };
}

static tern_status unigram_encode(tern_ctx *ctx, text_model *m, const char *text, size_t n, uint32_t base, bool plain,
                                  model_tokens *out)
{
    tern_status st = TERN_OK;
    unigram *u = m->state;
    size_t first = out->n, unknown_end = 0;
    TERN_TRY(find_best(ctx, m, text, n, plain));
    TERN_TRY(model_tokens_reserve(ctx, out, n));
    for (size_t end = n; end > 0; end = u->best[end].from) {
        const arrival *a = &u->best[end];
        if (a->id == m->unk_id) {
            if (!unknown_end) unknown_end = end;
            if (a->from && u->best[a->from].id == m->unk_id) continue;
            int32_t whole = vocab_id(&m->vocab, text + a->from, unknown_end - a->from);
            push_backwards(m, text, a->from, unknown_end, base,
                           whole >= 0 && !model_bans(m, plain, whole) ? whole : a->id, out);
            unknown_end = 0;
            continue;
        }
        push_backwards(m, text, a->from, end, base, a->id, out);
    }
    for (size_t i = first, k = out->n; i + 1 < k; i++) {
        model_token t = out->at[i];
        out->at[i] = out->at[--k];
        out->at[k] = t;
    }
    u->best = model_trimmed(u->best, &u->best_capacity);
done:
    return st;
}

const model_kind model_unigram = {
    .type = "Unigram",
    .keys = (const char *const[]){ "unk_id", "byte_fallback", NULL },
    .load = unigram_load, .encode = unigram_encode, .free = unigram_free,
};
