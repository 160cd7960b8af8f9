/* Text on its way through normalizers and pre-tokenizers: bytes that know which bytes of the input
 * they came from, and the pieces that the bytes are cut into.
 *
 *     input      "  Été "                 bytes 0..8
 *     aligned    "été"                    begin/end per byte: [2,4) [2,4) [4,5) [5,7) [5,7)
 *     pieces     [0,5) id -1
 *
 * A character that a normalizer adds takes the place of the one before it; one that stands for
 * several takes the place of the first. */
#ifndef TERN_TEXT_ALIGNED_H
#define TERN_TEXT_ALIGNED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tern/context.h>

typedef enum align_mode {
    ALIGN_NONE = 0,    /* where bytes came from is not needed  */
    ALIGN_SAME,        /* byte i came from byte i of the input */
    ALIGN_KEPT         /* begin[] and end[] say it             */
} align_mode;

typedef struct aligned {
    char *data;
    size_t n, capacity;               /* capacity 0: data is borrowed */
    uint32_t *begin, *end;
    size_t align_capacity;
    align_mode mode;
} aligned;

/* A part of an aligned text. */
typedef struct piece {
    uint32_t begin, end;
    int32_t id;                       /* the added token that it is; -1: text for the model */
} piece;

typedef struct pieces {
    piece *at;
    size_t n, capacity;
} pieces;

/* Makes out empty, ready for aligned_put, keeping its memory; mode is ALIGN_NONE or ALIGN_KEPT. */
void aligned_clear(aligned *out, align_mode mode);
void aligned_free(aligned *text);

/* Space for n more bytes, so that what is appended up to there cannot fail. */
tern_status aligned_reserve(tern_ctx *ctx, aligned *out, size_t n);

/* Appends n bytes that came from where byte src of in did; src SIZE_MAX: from the very beginning,
 * [0, 0). */
tern_status aligned_put(tern_ctx *ctx, aligned *out, const aligned *in, size_t src,
                        const char *bytes, size_t n);

/* Appends [begin, end) of in as it is. */
tern_status aligned_copy(tern_ctx *ctx, aligned *out, const aligned *in, size_t begin, size_t end);

/* The bytes of the input that [begin, end) of text came from; begin < end. Not for ALIGN_NONE. */
void aligned_origin(const aligned *text, size_t begin, size_t end, size_t *from, size_t *to);

tern_status pieces_push(tern_ctx *ctx, pieces *list, size_t begin, size_t end, int32_t id);
void pieces_free(pieces *list);

#endif
