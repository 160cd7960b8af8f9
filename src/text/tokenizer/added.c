/* Finding added tokens in text: see added.h. Called by the loader and by encode.c. */
#include "text/tokenizer/added.h"

#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "text/unicode.h"
#include "text/utf8.h"

const added_token *added_by_id(const added_tokens *added, int32_t id)
{
    return id >= 0 && id < added->n_by_id && added->by_id[id] >= 0 ? &added->at[added->by_id[id]] : NULL;
}

const added_token *added_by_text(const added_tokens *added, const char *text, size_t n)
{
    int32_t i = vocab_id(&added->ids, text, n);
    return i < 0 ? NULL : &added->at[i];
}

/* Space for one more token, and for its id. */
static tern_status reserve(tern_ctx *ctx, added_tokens *added, int32_t id)
{
    tern_status st = TERN_OK;
    if (added->n == added->capacity) {
        size_t capacity = added->capacity * 2 + 16;
        TERN_TRY(tern_grow(ctx, (void **)&added->at, capacity, sizeof *added->at, "added tokens"));
        added->capacity = capacity;
    }
    if (id >= added->n_by_id) {
        size_t capacity = (size_t)id + 1;
        TERN_TRY(tern_grow(ctx, (void **)&added->by_id, capacity, sizeof *added->by_id, "added tokens"));
        for (size_t i = (size_t)added->n_by_id; i < capacity; i++) added->by_id[i] = -1;
        added->n_by_id = (int32_t)capacity;
    }
done:
    return st;
}

/* New flags for a token that is there. What was special once stays so. */
static void change(added_token *there, const added_token *token)
{
    there->single_word = token->single_word;
    there->lstrip = token->lstrip;
    there->rstrip = token->rstrip;
    there->normalized = token->normalized;
    there->special |= token->special;
}

tern_status added_put(tern_ctx *ctx, added_tokens *added, const added_token *token)
{
    tern_status st = TERN_OK;
    int32_t i = vocab_id(&added->ids, token->text, token->n_bytes);
    if (i >= 0) {
        change(&added->at[i], token);
        return st;
    }
    TERN_TRY(reserve(ctx, added, token->id));
    TERN_TRY(vocab_add(ctx, &added->ids, token->text, token->n_bytes, (int64_t)added->n, INT32_MAX / 2));
    added_token *copy = &added->at[added->n++];
    *copy = *token;
    copy->shown = NULL;
    copy->text = tern_strndup(ctx, token->text, token->n_bytes);
    if (!copy->text) return TERN_ERR_MEMORY;
    added->by_id[token->id] = (int32_t)added->n - 1;
    TERN_TRY(added_show(ctx, added, added->n - 1, token->text, token->n_bytes));
done:
    return st;
}

tern_status added_show(tern_ctx *ctx, added_tokens *added, size_t i, const char *text, size_t n_bytes)
{
    char *copy = tern_strndup(ctx, text, n_bytes);
    if (!copy) return TERN_ERR_MEMORY;
    tern_free(added->at[i].shown);
    added->at[i].shown = copy;
    added->at[i].n_shown = n_bytes;
    return TERN_OK;
}

static tern_status build(tern_ctx *ctx, added_tokens *added, bool normal)
{
    tern_status st = TERN_OK;
    size_t n = 0;
    trie_string *strings = tern_alloc(ctx, added->n, sizeof *strings, "added tokens");
    if (!strings) return TERN_ERR_MEMORY;
    for (size_t i = 0; i < added->n; i++) {
        const added_token *t = &added->at[i];
        if (t->normalized != normal || added->by_id[t->id] != (int32_t)i ||
            added_by_text(added, t->text, t->n_bytes) != t)
            continue;
        strings[n++] = (trie_string){ t->shown, (uint32_t)t->n_shown, (int32_t)i };
        if (normal) added->any_normal_special |= t->special;
    }
    if (n) TERN_TRY(trie_build(ctx, normal ? &added->normal : &added->raw, strings, n));
done:
    tern_free(strings);
    return st;
}

tern_status added_finish(tern_ctx *ctx, added_tokens *added)
{
    tern_status st = build(ctx, added, false);
    return st ? st : build(ctx, added, true);
}

