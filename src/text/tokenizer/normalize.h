/* Normalizers: rewrite text before it is cut into pieces. Each reads one aligned text whole and
 * writes another. */
#ifndef TERN_TEXT_NORMALIZE_H
#define TERN_TEXT_NORMALIZE_H

#include "text/tokenizer/component.h"

extern const component_table normalizer_table;

/* Runs all of list over *text; *spare is the other buffer, and the two may have changed places
 * afterwards. */
tern_status normalize(tern_ctx *ctx, const components *list, aligned **text, aligned **spare);

/* In files of their own: the four normal forms, BERT's normalizer, Lowercase and StripAccents,
 * SentencePiece's table. */
normalize_fn normalize_nfc, normalize_nfd, normalize_nfkc, normalize_nfkd, normalize_bert,
    normalize_lowercase, normalize_strip_accents, normalize_precompiled;

#endif
