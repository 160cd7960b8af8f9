/* What the engine needs of a model, and no more: the shape of its cache, its vocabulary, and one
 * call that runs a ragged batch.
 *
 * model_runner.c fills it from a tern_model; tests fill it with a toy. */
#ifndef TERN_ENGINE_RUNNER_H
#define TERN_ENGINE_RUNNER_H

#include <tern/engine.h>

#include "model/model.h"

typedef tern_status tern_run_step_fn(void *user, const tern_step *step);

typedef struct tern_runner {
    tern_ctx *ctx;
    tern_kv kv;                    /* its shape: all fields but data and n_page */
    size_t page_bytes;             /* of one page of that shape */
    /* weights in the file: they need memory though they are not allocated */
    size_t mapped_bytes;
    size_t row_bytes;              /* of a step's workspace for one row */
    int64_t vocab;
    int64_t max_tokens;            /* 0: no limit */
    /* tern_model_rope_tokens; 0: rope does not depend on the length */
    int64_t rope_tokens;
    bool rope_restarts;
    const int32_t *eos;            /* borrowed as long as the engine */
    size_t n_eos;
    tern_run_step_fn *step;
    void *user;
} tern_runner;

tern_status tern_engine_create_on(const tern_runner *runner, const tern_engine_options *options,
                                  tern_engine **out);

#endif
