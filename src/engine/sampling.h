/* Sampling as the engine asks for it: fields of requests that have no logits yet, and all rows of a
 * step at once. */
#ifndef TERN_ENGINE_SAMPLING_H
#define TERN_ENGINE_SAMPLING_H

#include <tern/sampling.h>

/* TERN_ERR_ARGUMENT, the field by name and value */
tern_status tern_sampling_check(tern_ctx *ctx, const tern_sampling *s);

/* One row: its logits [vocab], the tokens before it, and where the token drawn goes; -1:
 * tern_sample finds it, or says why there is none. */
typedef struct tern_draw {
    const tern_sampling *sampling;    /* checked */
    const float *logits;
    const int32_t *seen;              /* of the vocabulary */
    size_t n_seen;
    int64_t position;
    int32_t *token;
} tern_draw;

/* Draws the rows' tokens on the ctx's threads: tern_sample's tokens. A greedy row's largest logit
 * is looked for by all of them. */
void tern_sample_rows(tern_ctx *ctx, tern_draw *row, int64_t n, int64_t vocab);

/* Scratch of a thread that draws. */
size_t tern_sampling_bytes(int64_t vocab);

#endif