/* How far the trusted ranges cover input bytes [from, to): 0 not at all, 1 in part, 2 wholly. */
static int covered(const trust *t, size_t from, size_t to)
{
    if (t->all) return 2;
    size_t lo = 0, hi = t->n_ranges;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (t->ranges[2 * mid + 1] <= from) lo = mid + 1;
        else hi = mid;
    }
    if (lo == t->n_ranges || t->ranges[2 * lo] >= to) return 0;
    return t->ranges[2 * lo] <= from && to <= t->ranges[2 * lo + 1] ? 2 : 1;
}

/* The longest token at text[at, end), -1 if none, and its bytes. A special token that lies in part
 * in trusted text does not exist; one that lies wholly outside is found, *forbidden, and then
 * skipped, as the tokenizers library does when it is told not to parse special tokens. */
static int32_t longest(const added_tokens *added, const trie *tr, const trust *t, const aligned *text, size_t at,
                       size_t end, size_t *length, bool *forbidden)
{
    uint32_t node = 0;
    int32_t best = -1;
    for (size_t i = at; i < end && (node = trie_step(tr, node, (uint8_t)text->data[i])); i++) {
        int32_t value = tr->nodes[node].value;
        int cover = 2;
        if (value < 0) continue;
        if (added->at[value].special && t->split) {
            cover = 0;
        } else if (added->at[value].special && !t->all) {
            size_t from = 0, to = 0;
            if (text->mode != ALIGN_NONE) aligned_origin(text, at, i + 1, &from, &to);
            cover = text->mode == ALIGN_NONE ? 0 : covered(t, from, to);
        }
        if (cover == 1) continue;
        best = value;
        *length = i + 1 - at;
        *forbidden = !cover;
    }
    return best;
}

static bool is_alone(const aligned *text, size_t begin, size_t end, size_t from, size_t to)
{
    size_t n;
    if (from > begin && unicode_is_word(utf8_before(text->data, from, &n))) return false;
    return to >= end || !unicode_is_word(utf8_get(text->data + to, &n));
}

/* Widens [*from, *to) over blanks as the token's flags say, to the left not beyond floor. What lies
 * to the right may be the next token's. */
static void widen(const added_token *token, const aligned *text, size_t floor, size_t end, size_t *from, size_t *to)
{
    size_t n;
    while (token->lstrip && *from > floor && unicode_is_space(utf8_before(text->data, *from, &n))) *from -= n;
    if (token->lstrip && *from < floor) *from = floor;
    while (token->rstrip && *to < end && unicode_is_space(utf8_get(text->data + *to, &n))) *to += n;
    if (*from > *to) *from = *to;
}

tern_status added_split(tern_ctx *ctx, const added_tokens *added, bool normal, const trust *t, const aligned *text,
                        size_t begin, size_t end, pieces *out)
{
    tern_status st = TERN_OK;
    const trie *tr = normal ? &added->normal : &added->raw;
    size_t done_to = begin, at = begin;
    while (tr->nodes && at < end) {
        size_t length = 0;
        bool forbidden = false;
        if (!tr->root[(uint8_t)text->data[at]]) {
            at++;
            continue;
        }
        int32_t hit = longest(added, tr, t, text, at, end, &length, &forbidden);
        if (hit < 0) {
            at++;
            continue;
        }
        const added_token *token = &added->at[hit];
        size_t from = at, to = at + length;
        at = to;
        if (forbidden || (token->single_word && !is_alone(text, begin, end, from, to))) continue;
        widen(token, text, done_to, end, &from, &to);
        if (done_to < from) TERN_TRY(pieces_push(ctx, out, done_to, from, -1));
        if (from < to) TERN_TRY(pieces_push(ctx, out, from, to, token->id));
        done_to = to;
    }
    if (done_to < end) TERN_TRY(pieces_push(ctx, out, done_to, end, -1));
done:
    return st;
}

void added_free(added_tokens *added)
{
    for (size_t i = 0; i < added->n; i++) {
        tern_free(added->at[i].text);
        tern_free(added->at[i].shown);
    }
    tern_free(added->at);
    tern_free(added->by_id);
    trie_free(&added->raw);
    trie_free(&added->normal);
    vocab_free(&added->ids);
    *added = (added_tokens){ 0 };
}
