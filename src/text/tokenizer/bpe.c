/* The BPE model: characters are looked up, then merged. Called by the encoder through model.h;
 * calls bpe_merge.c.
 *
 * A character that the vocabulary lacks becomes its bytes' tokens (byte_fallback), else the unknown
 * token, else nothing. What short pieces became is kept in a table of fixed size, for text repeats
 * its words. */
#include "text/tokenizer/bpe.h"

#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer/bytes.h"
#include "text/utf8.h"

enum { TABLE_CHARS = 0x800, KEY_BYTES = 22, KEPT_IDS = 8, CACHE_LEAST = 1 << 10, CACHE_MOST = 1 << 15 };

/* One remembered piece: 64 bytes. */
typedef struct kept {
    char key[KEY_BYTES];
    uint8_t n_key, n_ids;             /* n_ids 0: empty */
    uint8_t ends[KEPT_IDS];           /* where each token ends in the piece */
    int32_t ids[KEPT_IDS];
} kept;

typedef struct bpe {
    bpe_merges merges;
    char *prefix, *suffix;            /* continuing_subword_prefix, end_of_word_suffix; null: none */
    size_t n_prefix, n_suffix;
    bool byte_fallback, fuse_unk, ignore_merges, has_unk;
    int32_t byte_ids[256];
    /* ids of characters as a word begins, where neither prefix nor suffix is in play */
    int32_t first[TABLE_CHARS];
    bpe_symbol *symbols;              /* scratch */
    size_t symbol_capacity;
    kept *cache[2];                   /* of parsed and of plain text */
    size_t cache_mask;
    bytes scratch;
} bpe;

static void bpe_free(text_model *m)
{
    bpe *b = m->state;
    if (!b) return;
    tern_free(b->merges.slots);
    tern_free(b->prefix);
    tern_free(b->suffix);
    tern_free(b->symbols);
    tern_free(b->cache[0]);
    tern_free(b->cache[1]);
    bytes_free(&b->scratch);
    tern_free(b);
    m->state = NULL;
}

/* ---- Loading ---- */

/* The two sides of merge i: ["a", "b"] or "a b". */
static tern_status read_merge(tern_ctx *ctx, const json_t *one, size_t i, const char **left, size_t *n_left,
                              const char **right, size_t *n_right)
{
    if (json_is_array(one) && json_array_size(one) == 2 && json_is_string(json_array_get(one, 0)) &&
        json_is_string(json_array_get(one, 1))) {
        *left = json_string_value(json_array_get(one, 0));
        *n_left = json_string_length(json_array_get(one, 0));
        *right = json_string_value(json_array_get(one, 1));
        *n_right = json_string_length(json_array_get(one, 1));
        return TERN_OK;
    }
    const char *text = json_string_value(one), *blank = text ? strchr(text, ' ') : NULL;
    if (!blank || strchr(blank + 1, ' ')) return tern_fail(ctx, TERN_ERR_FORMAT, "BPE: merge %zu is not two tokens", i);
    *left = text;
    *n_left = (size_t)(blank - text);
    *right = blank + 1;
    *n_right = strlen(*right);
    return TERN_OK;
}

static tern_status add_merge(tern_ctx *ctx, text_model *m, size_t i, const char *left, size_t n_left, const char *right,
                             size_t n_right)
{
    bpe *b = m->state;
    int32_t l = vocab_id(&m->vocab, left, n_left), r = vocab_id(&m->vocab, right, n_right), made;
    if (l < 0 || r < 0) {
        char token[TERN_SHOWN_BYTES];
        tern_show(token, sizeof token, "%.*s", (int)(l < 0 ? n_left : n_right), l < 0 ? left : right);
        return tern_fail(ctx, TERN_ERR_FORMAT, "BPE: merge %zu needs the token \"%s\", which the vocabulary lacks", i,
                         token);
    }
    if (n_right < b->n_prefix)
        return tern_fail(ctx, TERN_ERR_FORMAT, "BPE: merge %zu: \"%s\" is shorter than the prefix", i,
                         TERN_SHOWN(right));
    b->scratch.n = 0;
    bytes_add(&b->scratch, left, n_left);
    bytes_add(&b->scratch, right + b->n_prefix, n_right - b->n_prefix);
    if (b->scratch.st) return b->scratch.st;
    made = vocab_id(&m->vocab, b->scratch.data, b->scratch.n);
    if (made < 0)
        return tern_fail(ctx, TERN_ERR_FORMAT, "BPE: merge %zu makes \"%s\", which the vocabulary lacks", i,
                         TERN_SHOWN(b->scratch.data));
    uint64_t key = (uint64_t)(uint32_t)l << 32 | (uint32_t)r;
    size_t slot = (size_t)((key * 0x9e3779b97f4a7c15u) >> 29) & b->merges.mask;
    while (b->merges.slots[slot].made >= 0 &&
           (b->merges.slots[slot].left != (uint32_t)l || b->merges.slots[slot].right != (uint32_t)r))
        slot = (slot + 1) & b->merges.mask;
    b->merges.slots[slot] = (bpe_merge){ (uint32_t)l, (uint32_t)r, (uint32_t)i, made };
    return TERN_OK;
}

