/* The KV cache of the op API as ops see it: which rows of a call follow which tokens of which
 * sequence. */
#ifndef TERN_OPS_WORKSPACE_H
#define TERN_OPS_WORKSPACE_H

#include "ops/op.h"

/* The pool behind the workspace; data null while it is released. */
const tern_kv *workspace_kv(const tern_workspace *ws);
int32_t workspace_max_batch(const tern_workspace *ws);

/* Describes n_tok more tokens of each of n_seq sequences (ids: which; null: 0 ..) as a ragged batch
 * in the arena. The ids are valid, and the tokens fit. */
tern_status workspace_batch(tern_op *op, tern_workspace *ws, int64_t layer, int32_t n_seq,
                            const int32_t *ids, int32_t n_tok, tern_ragged *batch);

/* The layer's sequences have n_tok tokens more. */
void workspace_advance(tern_workspace *ws, int64_t layer, int32_t n_seq, const int32_t *ids,
                       int32_t n_tok);

#endif
