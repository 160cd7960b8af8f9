/* The four models of tokenizer.json: a piece of text to token ids. Each lives in a file of its own
 * (bpe.c, unigram.c, wordpiece.c); the encoder has them from this table. */
#ifndef TERN_TEXT_MODEL_H
#define TERN_TEXT_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <tern/context.h>

#include "base/memory.h"
#include "text/tokenizer/vocab.h"

/* A token and the bytes [begin, end) of the text that it stands for. */
typedef struct model_token {
    uint32_t begin, end;
    int32_t id;
} model_token;

typedef struct model_tokens {
    model_token *at;
    size_t n, capacity;
} model_tokens;

struct text_model;

typedef struct model_kind {
    const char *type;
    /* what its JSON may hold besides "type" and "vocab", null at the end */
    const char *const *keys;

    /* Fills m->state from json, m->vocab being there. */
    tern_status (*load)(tern_ctx *ctx, const json_t *json, struct text_model *m);

    /* Once the special ids are known (m->banned). */
    tern_status (*finish)(tern_ctx *ctx, struct text_model *m);

    /* Appends the tokens of n > 0 bytes; positions count from base. plain: ids in m->banned must
     * not come out. */
    tern_status (*encode)(tern_ctx *ctx, struct text_model *m, const char *text, size_t n,
                          uint32_t base, bool plain, model_tokens *out);
    void (*free)(struct text_model *m);
} model_kind;

typedef struct text_model {
    const model_kind *kind;
    vocab vocab;
    void *state;            /* the kind's own */
    /* [vocab.n_ids] 1: a special token, which plain text must not become; the unknown token is
     * never banned */
    uint8_t *banned;
    bool any_banned;
    /* a token's text differs from the vocabulary's (Unigram's unknown pieces): it is the input's
     * own */
    bool odd_text;
    int32_t unk_id;         /* -1: none */
} text_model;

extern const model_kind model_bpe, model_unigram, model_wordpiece, model_wordlevel;

/* The kind by its type; null: unknown. */
const model_kind *model_find(const char *type);

/* Space for n more tokens. */
tern_status model_tokens_reserve(tern_ctx *ctx, model_tokens *list, size_t n);

static inline bool model_bans(const text_model *m, bool plain, int32_t id)
{
    return plain && m->any_banned && m->banned[id];
}

/* Scratch of this many elements is kept for the next text; more, which a long one left, is given
 * back. */
enum { MODEL_KEPT_SCRATCH = 1 << 16 };

static inline void *model_trimmed(void *scratch, size_t *capacity)
{
    if (*capacity <= MODEL_KEPT_SCRATCH) return scratch;
    tern_free(scratch);
    *capacity = 0;
    return NULL;
}

/* The ids of the bytes' tokens "<0x0A>", -1: none. Where unknown characters fall back to them, a
 * token that looks like one and names no byte ("<0x100>") is TERN_ERR_FORMAT. */
tern_status model_byte_ids(tern_ctx *ctx, const vocab *v, bool fall_back, int32_t ids[256]);

#endif