static tern_status load_merges(tern_ctx *ctx, text_model *m, const json_t *list)
{
    tern_status st = TERN_OK;
    bpe *b = m->state;
    size_t n = json_array_size(list), n_slots = 16;
    if (!json_is_array(list))
        return tern_fail(ctx, TERN_ERR_FORMAT, "BPE: \"merges\" is %s, not a list", tern_json_kind(list));
    while (n_slots < n * 2) n_slots *= 2;
    b->merges.slots = tern_alloc(ctx, n_slots, sizeof *b->merges.slots, "merges");
    if (!b->merges.slots) return TERN_ERR_MEMORY;
    for (size_t i = 0; i < n_slots; i++) b->merges.slots[i].made = -1;
    b->merges.mask = n_slots - 1;
    b->merges.n_ranks = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        const char *left = "", *right = "";
        size_t n_left = 0, n_right = 0;
        TERN_TRY(read_merge(ctx, json_array_get(list, i), i, &left, &n_left, &right, &n_right));
        TERN_TRY(add_merge(ctx, m, i, left, n_left, right, n_right));
    }
done:
    return st;
}

static tern_status read_text(tern_ctx *ctx, const json_t *json, const char *key, char **out, size_t *n)
{
    const json_t *value = json_object_get(json, key);
    if (!value || json_is_null(value) || (json_is_string(value) && !json_string_length(value))) return TERN_OK;
    if (!json_is_string(value))
        return tern_fail(ctx, TERN_ERR_FORMAT, "BPE: \"%s\" is %s, not a string", key, tern_json_kind(value));
    *n = json_string_length(value);
    *out = tern_strndup(ctx, json_string_value(value), *n);
    return *out ? TERN_OK : TERN_ERR_MEMORY;
}

static tern_status read_options(tern_ctx *ctx, const json_t *json, text_model *m)
{
    tern_status st = TERN_OK;
    bpe *b = m->state;
    const json_t *unk = json_object_get(json, "unk_token"), *dropout = json_object_get(json, "dropout");
    if (json_is_number(dropout) ? json_number_value(dropout) != 0 : dropout && !json_is_null(dropout))
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "BPE: \"dropout\" makes ids random, which tern does not do");
    const struct { const char *key; bool *out; } flags[] = {
        { "byte_fallback", &b->byte_fallback }, { "fuse_unk", &b->fuse_unk }, { "ignore_merges", &b->ignore_merges },
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        const json_t *value = json_object_get(json, flags[i].key);
        if (value && !json_is_null(value) && !json_is_boolean(value))
            return tern_fail(ctx, TERN_ERR_FORMAT, "BPE: \"%s\" is %s, not a boolean", flags[i].key,
                             tern_json_kind(value));
        *flags[i].out = json_is_true(value);
    }
    TERN_TRY(read_text(ctx, json, "continuing_subword_prefix", &b->prefix, &b->n_prefix));
    TERN_TRY(read_text(ctx, json, "end_of_word_suffix", &b->suffix, &b->n_suffix));
    if (unk && !json_is_null(unk)) {
        if (!json_is_string(unk))
            return tern_fail(ctx, TERN_ERR_FORMAT, "BPE: \"unk_token\" is %s, not a string", tern_json_kind(unk));
        m->unk_id = vocab_id(&m->vocab, json_string_value(unk), json_string_length(unk));
        b->has_unk = true;
    }
