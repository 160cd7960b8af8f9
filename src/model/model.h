/* A model as the engine sees it: one call that runs a ragged batch through all layers. */
#ifndef TERN_MODEL_MODEL_H
#define TERN_MODEL_MODEL_H

#include <tern/model.h>

#include "backend/backend.h"
#include "formats/generation_config.h"

/* Rows of tokens and what is wanted of them. */
typedef struct tern_step {
    const tern_ragged *batch;       /* row s: its pages must hold past + n_tok tokens */
    const tern_kv *kv;              /* of the shape tern_model_kv gives */
    const int32_t *id;              /* [n_row] */
    const int32_t *position;        /* [n_row]; null: past, past + 1, ... of each sequence */
    /* [n_seq] tokens that a rope which depends on the length counts for a sequence's rows; null:
     * past + n_tok */
    const int32_t *length;
    const int32_t *type_id;         /* [n_row] token types of encoders; null: 0 */
    const int32_t *out_row;         /* [n_out] the rows whose results are wanted, ascending */
    int32_t n_out;
    float *logits;                  /* [n_out, vocab]; null: not wanted */
    float *hidden;                  /* [n_out, dim] after the last norm; null: not wanted */
    /* Called behind the embedding (layer -1) and behind each layer with the residual stream [n_row,
     * dim]; null: not called. */
    void (*after_layer)(void *user, int64_t layer, const float *x);
    void *after_layer_user;
} tern_step;

tern_status tern_model_step(tern_model *model, const tern_step *step);

/* Whether a sequence of n tokens has a row in every table that it asks: ids in the vocabulary,
 * token types (null: 0) among the model's, and no more tokens than positions. A model without token
 * types looks at none. what begins the sentence ("input 3"), which has the name, the value and the
 * limit: TERN_ERR_ARGUMENT an id | TERN_ERR_LIMIT the length. tern_model_step looks at its own rows
 * again, whoever calls it. */
tern_status tern_model_check_tokens(const tern_model *model, const char *what, const int32_t *id,
                                    const int32_t *type_id, size_t n);

/* The cache a model needs: all fields but data and n_page. */
tern_kv tern_model_kv(const tern_model *model);

/* A sequence longer than this is rotated by other frequencies than a shorter one; 0: all alike.
 * *restarts: its cache has to be computed again when it grows past that (longrope); false: cached
 * keys stay as they are (dynamic). */
int64_t tern_model_rope_tokens(const tern_model *model, bool *restarts);

tern_ctx *tern_model_ctx(const tern_model *model);

/* What generation_config.json says: where sampling takes its defaults from. */
const tern_hf_generation *tern_model_generation(const tern_model *model);

/* The directory that the model was opened from. Lives as long as the model. */
const char *tern_model_dir(const tern_model *model);

/* The class of torch that config.json names for a CrossEncoder's scores, as sentence-transformers
 * looks for it; null: none. Lives as long as the model. */
const char *tern_model_score_activation(const tern_model *model);

/* BERT's pooler on the hidden states of first tokens: out[i,:] = tanh(x[i,:] w^T + b), both [n,
 * dim]. TERN_ERR_UNSUPPORTED: the model has none. */
bool tern_model_has_pooler(const tern_model *model);
tern_status tern_model_pool(tern_model *model, int64_t n, const float *x, float *out);

/* The classification head on hidden states x [n, dim] of first tokens (encoders) or last tokens
 * (causal models): logits [n, n_label]. */
tern_status tern_model_classify(tern_model *model, int64_t n, const float *x, float *logits);

#endif
