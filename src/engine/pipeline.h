/* The modules of sentence-transformers, planned for one model: hidden states of a batch in, one
 * vector a sequence out. */
#ifndef TERN_ENGINE_PIPELINE_H
#define TERN_ENGINE_PIPELINE_H

#include <tern/embed.h>

#include "backend/backend.h"
#include "formats/sentence.h"

typedef struct tern_pipeline tern_pipeline;

/* Looks whether every module finds the features that it reads, and of what width. model and
 * sentence are borrowed; options are checked by the caller. TERN_ERR_FORMAT modules that do not
 * fit each other. A list that makes no vector is no failure: its dim is 0. */
tern_status tern_pipeline_create(tern_ctx *ctx, tern_model *model, const tern_sentence *sentence,
                                 const tern_embed_options *options, tern_pipeline **out);
void tern_pipeline_free(tern_pipeline *pipeline);

int64_t tern_pipeline_dim(const tern_pipeline *pipeline);            /* 0: no vector is made */
/* of a CrossEncoder's modules; 0: none */
int64_t tern_pipeline_scores(const tern_pipeline *pipeline);
const char *tern_pipeline_reason(const tern_pipeline *pipeline);     /* why none is made */
const char *tern_pipeline_pooling(const tern_pipeline *pipeline);    /* "mean", "cls+max"; "none" */
bool tern_pipeline_leaves_prompt(const tern_pipeline *pipeline);

/* One batch: hidden [n_row, dim of the model]; n_prompt [n_seq] as tern_embed_input has it, and
 * less than n_tok where the prompt is left out. */
typedef struct tern_pipeline_batch {
    const tern_ragged *rows;
    const float *hidden;
    const int32_t *n_prompt;
} tern_pipeline_batch;

/* vectors [n_seq, dim], of a pipeline whose dim is not 0; logits [n_seq, scores], of one whose
 * scores are not 0. Scratch comes from the context's step arena. */
tern_status tern_pipeline_run(tern_pipeline *pipeline, const tern_pipeline_batch *batch,
                              float *vectors);
tern_status tern_pipeline_score(tern_pipeline *pipeline, const tern_pipeline_batch *batch,
                                float *logits);

#endif