done:
    return st;
}

static tern_status bpe_load(tern_ctx *ctx, const json_t *json, text_model *m)
{
    tern_status st = TERN_OK;
    bpe *b = tern_alloc(ctx, 1, sizeof *b, "BPE");
    if (!b) return TERN_ERR_MEMORY;
    m->state = b;
    b->scratch.ctx = ctx;
    TERN_TRY(read_options(ctx, json, m));
    TERN_TRY(load_merges(ctx, m, json_object_get(json, "merges")));
    TERN_TRY(model_byte_ids(ctx, &m->vocab, b->byte_fallback, b->byte_ids));
    for (uint32_t c = 0; c < TABLE_CHARS; c++) {
        char text[4];
        size_t n = utf8_put(text, c);
        b->first[c] = vocab_id(&m->vocab, text, n);
    }
done:
    return st;
}

static tern_status bpe_finish(tern_ctx *ctx, text_model *m)
{
    bpe *b = m->state;
    size_t n = CACHE_LEAST;
    while (n < CACHE_MOST && n < (size_t)m->vocab.n_tokens) n *= 2;
    b->cache_mask = n - 1;
    for (int i = 0; i < 1 + m->any_banned; i++) {
        b->cache[i] = tern_alloc(ctx, n, sizeof **b->cache, "remembered words");
        if (!b->cache[i]) return TERN_ERR_MEMORY;
    }
    return TERN_OK;
}

/* ---- Encoding ---- */

/* The id of the character at text[at, at + length), with the prefix inside a word and the suffix at
 * its end. */
static int32_t symbol_id(bpe *b, const text_model *m, const char *text, size_t n, size_t at, size_t length)
{
    bool prefixed = b->prefix && at > 0, suffixed = b->suffix && at + length == n;
    if (!prefixed && !suffixed) {
        if (length <= 2) {
            size_t same;
            return b->first[utf8_get(text + at, &same)];
        }
        return vocab_id(&m->vocab, text + at, length);
    }
    b->scratch.n = 0;
    if (prefixed) bytes_add(&b->scratch, b->prefix, b->n_prefix);
    bytes_add(&b->scratch, text + at, length);
    if (suffixed) bytes_add(&b->scratch, b->suffix, b->n_suffix);
    return b->scratch.st ? -1 : vocab_id(&m->vocab, b->scratch.data, b->scratch.n);
}

/* The bytes of the character as tokens, if each has one. With a prefix or suffix those bytes count
 * too, as in the tokenizers library. */
static size_t fall_back(const bpe *b, const char *text, size_t n, size_t at, size_t length, bpe_symbol *out)
{
    const struct { const char *text; size_t n; } parts[] = {
        { b->prefix, at > 0 ? b->n_prefix : 0 }, { text + at, length },
        { b->suffix, at + length == n ? b->n_suffix : 0 },
    };
    size_t count = 0;
    for (int p = 0; p < 3; p++)
        for (size_t i = 0; i < parts[p].n; i++) {
            int32_t id = b->byte_ids[(unsigned char)parts[p].text[i]];
            if (id < 0) return 0;
            out[count++] = (bpe_symbol){ .id = id };
        }
    return count;
}

/* The characters of a piece as symbols. The unknown token waits until a known character comes, and
 * bytes do not make it come: the order that the tokenizers library gives. Positions count up by
 * what each symbol takes, so that they stay inside the piece. */
