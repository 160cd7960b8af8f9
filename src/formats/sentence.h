/* What sentence-transformers keeps beside a checkpoint: the list of modules by which hidden states
 * become one vector.
 *
 *     DIR/modules.json                         the list: each module's class and folder
 *     DIR/1_Pooling/config.json, ...           a module's settings, beside model.safetensors
 *     DIR/sentence_bert_config.json            settings of the Transformer, in its own folder
 *     DIR/config_sentence_transformers.json    prompts, truncate_dim, the similarity function
 *
 * Modules hand named features to each other, as the reference's dictionary does: Transformer
 * writes "token_embeddings", Pooling makes "sentence_embedding" of it, and the last
 * "sentence_embedding" is the vector.
 * Source: sentence_transformers 6.2: base/model.py, base/modules, sentence_transformer/modules. */
#ifndef TERN_FORMATS_SENTENCE_H
#define TERN_FORMATS_SENTENCE_H

#include <jansson.h>
#include <tern/embed.h>

#include "backend/backend.h"
#include "formats/checkpoint.h"

#define TERN_TOKEN_FEATURE "token_embeddings"
#define TERN_SENTENCE_FEATURE "sentence_embedding"
#define TERN_SCORE_FEATURE "scores"

enum { TERN_MOST_MODULES = 32, TERN_MOST_MODES = 16, TERN_FEATURE_NAME = 64 };

typedef enum tern_module_kind {
    TERN_MODULE_POOLING,
    TERN_MODULE_DENSE,
    TERN_MODULE_NORMALIZE,
    TERN_MODULE_LAYER_NORM
} tern_module_kind;

/* One module that computes. Dropout does not, and has none. */
typedef struct tern_module {
    tern_module_kind kind;
    char folder[256];                 /* for an error's message: "2_Dense" */
    char input[TERN_FEATURE_NAME];    /* the features that it reads and writes */
    char output[TERN_FEATURE_NAME];

    tern_pooling mode[TERN_MOST_MODES];    /* Pooling: their results are concatenated */
    size_t n_mode;
    bool include_prompt;

    tern_checkpoint *file;            /* holds what follows; owned */
    tern_act act;                     /* Dense: act(x weight^T + bias) + x residual^T */
    bool use_residual;                /* without data in residual: x itself is added */
    /* Dense: [out, in], [out] or no data; LayerNorm: [dim], [dim] */
    tern_tensor weight, bias;
    tern_tensor residual;             /* [out, in] or without data */
} tern_module;

typedef struct tern_sentence {
    bool found;                  /* modules.json is there; all else is empty where it is not */
    bool cross_encoder;          /* scores of pairs are made, "scores", no vectors */
    bool head;                   /* they are those of the model's own classification head */
    /* the Transformer gives BERT's pooler output, "sentence_embedding" */
    bool pooled;
    size_t n_module;
    tern_module *module;         /* [n_module], owned, in the list's order, no Transformer */
    int64_t max_tokens;          /* longest text, special tokens counted; 0: not given */
    bool lower_case;             /* of texts, before the tokenizer's own normalizers */
    int64_t truncate_dim;        /* numbers of a vector that are kept; 0: all */
    const char *similarity;      /* "cosine", "dot", "euclidean", "manhattan" */
    json_t *prompts;             /* an object of texts, null: none */
    char *default_prompt;        /* owned; null: none */
    char *activation;            /* of a CrossEncoder, as named; owned, null: not named */
} tern_sentence;

/* Reads dir's modules where there are any. A module, mode, key or activation that is not known is
 * TERN_ERR_UNSUPPORTED by name; files that contradict themselves are TERN_ERR_FORMAT. Release:
 * tern_sentence_free. */
tern_status tern_sentence_read(tern_ctx *ctx, const char *dir, tern_sentence *out);
void tern_sentence_free(tern_sentence *sentence);

/* The function that a class of torch names ("torch.nn.modules.activation.Tanh"); false: not one
 * that tern has. */
bool tern_torch_activation(const char *name, tern_act *act);

#endif
