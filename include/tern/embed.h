/* tern_embedder: texts as vectors, and as classes or scores. The same model as generation runs,
 * without sampling: a ragged batch goes through it once.
 *
 * Where modules.json of sentence-transformers is there, its list is run as it stands:
 *
 *     Transformer    hidden states "token_embeddings"; its folder, max_seq_length, do_lower_case
 *     Pooling        "sentence_embedding" of them, by one mode or by several that are concatenated;
 *                    include_prompt
 *     Dense          act(x W^T + b), with use_residual plus x or x R^T; on sentences or on tokens
 *                    (module_input_name, module_output_name)
 *     LayerNorm      of the sentence
 *     Normalize      to length 1, where it stands; of sentences or tokens
 *     Dropout        nothing
 *
 * and config_sentence_transformers.json gives prompts, default_prompt_name, truncate_dim and
 * similarity_fn_name. A module, mode or setting that is not known is an error with its name.
 * Without modules.json none of these files is read, and hidden states are pooled: by the mean, of
 * a causal model by the last token.
 * Source: sentence_transformers 6.2; docs/models.md says what is refused. */
#ifndef TERN_EMBED_H
#define TERN_EMBED_H

#include <tern/model.h>

typedef struct tern_embedder tern_embedder;

/* How the hidden states h[t] of a text's n tokens become one vector. Tokens of a prompt that the
 * module leaves out (include_prompt false) are not counted, and keep their position t. */
typedef enum tern_pooling {
    TERN_POOL_AUTO = 0,         /* as the modules say; else the mean, of a causal model the last */
    TERN_POOL_MEAN,             /* sum h[t] / n */
    TERN_POOL_CLS,              /* the first token's */
    TERN_POOL_LAST,
    TERN_POOL_MAX,              /* the largest of each coordinate */
    TERN_POOL_POOLER,           /* BERT's pooler: tanh of a layer over the first token's */
    TERN_POOL_MEAN_SQRT_LEN,    /* sum h[t] / sqrt(n) */
    TERN_POOL_WEIGHTED_MEAN     /* sum (t + 1) h[t] / sum (t + 1) */
} tern_pooling;

typedef enum tern_normalize {
    TERN_NORMALIZE_AUTO = 0,    /* as the modules say */
    TERN_NORMALIZE_YES,         /* to length 1 at the end, behind truncation, too */
    TERN_NORMALIZE_NO           /* without the Normalize modules that end the list */
} tern_normalize;

/* Zero means: as the checkpoint says. pooling: this mode alone in every Pooling module; where the
 * list has none, in one right behind the Transformer. */
typedef struct tern_embed_options {
    tern_pooling pooling;
    tern_normalize normalize;
    /* token budget of a batch; 0: 1024. A longer text is a batch by itself */
    int32_t step_tokens;
    int64_t truncate_dim;      /* keep so many numbers of a vector; more than it has: all of them */
    /* most tokens of a text; 0: max_seq_length, else the model's, else 8192 */
    int64_t context_tokens;
} tern_embed_options;

/* One text: ids in the vocabulary, at most tern_embedder_max_tokens; type_ids below the model's
 * n_type (a model without types looks at none), null: 0. Borrowed during the call. n_prompt: how
 * many ids, from the first, a prompt's are: what the tokenizer makes of the prompt alone, special
 * tokens counted, less the last one where that is special. Matters where a Pooling module leaves
 * the prompt out (tern_embedder_leaves_prompt). */
typedef struct tern_embed_input {
    const int32_t *ids, *type_ids;
    size_t n_ids, n_prompt;
} tern_embed_input;

/* options may be null. The model is borrowed. TERN_ERR_UNSUPPORTED a module, mode or setting that
 * tern has not, by name | TERN_ERR_FORMAT modules that do not fit each other | TERN_ERR_ARGUMENT
 * pooler of a model without one, an option out of range | TERN_ERR_LIMIT more context than the
 * model was made for. Memory for keys and values is taken when texts come, for the longest batch of
 * a call. The caller frees *out before the model. */