static tern_status read_symbols(tern_ctx *ctx, text_model *m, const char *text, size_t n, bool plain, size_t *n_symbols)
{
    tern_status st = TERN_OK;
    bpe *b = m->state;
    size_t most = n + (n + 1) * (b->byte_fallback ? b->n_prefix : 0) + b->n_suffix + 1, count = 0, unk_bytes = 0;
    uint32_t at_out = 0;
    if (most > b->symbol_capacity) {
        TERN_TRY(tern_grow(ctx, (void **)&b->symbols, most, sizeof *b->symbols, "symbols of a word"));
        b->symbol_capacity = most;
    }
    for (size_t at = 0, length; at < n; at += length) {
        length = utf8_length((unsigned char)text[at]);
        int32_t id = symbol_id(b, m, text, n, at, length);
        if (id >= 0 && !model_bans(m, plain, id)) {
            if (unk_bytes) b->symbols[count++] = (bpe_symbol){ .id = m->unk_id, .end = (uint32_t)unk_bytes };
            unk_bytes = 0;
            b->symbols[count++] = (bpe_symbol){ .id = id, .end = (uint32_t)length };
            continue;
        }
        size_t n_bytes = b->byte_fallback ? fall_back(b, text, n, at, length, b->symbols + count) : 0;
        for (size_t i = 0; i < n_bytes; i++) b->symbols[count++].end = 1;
        if (n_bytes || !b->has_unk) continue;
        if (m->unk_id < 0)
            return tern_fail(ctx, TERN_ERR_FORMAT,
                             "BPE: the vocabulary lacks the unknown token, and this text needs it");
        if (unk_bytes && !b->fuse_unk) {
            b->symbols[count++] = (bpe_symbol){ .id = m->unk_id, .end = (uint32_t)unk_bytes };
            unk_bytes = 0;
        }
        unk_bytes += length;
    }
    if (unk_bytes) b->symbols[count++] = (bpe_symbol){ .id = m->unk_id, .end = (uint32_t)unk_bytes };
    for (size_t i = 0; i < count; i++) {
        b->symbols[i].begin = at_out;
        at_out = b->symbols[i].end += at_out;
    }
    *n_symbols = count;
done:
    return st;
}

static bool recall(const kept *k, const char *text, size_t n, uint32_t base, model_tokens *out)
{
    if (!k->n_ids || k->n_key != n || memcmp(k->key, text, n)) return false;
    uint32_t begin = 0;
    for (int i = 0; i < k->n_ids; i++) {
        out->at[out->n++] = (model_token){ base + begin, base + k->ends[i], k->ids[i] };
        begin = k->ends[i];
    }
    return true;
}

static void remember(kept *k, const char *text, size_t n, const bpe_symbol *symbols, size_t n_symbols)
{
    if (!n_symbols || n_symbols > KEPT_IDS) return;
    memcpy(k->key, text, n);
    k->n_key = (uint8_t)n;
    k->n_ids = (uint8_t)n_symbols;
    for (size_t i = 0; i < n_symbols; i++) {
        k->ids[i] = symbols[i].id;
        k->ends[i] = (uint8_t)symbols[i].end;
    }
}

static tern_status bpe_encode(tern_ctx *ctx, text_model *m, const char *text, size_t n, uint32_t base, bool plain,
                              model_tokens *out)
{
    tern_status st = TERN_OK;
    bpe *b = m->state;
    kept *k = NULL;
    size_t n_symbols = 0;
    TERN_TRY(model_tokens_reserve(ctx, out, n < KEPT_IDS ? KEPT_IDS : n));
    if (n <= KEY_BYTES) {
        k = &b->cache[plain && m->any_banned][text_hash(text, n) & b->cache_mask];
        if (recall(k, text, n, base, out)) return st;
    }
    if (b->ignore_merges) {
        int32_t id = vocab_id(&m->vocab, text, n);
        if (id >= 0 && !model_bans(m, plain, id)) {
            out->at[out->n++] = (model_token){ base, base + (uint32_t)n, id };
            if (k) remember(k, text, n, &(bpe_symbol){ .id = id, .end = (uint32_t)n }, 1);
            return st;
        }
    }
    TERN_TRY(read_symbols(ctx, m, text, n, plain, &n_symbols));
    if (n_symbols > 1) TERN_TRY(bpe_merge_all(ctx, m, &b->merges, plain, b->symbols, &n_symbols));
    TERN_TRY(model_tokens_reserve(ctx, out, n_symbols));
    for (size_t i = 0; i < n_symbols; i++)
        out->at[out->n++] = (model_token){ base + b->symbols[i].begin, base + b->symbols[i].end, b->symbols[i].id };
    if (k && (!n_symbols || b->symbols[n_symbols - 1].end <= n)) remember(k, text, n, b->symbols, n_symbols);
    b->symbols = model_trimmed(b->symbols, &b->symbol_capacity);
done:
    return st;
}

const model_kind model_bpe = {
    .type = "BPE",
    .keys = (const char *const[]){ "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                                   "fuse_unk", "byte_fallback", "ignore_merges", "merges", NULL },
    .load = bpe_load, .finish = bpe_finish, .encode = bpe_encode, .free = bpe_free,
};
