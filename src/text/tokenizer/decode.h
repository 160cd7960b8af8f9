/* Decoders: token texts to text. They work on the list of strings that the tokens are, each decoder
 * making a new list. */
#ifndef TERN_TEXT_DECODE_H
#define TERN_TEXT_DECODE_H

#include "text/tokenizer/bytes.h"
#include "text/tokenizer/component.h"

extern const component_table decoder_table;

/* Strings end to end. */
typedef struct strings {
    bytes data;
    size_t *ends;          /* [n] where each string ends in data */
    size_t n, capacity;
    /* of the decoder that fills them: kept, so that a stream of tokens allocates nothing */
    bytes scratch;
} strings;

typedef struct decoding {
    tern_ctx *ctx;
    strings *in, *out;     /* a decoder reads in and fills out, which is empty */
} decoding;

/* The text with the gaps before punctuation and contractions closed, as
 * clean_up_tokenization_spaces asks. */
tern_status decode_clean_up(tern_ctx *ctx, bytes *out, const char *text, size_t n);

/* Runs list over d->in; the result is in d->in afterwards. */
tern_status decode_strings(decoding *d, const components *list);

/* Whether list makes characters of runs of byte tokens; and the byte of such a token ("<0x0A>"), -1
 * for any other text. */
bool decode_joins_bytes(const components *list);
int decode_byte_of(const char *text, size_t n);

/* Ends the string that was being appended to s->data. */
tern_status strings_end(tern_ctx *ctx, strings *s);
void strings_clear(strings *s);
void strings_free(strings *s);

/* Appends n bytes with U+FFFD for what is not UTF-8. */
void bytes_add_lossy(bytes *out, const char *text, size_t n);

#endif
