/* tern_embedder: texts as vectors, and as classes. The same engine room as generation, without sampling: a ragged batch goes through the model once.
 *
 * What a checkpoint says about its vectors is honoured: sentence-transformers' modules.json with 1_Pooling/config.json, Dense and Normalize modules,
 * prompts of config_sentence_transformers.json, max_seq_length of sentence_bert_config.json. */
#ifndef TERN_EMBED_H
#define TERN_EMBED_H

#include <tern/model.h>

typedef struct tern_embedder tern_embedder;

typedef enum tern_pooling {
    TERN_POOL_AUTO = 0,      /* as the checkpoint's modules say; mean for an encoder without them, last for a causal model */
    TERN_POOL_MEAN,
    TERN_POOL_CLS,           /* the first token's */
    TERN_POOL_LAST,
    TERN_POOL_MAX,
    TERN_POOL_POOLER         /* BERT's pooler: tanh of a layer over the first token's */
} tern_pooling;

typedef enum tern_normalize { TERN_NORMALIZE_AUTO = 0, TERN_NORMALIZE_YES, TERN_NORMALIZE_NO } tern_normalize;

typedef struct tern_embed_options {
    tern_pooling pooling;
    tern_normalize normalize;    /* to length 1 (auto: as the modules say, else not) */
    int32_t step_tokens;         /* token budget of a batch; 0: 1024, and at least the longest input */
} tern_embed_options;

/* One text: ids in the vocabulary, at most tern_embedder_max_tokens; type_ids null: 0. Borrowed during the call. */
typedef struct tern_embed_input {
    const int32_t *ids, *type_ids;
    size_t n_ids;
} tern_embed_input;

/* options may be null. The model is borrowed. TERN_ERR_UNSUPPORTED a module or pooling that tern has not, by name | TERN_ERR_ARGUMENT pooler of a model
 * without one. The caller frees *out before the model. */
TERN_API tern_status tern_embedder_create(tern_ctx *ctx, tern_model *model, const tern_embed_options *options, tern_embedder **out);
TERN_API void tern_embedder_free(tern_embedder *embedder);

TERN_API int64_t tern_embedder_dim(const tern_embedder *embedder);           /* of a vector, behind Dense modules */
TERN_API int64_t tern_embedder_max_tokens(const tern_embedder *embedder);    /* of one text, special tokens counted */
TERN_API const char *tern_embedder_pooling(const tern_embedder *embedder);   /* "mean", ...: what is in use */

/* The text that goes before an input for a prompt name ("query"); null: none of that name. name null: the checkpoint's default prompt. */
TERN_API const char *tern_embedder_prompt(const tern_embedder *embedder, const char *name);

/* vectors [n, tern_embedder_dim]. TERN_ERR_ARGUMENT an empty input, or an id outside the vocabulary | TERN_ERR_LIMIT an input that is too long, with
 * both numbers. The i-th vector is the same bits whatever else is in the call. */
TERN_API tern_status tern_embedder_run(tern_embedder *embedder, const tern_embed_input *inputs, size_t n, float *vectors);

/* The hidden state of every token of one input: hidden [n_ids, dim of the model]. */
TERN_API tern_status tern_embedder_hidden(tern_embedder *embedder, const tern_embed_input *input, float *hidden);

/* The logits of every token of one input over the vocabulary, of a masked-language model: logits [n_ids, vocab]. TERN_ERR_UNSUPPORTED where the model
 * has no such head. */
TERN_API tern_status tern_embedder_logits(tern_embedder *embedder, const tern_embed_input *input, float *logits);

/* logits [n, n_label] of a sequence-classification head; TERN_ERR_UNSUPPORTED where the model has none. A reranker's score is its one logit. */
TERN_API tern_status tern_embedder_classify(tern_embedder *embedder, const tern_embed_input *inputs, size_t n, float *logits);

#endif
