/* A SentencePiece model as its file has it: see sentencepiece.c. sentencepiece_merges.c finds the
 * merges of its BPE, sentencepiece_json.c puts it down as a tokenizer.json. */
#ifndef TERN_TEXT_SENTENCEPIECE_H
#define TERN_TEXT_SENTENCEPIECE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <tern/context.h>

#include "text/tokenizer/classes.h"

typedef enum piece_type { PIECE_NORMAL = 1, PIECE_UNKNOWN, PIECE_CONTROL, PIECE_USER_DEFINED,
                          PIECE_UNUSED, PIECE_BYTE } piece_type;

typedef struct sp_piece {
    const char *text;
    size_t n_bytes;
    double score;
    piece_type type;
} sp_piece;

typedef struct sp_model {
    tern_ctx *ctx;
    sp_piece *pieces;
    size_t n, capacity;
    uint64_t model_type;                 /* 1 Unigram, 2 BPE, 3 word, 4 char */
    bool byte_fallback, space_behind;
    int64_t unk_id, bos_id, eos_id;      /* -1: none */
    const unsigned char *charsmap;       /* borrowed from the file, as the pieces' texts are */
    size_t n_charsmap;
    bool dummy_prefix, one_space, escape;
} sp_model;

/* Reads the file's n_bytes, which the model borrows from. */
tern_status sentencepiece_read(sp_model *m, const unsigned char *data, size_t n_bytes);

/* Every way to make a piece out of two others, as ["left", "right"], into list. by_score: only
 * normal pieces count, the best score first; else all pieces, the lowest id first. */
tern_status sentencepiece_merges(const sp_model *m, bool by_score, json_t *list);

/* The tokenizer.json of a SentencePiece file, a new reference. With a class only the model counts;
 * without one all is as the file's settings say. config gets the tokens that the file makes
 * special, and, without a class, its own roles. *prefix: a blank comes before the text. */
tern_status tokenizer_read_sentencepiece(tern_ctx *ctx, const unsigned char *data, size_t n_bytes,
                                         const tokenizer_class *class, json_t *config, bool *prefix,
                                         json_t **json);

#endif
