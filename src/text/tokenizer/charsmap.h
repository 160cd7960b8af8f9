/* SentencePiece's compiled table of replacements (the Precompiled normalizer): a double-array trie
 * over byte strings, each leading to its replacement. Layout: u32 little-endian size of the trie in
 * bytes, the trie's u32 units, then the replacements, NUL-terminated.
 * Source: darts-clone's double array; SentencePiece's normalizer.cc on what the blob holds. */
#ifndef TERN_TEXT_CHARSMAP_H
#define TERN_TEXT_CHARSMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <tern/context.h>

typedef struct charsmap charsmap;

/* From the blob's bytes, or from its base64. TERN_ERR_FORMAT sizes that contradict each other. */
tern_status charsmap_from_bytes(tern_ctx *ctx, const unsigned char *blob, size_t n_bytes,
                                charsmap **out);
tern_status charsmap_from_base64(tern_ctx *ctx, const char *text, size_t n_bytes, charsmap **out);
void charsmap_free(charsmap *map);

/* The shortest key that begins text (tokenizers' choice), or the longest (SentencePiece's): its
 * replacement and *used bytes of text; null: no key does. */
const char *charsmap_find(const charsmap *map, const char *text, size_t n_bytes, bool longest,
                          size_t *used, size_t *n_out);

#endif
