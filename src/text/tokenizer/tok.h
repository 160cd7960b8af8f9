/* The tokenizer as src/text sees it: its parts in the order in which text passes through them. */
#ifndef TERN_TEXT_TOK_H
#define TERN_TEXT_TOK_H

#include <tern/tokenizer.h>

#include "text/tokenizer/added.h"
#include "text/tokenizer/component.h"
#include "text/tokenizer/decode.h"
#include "text/tokenizer/model.h"

typedef enum truncate_strategy { TRUNCATE_LONGEST_FIRST, TRUNCATE_ONLY_FIRST,
                                 TRUNCATE_ONLY_SECOND } truncate_strategy;

typedef struct truncation {
    bool on, from_left;
    size_t max_tokens;
    truncate_strategy strategy;
} truncation;

typedef struct padding {
    bool on, to_left;
    size_t fixed_tokens, multiple;    /* 0: no fixed length; 0: no multiple */
    int32_t id, type_id;
    char *token;
} padding;

/* Memory that encodes use again. */
typedef struct encode_scratch {
    aligned text[4];
    pieces list[3];
    model_tokens tokens;
    tern_encoding sequences[2];
} encode_scratch;

struct tern_tokenizer {
    tern_ctx *ctx;                    /* borrowed */
    added_tokens added;
    components normalizers, pretokenizers, postprocessors, decoders;
    text_model model;
    truncation truncate;
    padding pad;
    char *role_text[TERN_N_ROLES];    /* owned, null: none */
    int32_t role_id[TERN_N_ROLES];    /* -1: none */
    int64_t max_length;
    bool no_types;                    /* the model is given no token types */
    bool clean_up;                    /* decoding closes the gaps before punctuation */
    /* special tokens in a text are plain text, however it is asked for */
    bool split_special;
    ignored_keys ignored;             /* keys of tokenizer.json that mean nothing */
    encode_scratch scratch;
};

/* An empty tokenizer, to be filled by one of the loaders below and then tokenizer_finish. */
tern_status tokenizer_new(tern_ctx *ctx, tern_tokenizer **out);

/* Adds a token to tok->added, or changes the flags of the one with its text. token->id is not
 * looked at: a token that the vocabulary has keeps its id there, another gets the next one, as in
 * the tokenizers library, which does not look at the ids of added tokens either. */
tern_status tokenizer_add_token(tern_tokenizer *tok, const added_token *token);

/* Once model, components and added tokens are there: the tables that depend on all of them. */
tern_status tokenizer_finish(tern_tokenizer *tok);

/* tokenizer.json as parsed, all but its post-processor, which may depend on tokens that the
 * configuration adds. */
tern_status tokenizer_load_json(tern_tokenizer *tok, const json_t *json);

/* The post-processor alone. */
tern_status tokenizer_load_post_processor(tern_tokenizer *tok, const json_t *json);

/* True for an id that is none, or that skip_special leaves out. */
bool tokenizer_skips(const tern_tokenizer *tok, int32_t id);

/* The text of n ids, into out; a and b are scratch. */
tern_status tokenizer_decode_into(tern_ctx *ctx, const tern_tokenizer *tok, const int32_t *ids,
                                  size_t n, bool skip_special, strings *a, strings *b, bytes *out);

/* The files of older checkpoints as the tokenizer.json that has their vocabulary, a new reference;
 * *class_name: the class that makes a tokenizer of it, null: the json is complete. load_files.c. */
tern_status tokenizer_read_wordpiece_files(tern_ctx *ctx, const char *dir, const char **class_name,
                                           json_t **json);
tern_status tokenizer_read_bpe_files(tern_ctx *ctx, const char *dir, const json_t *config,
                                     const char **class_name, json_t **json);

#endif
