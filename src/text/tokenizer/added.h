/* Added tokens: the texts that are found in the input before the model sees it ("<|im_end|>",
 * "<s>", "[MASK]"), each with its flags.
 *
 * The search goes from left to right and takes the longest token that begins at a place; its flags
 * lstrip and rstrip widen it afterwards, so that the next token may begin in blanks that rstrip
 * took. Tokens with the flag normalized are looked for in the normalized text, the others in the
 * text as given. */
#ifndef TERN_TEXT_ADDED_H
#define TERN_TEXT_ADDED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <tern/context.h>

#include "text/tokenizer/aligned.h"
#include "text/tokenizer/trie.h"
#include "text/tokenizer/vocab.h"

typedef struct added_token {
    int32_t id;
    char *text;            /* as written, NUL behind n_bytes */
    size_t n_bytes;
    /* what decoding gives: the normalized text of a token with the flag normalized, else the
     * text */
    char *shown;
    size_t n_shown;
    bool single_word, lstrip, rstrip, normalized, special;
} added_token;

typedef struct added_tokens {
    added_token *at;
    size_t n, capacity;
    /* of the tokens without and with the flag normalized; values are indices into at */
    trie raw, normal;
    vocab ids;             /* text to index into at; the last of equal texts */
    int32_t *by_id;        /* [n_by_id] index into at, or -1 */
    int32_t n_by_id;
    bool any_normal_special;
} added_tokens;

/* Which bytes may be part of a special token: parse_special, or the trusted ranges of the input,
 * ascending. */
typedef struct trust {
    bool all;
    /* special tokens are not looked for at all (split_special_tokens) */
    bool split;
    const uint32_t *ranges;      /* begin, end, begin, end ... of the trusted bytes */
    size_t n_ranges;
} trust;

/* Adds one token. One with the same text gets the new flags, keeps its id, and stays special if it
 * was. */
tern_status added_put(tern_ctx *ctx, added_tokens *added, const added_token *token);

/* Makes the tries once all tokens are there. Those with the flag normalized are found by what they
 * show. */
tern_status added_finish(tern_ctx *ctx, added_tokens *added);

/* Gives token i another text to show. */
tern_status added_show(tern_ctx *ctx, added_tokens *added, size_t i, const char *text,
                       size_t n_bytes);

/* Cuts piece [begin, end) of text into tokens and what is between them, appended to out. normal:
 * which of the two searches. */
tern_status added_split(tern_ctx *ctx, const added_tokens *added, bool normal, const trust *t,
                        const aligned *text, size_t begin, size_t end, pieces *out);

/* null: none */
const added_token *added_by_id(const added_tokens *added, int32_t id);
/* null: none */
const added_token *added_by_text(const added_tokens *added, const char *text, size_t n);
void added_free(added_tokens *added);

#endif