TERN_API tern_status tern_embedder_create(tern_ctx *ctx, tern_model *model,
                                          const tern_embed_options *options, tern_embedder **out);
TERN_API void tern_embedder_free(tern_embedder *embedder);

/* Of a vector; 0: the modules make none, and tern_embedder_run says why. */
TERN_API int64_t tern_embedder_dim(const tern_embedder *embedder);

/* Logits or scores of one input: of a sequence-classification head, or of a CrossEncoder whose
 * modules make "scores"; 0: none. */
TERN_API int64_t tern_embedder_labels(const tern_embedder *embedder);

/* Of one text, special tokens counted. */
TERN_API int64_t tern_embedder_max_tokens(const tern_embedder *embedder);

/* The modes in use: "mean", or "cls+max"; "none" where nothing is pooled. */
TERN_API const char *tern_embedder_pooling(const tern_embedder *embedder);

/* By what vectors are compared: "cosine", "dot", "euclidean" or "manhattan". */
TERN_API const char *tern_embedder_similarity(const tern_embedder *embedder);

/* Whether a Pooling module has include_prompt false: inputs need n_prompt then. */
TERN_API bool tern_embedder_leaves_prompt(const tern_embedder *embedder);

/* Whether texts are encoded with tern_encode_options.lower_case. */
TERN_API bool tern_embedder_lower_case(const tern_embedder *embedder);

/* The text that goes before an input for a prompt name ("query"), of a pair before its first text;
 * null: none of that name. "query" and "document" are always there, empty where the checkpoint
 * does not give them. name null: the checkpoint's default prompt, null where it has none. */
TERN_API const char *tern_embedder_prompt(const tern_embedder *embedder, const char *name);

/* vectors [n, tern_embedder_dim]. TERN_ERR_ARGUMENT an empty input, or an id or token type outside
 * the model's, or nothing but a prompt that is left out | TERN_ERR_LIMIT an input that is too long,
 * with both numbers | TERN_ERR_NUMERIC a result that is NaN or infinite, with its input: the others
 * can be had without it | TERN_ERR_UNSUPPORTED the modules make no vector. The i-th vector is the
 * same bits whatever else is in the call. */
TERN_API tern_status tern_embedder_run(tern_embedder *embedder, const tern_embed_input *inputs,
                                       size_t n, float *vectors);

/* The hidden state of every token of one input, before any module: hidden [n_ids, dim of the
 * model]. Errors as tern_embedder_run's. */
TERN_API tern_status tern_embedder_hidden(tern_embedder *embedder, const tern_embed_input *input,
                                          float *hidden);

/* The logits of every token of one input over the vocabulary, of a masked-language model: logits
 * [n_ids, vocab]. TERN_ERR_UNSUPPORTED where the model has no such head. */
TERN_API tern_status tern_embedder_logits(tern_embedder *embedder, const tern_embed_input *input,
                                          float *logits);

/* logits [n, tern_embedder_labels]; TERN_ERR_UNSUPPORTED where there are none. */
TERN_API tern_status tern_embedder_classify(tern_embedder *embedder, const tern_embed_input *inputs,
                                            size_t n, float *logits);

/* scores [n, tern_embedder_labels]: what CrossEncoder.predict gives for the same pairs, the logits
 * through an activation. The checkpoint names it: "activation_fn" of
 * config_sentence_transformers.json, "sentence_transformers.activation_fn" or
 * "sbert_ce_default_activation_function" of config.json, in this order; else it is the sigmoid for
 * one label and the identity for several. A reranker's score is its one label's.
 * TERN_ERR_UNSUPPORTED no head, or an activation that tern has not, by name.
 * Source: sentence_transformers 6.2, cross_encoder/model.py. */
TERN_API tern_status tern_embedder_score(tern_embedder *embedder, const tern_embed_input *inputs,
                                         size_t n, float *scores);

#endif
