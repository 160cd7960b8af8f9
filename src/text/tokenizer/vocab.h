/* A vocabulary: token texts to ids and back. Built once, then only read. Used by every model and by
 * the added tokens. */
#ifndef TERN_TEXT_VOCAB_H
#define TERN_TEXT_VOCAB_H

#include <stdint.h>
#include <tern/context.h>

typedef struct vocab_entry {
    size_t at;             /* into bytes        */
    uint32_t n_bytes;
    uint32_t there;        /* 0: a gap, no token has this id */
} vocab_entry;

typedef struct vocab {
    char *bytes;           /* the texts, each with a NUL behind it */
    size_t n_bytes, bytes_capacity;
    vocab_entry *entries;  /* by id */
    int32_t n_ids;         /* one above the highest id */
    int32_t n_tokens;
    size_t entries_capacity;
    /* open addressing: id, or -1; a power of two of them, never more than half full */
    int32_t *slots;
    uint32_t *hashes;      /* of the slots' texts */
    size_t n_slots;
    uint32_t longest;      /* bytes of the longest text */
} vocab;

/* Gives text the id. TERN_ERR_FORMAT: an id outside [0, max_id], or that another token has. A text
 * that is there already keeps its first id in the table of ids, and vocab_id finds the last one. */
tern_status vocab_add(tern_ctx *ctx, vocab *v, const char *text, size_t n_bytes, int64_t id,
                      int64_t max_id);

/* -1: no such token */
int32_t vocab_id(const vocab *v, const char *text, size_t n_bytes);
/* null: no such id */
const char *vocab_text(const vocab *v, int32_t id, size_t *n_bytes);
void vocab_free(vocab *v);

uint32_t text_hash(const char *text, size_t n_bytes);

#endif
