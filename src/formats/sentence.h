/* What sentence-transformers keeps beside a checkpoint: how hidden states become one vector. */
#ifndef TERN_FORMATS_SENTENCE_H
#define TERN_FORMATS_SENTENCE_H

#include "formats/checkpoint.h"
#include "formats/hf_config.h"

enum { TERN_MOST_DENSE = 4 };

/* One Dense module: activation(x w^T + b). */
typedef struct tern_dense_module {
    tern_checkpoint *file;       /* holds w and b */
    tern_tensor weight, bias;    /* [out, in], [out] or without data */
    bool tanh;                   /* else identity */
} tern_dense_module;

typedef struct tern_sentence {
    bool found;                  /* modules.json is there */
    char pooling[8];             /* "mean", "cls", "last", "max"; "" where no pooling module is there */
    bool normalize;
    int64_t max_tokens;          /* 0: not given */
    size_t n_dense;
    tern_dense_module dense[TERN_MOST_DENSE];
    json_t *prompts;             /* an object of texts, null: none */
    char default_prompt[64];     /* "": none */
} tern_sentence;

/* Reads dir's modules where there are any; an unknown module, pooling mode or activation is TERN_ERR_UNSUPPORTED by name. Release: tern_sentence_free. */
tern_status tern_sentence_read(tern_ctx *ctx, const char *dir, tern_sentence *out);
void tern_sentence_free(tern_sentence *sentence);

#endif
