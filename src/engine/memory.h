/* How many tokens fit: how an engine divides what this process may still allocate. */
#ifndef TERN_ENGINE_MEMORY_H
#define TERN_ENGINE_MEMORY_H

#include "base/available_memory.h"
#include "engine/runner.h"

typedef struct tern_plan {
    int64_t context_tokens, n_page;
    int32_t max_requests, step_tokens;
    /* rows of logits a step can have: one a request, and some more for those that want all
     * positions' */
    int32_t n_logit_row;
    size_t kv_bytes, workspace_bytes;
} tern_plan;

/* Fills in what options leave open. TERN_ERR_ARGUMENT a negative option | TERN_ERR_LIMIT a context
 * beyond the model's | TERN_ERR_MEMORY what is
 * asked, or the least that works, does not fit in memory; the sentence has the bytes needed and
 * available. */
tern_status tern_plan_engine(const tern_runner *runner, const tern_engine_options *options,
                             tern_available_memory memory, tern_plan *out);

#endif
