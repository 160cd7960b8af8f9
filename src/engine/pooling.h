/* Hidden states of a batch to one vector a sequence: the modes of a Pooling module. */
#ifndef TERN_ENGINE_POOLING_H
#define TERN_ENGINE_POOLING_H

#include <tern/embed.h>

#include "backend/backend.h"

/* Rows of tokens, sequence s being rows [row[s], row[s] + n_tok[s]) of x, of which the first
 * skip[s] are left out (null: none). */
typedef struct tern_pool_rows {
    const float *x;          /* [n_row, dim] */
    int64_t dim;
    int32_t n_seq;
    const int32_t *row, *n_tok, *skip;
} tern_pool_rows;

/* out[s, 0 .. dim) for each sequence, rows ldout apart. model is asked for its pooler alone. A
 * sequence's bits do not depend on the others. Scratch comes from the context's step arena. */
tern_status tern_pool_sequences(tern_ctx *ctx, tern_model *model, tern_pooling mode,
                                const tern_pool_rows *rows, float *out, int64_t ldout);

/* "mean", "mean_sqrt_len_tokens" */
const char *tern_pooling_name(tern_pooling mode);

#endif
